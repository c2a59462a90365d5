"""Which token numbers common words have, so that the embedding rows of the same words can be compared between models.

Tokenizers mark where a word begins, each kind in its own way: byte-level BPE writes `Ġthe`, SentencePiece `▁the`; WordPiece writes
`the` and marks what continues a word, `##ing`. A vocabulary follows one of these ways, and is read by the one that it uses most.
Like the configuration it is context, never evidence, and a file that cannot be read is no reason not to read the weights.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from tensorguard.errors import InputError, TensorGuardError, quote
from tensorguard.formats.gguf import read_strings
from tensorguard.formats.sentencepiece import pieces
from tensorguard.limits import MAX_ELEMENTS, MAX_JSON_VALUES, MAX_TOKENIZER_BYTES
from tensorguard.sources.remote import Location, source_at

_WORD_STARTS: Mapping[str, str] = {"Ġ": "Ġ", "▁": "▁", "##": ""}
"""What marked tokens begin with -> what a word's first token begins with."""

_Tokens = Iterable[tuple[str, int]]
"""Pairs of a token and its number, as the file has them."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class TokenNumbers:
    """What a vocabulary says about words.

    Attributes:
        numbers: For each word asked for, the number of the token that is this word, or None; None for all where nothing can be read.
            Whether the embedding has such a row is for the caller to check.
        notice: Why a vocabulary that is there could not be read, one sentence; else empty.
    """

    numbers: tuple[int | None, ...]
    notice: str = ""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """A model's tokens.

    Attributes:
        files: Where they may stand, best first; empty if the model came without.
    """

    files: tuple[Location, ...] = ()

    def find(self, words: Sequence[str]) -> TokenNumbers:
        """Look words up, as they stand in the middle of a sentence. Reads the first file that lists tokens; never raises on bad ones."""
        notice = ""
        for path in self.files:
            try:
                return TokenNumbers(_numbers(_READERS.get(path.name, _gguf_tokens)(path), words))
            except (TensorGuardError, OSError) as error:
                reason = error.message if isinstance(error, TensorGuardError) else error.strerror
                notice = notice or f"The tokens in {quote(path.name)} are not used: {reason}."
        return TokenNumbers((None,) * len(words), notice)


def vocabulary_files(folder: Location) -> tuple[Location, ...]:
    """Return the files of a folder that may list a model's tokens, best first."""
    return tuple(folder / name for name in _READERS if (folder / name).is_file())


def _numbers(tokens: _Tokens, words: Sequence[str]) -> tuple[int | None, ...]:
    wanted = {start + word for start in _WORD_STARTS.values() for word in words}
    found: dict[str, int] = {}
    marked = Counter(dict.fromkeys(_WORD_STARTS, 0))
    for token, number in tokens:
        if token in wanted:
            found.setdefault(token, number)
        for mark in _WORD_STARTS:
            marked[mark] += token.startswith(mark)
    mark, count = marked.most_common(1)[0]
    if not count:
        raise InputError("they do not show where a word begins")
    numbers = [found.get(_WORD_STARTS[mark] + word) for word in words]
    times = Counter(numbers)
    return tuple(n if n is not None and 0 <= n <= MAX_ELEMENTS and times[n] == 1 else None for n in numbers)


class _Model(msgspec.Struct):
    """The one part of `tokenizer.json` that is wanted: numbered tokens, or for Unigram a list of tokens with their scores."""

    vocab: dict[str, int] | list[tuple[str, float]]


class _Tokenizer(msgspec.Struct):
    model: _Model


msgspec.json.Decoder(_Tokenizer)  # now: msgspec 0.22 may crash where several threads ask for one type for the first time


def _tokenizer_json(path: Location) -> _Tokens:
    vocabulary = _decode(path, _Tokenizer).model.vocab
    if isinstance(vocabulary, dict):
        return vocabulary.items()
    return ((token, number) for number, (token, _) in enumerate(vocabulary))


def _vocab_json(path: Location) -> _Tokens:
    return _decode(path, dict[str, int]).items()


def _vocab_txt(path: Location) -> _Tokens:
    return _numbered(line.removesuffix(b"\r") for line in _read(path).split(b"\n"))


def _sentencepiece(path: Location) -> _Tokens:
    return _numbered(pieces(_read(path)))


def _gguf_tokens(path: Location) -> _Tokens:
    return _numbered(read_strings(source_at(path), "tokenizer.ggml.tokens"))


def _numbered(tokens: Iterable[bytes]) -> Iterator[tuple[str, int]]:
    return ((token.decode("utf-8", "replace"), number) for number, token in enumerate(tokens))


def _decode(path: Location, kind: type[_T]) -> _T:
    """Parse JSON to a type without making values of the rest: a tokenizer's merges would take several times its vocabulary's memory."""
    raw = _read(path)
    if raw.count(b",") > MAX_JSON_VALUES:
        raise InputError(f"it holds more than {MAX_JSON_VALUES} JSON values", where=path)
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.MsgspecError, ValueError) as error:
        raise InputError(f"it lists no tokens in a known way ({quote(error)})", where=path) from error
    except RecursionError as error:
        raise InputError("it is nested too deep", where=path) from error


def _read(path: Location) -> bytes:
    source = source_at(path)
    if source.size > MAX_TOKENIZER_BYTES:
        raise InputError(f"its {source.size} bytes are more than the {MAX_TOKENIZER_BYTES} allowed for such a file", where=path)
    return source.read_at(0, source.size).tobytes()


_READERS: Mapping[str, Callable[[Location], _Tokens]] = {
    "tokenizer.json": _tokenizer_json,
    "vocab.json": _vocab_json,
    "vocab.txt": _vocab_txt,
    "tokenizer.model": _sentencepiece,
}
"""Name of a file beside the weights -> its reader, in order of preference. Not `sentencepiece.bpe.model` and `spiece.model`: the
numbers of XLM-R and Pegasus are not those of the pieces."""
