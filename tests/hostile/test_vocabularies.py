"""A vocabulary is context: whatever stands in its file, words are not found, a notice says why, and nothing is raised."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.containers import ARRAY, STRING, U32, array, gguf_bytes, gguf_tensor, pair, save_model, text
from tensorguard.errors import InputError
from tensorguard.formats.opening import open_checkpoint
from tensorguard.formats.sentencepiece import pieces
from tensorguard.formats.vocabulary import TokenNumbers, Vocabulary

WORDS = ("the", "of")
NOTHING = (None, None)


def found(path: Path, content: bytes) -> TokenNumbers:
    path.write_bytes(content)
    return Vocabulary((path,)).find(WORDS)


BAD_JSON = {
    "empty": b"",
    "no JSON": b"{",
    "a list": b"[]",
    "no model": b"{}",
    "no vocabulary": b'{"model": {}}',
    "a model that is a number": b'{"model": 7}',
    "a vocabulary that is text": b'{"model": {"vocab": "the"}}',
    "numbers that are text": b'{"model": {"vocab": {"\xc4\xa0the": "5"}}}',
    "numbers that are lists": b'{"model": {"vocab": {"\xc4\xa0the": [5]}}}',
    "numbers that are true": b'{"model": {"vocab": {"\xc4\xa0the": true}}}',
    "a fraction": b'{"model": {"vocab": {"\xc4\xa0the": 1.5}}}',
    "tokens without scores": b'{"model": {"vocab": [["a"], []]}}',
    "tokens that are numbers": b'{"model": {"vocab": [[1, 2]]}}',
    "an endless number": b'{"model": {"vocab": {"\xc4\xa0the": ' + b"9" * 5000 + b"}}}",
    "not UTF-8": b'{"model": {"vocab": {"\xff": 1, "\xc4\xa0the": 2}}}',
    "deep": b'{"model": {"vocab": ' + b"[" * 100_000,
    "deep beside it": b'{"x": ' + b"[" * 100_000 + b"]" * 100_000 + b', "model": {"vocab": {"\xc4\xa0the": 2}}}',
    "no marks": b'{"model": {"vocab": {"the": 2}}}',
    "nothing": b'{"model": {"vocab": {}}}',
}


@pytest.mark.parametrize("content", BAD_JSON.values(), ids=BAD_JSON)
def test_malformed_tokenizers(tmp_path: Path, content: bytes) -> None:
    result = found(tmp_path / "tokenizer.json", content)
    assert result.numbers == NOTHING
    assert result.notice.startswith("The tokens in 'tokenizer.json' are not used: ")
    assert "\n" not in result.notice
    assert len(result.notice) < 300


@pytest.mark.parametrize("number", [-1, -(2**63), 2**63, 2**64, 10**30])
def test_numbers_that_no_row_has(tmp_path: Path, number: int) -> None:
    content = json.dumps({"model": {"vocab": {"Ġthe": number, "Ġa": 1}}}).encode()
    assert found(tmp_path / "tokenizer.json", content).numbers == NOTHING


def test_one_number_for_two_words_is_neithers(tmp_path: Path) -> None:
    content = json.dumps({"Ġthe": 4, "Ġof": 4, "Ġand": 5}).encode()
    assert found(tmp_path / "vocab.json", content) == TokenNumbers(NOTHING)


def test_numbers_beyond_the_embedding_are_the_callers_business(tmp_path: Path) -> None:
    assert found(tmp_path / "vocab.json", json.dumps({"Ġthe": 10**9}).encode()).numbers == (10**9, None)


@pytest.mark.parametrize("name", ["tokenizer.json", "vocab.json", "vocab.txt", "tokenizer.model"])
def test_a_file_over_the_limit(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tensorguard.formats.vocabulary.MAX_TOKENIZER_BYTES", 10)
    result = found(tmp_path / name, b"##the\nthe\nof\n")
    assert result.numbers == NOTHING
    assert "13 bytes are more than the 10 allowed" in result.notice


def test_too_many_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tensorguard.formats.vocabulary.MAX_JSON_VALUES", 3)
    result = found(tmp_path / "vocab.json", json.dumps({f"Ġ{i}": i for i in range(9)}).encode())
    assert "more than 3 JSON values" in result.notice


def test_the_next_file_is_read_where_the_first_is_malformed(tmp_path: Path) -> None:
    save_model(tmp_path / "model.safetensors")
    (tmp_path / "tokenizer.json").write_text("{")
    (tmp_path / "vocab.txt").write_text("##s\nthe\nof")
    checkpoint = open_checkpoint(tmp_path)
    assert Vocabulary(checkpoint.vocabulary).find(WORDS).numbers == (1, 2)


def test_what_is_no_regular_file_is_not_opened(tmp_path: Path) -> None:
    save_model(tmp_path / "model.safetensors")
    os.mkfifo(tmp_path / "tokenizer.json")
    (tmp_path / "vocab.txt").mkdir()
    (tmp_path / "vocab.json").symlink_to("nowhere")
    assert open_checkpoint(tmp_path).vocabulary == ()


def test_a_file_that_is_gone_when_it_is_read(tmp_path: Path) -> None:
    result = Vocabulary((tmp_path / "tokenizer.json",)).find(WORDS)
    assert result.numbers == NOTHING
    assert "no such file" in result.notice


@pytest.mark.parametrize(
    "tokens",
    [
        array(U32, 2, bytes(8)),
        array(STRING, 0),
        array(STRING, 1, text(b"\xff\xfe")),
        array(STRING, 2, text("Ġa") + b"\xff" * 8),
        array(STRING, 1 << 60, text("Ġthe")),
        array(99, 2, text("Ġthe")),
    ],
    ids=["numbers", "none", "not UTF-8", "a token without end", "too many", "unknown type"],
)
def test_malformed_tokens_in_gguf(tmp_path: Path, tokens: bytes) -> None:
    raw = gguf_bytes([pair("tokenizer.ggml.tokens", ARRAY, tokens)], [gguf_tensor()], 128)
    assert found(tmp_path / "m.gguf", raw).numbers == NOTHING


def test_gguf_tokens_that_are_no_array(tmp_path: Path) -> None:
    raw = gguf_bytes([pair("tokenizer.ggml.tokens", STRING, text("Ġthe"))], [gguf_tensor()], 128)
    assert found(tmp_path / "m.gguf", raw).numbers == NOTHING


@given(st.binary(max_size=200))
def test_any_bytes_are_pieces_or_an_input_error(raw: bytes) -> None:
    try:
        listed = list(pieces(raw))
    except InputError:
        return
    assert sum(map(len, listed)) <= len(raw)


@pytest.mark.parametrize("raw", [b"IQ== 0\nIg== 1\n", b"\x0a\xff\xff\xff\xff\x0f", b"\x80" * 12, b"\x0b"])
def test_what_is_no_sentencepiece_model(tmp_path: Path, raw: bytes) -> None:
    result = found(tmp_path / "tokenizer.model", raw)
    assert result.numbers == NOTHING
    assert result.notice
