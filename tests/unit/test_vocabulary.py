"""The numbers of words, against the libraries that made the vocabularies."""

import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers.utils import sentencepiece_model_pb2_new as sentencepiece

from support.adapters import write_adapter, write_base
from support.containers import (
    ARRAY,
    STRING,
    U32,
    array,
    gguf_bytes,
    gguf_tensor,
    pair,
    save_model,
    save_sharded,
    text,
)
from tensorguard.api.models import open_model
from tensorguard.formats.vocabulary import TokenNumbers, Vocabulary

WORDS = ("the", "of", "and", "word", "zebra")
TEXTS = ["the word of the other and the word", "and the words of this world, other words and the rest of them"] * 20


def trained(kind: str) -> tuple[Tokenizer, str]:
    """A small tokenizer of this kind, and how it marks where a word begins."""
    special = ["<unk>"]
    if kind == "byte-level":
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
        tokenizer.decoder = decoders.ByteLevel()
        tokenizer.train_from_iterator(TEXTS, trainers.BpeTrainer(vocab_size=320, special_tokens=special, show_progress=False))
        return tokenizer, "Ġ"
    if kind == "wordpiece":
        tokenizer = Tokenizer(models.WordPiece(unk_token="<unk>"))
        tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
        trainer = trainers.WordPieceTrainer(vocab_size=100, special_tokens=special, show_progress=False)
        tokenizer.train_from_iterator(TEXTS, trainer)
        return tokenizer, ""
    tokenizer = Tokenizer(models.Unigram() if kind == "unigram" else models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = (
        trainers.UnigramTrainer(vocab_size=60, special_tokens=special, unk_token="<unk>", show_progress=False)
        if kind == "unigram"
        else trainers.BpeTrainer(vocab_size=100, special_tokens=special, show_progress=False)
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    return tokenizer, "▁"


@pytest.mark.parametrize("kind", ["byte-level", "wordpiece", "unigram", "metaspace"])
def test_every_kind_of_tokenizer_file(kind: str, tmp_path: Path) -> None:
    tokenizer, mark = trained(kind)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    expected = tuple(tokenizer.token_to_id(mark + word) for word in WORDS)
    assert Vocabulary((tmp_path / "tokenizer.json",)).find(WORDS) == TokenNumbers(expected)
    assert expected[0] is not None
    assert expected[-1] is None


def test_the_files_of_older_tokenizers(tmp_path: Path) -> None:
    tokenizer, _ = trained("byte-level")
    merges, vocabulary = tmp_path / "merges.txt", tmp_path / "vocab.json"
    tokenizer.model.save(str(tmp_path))
    assert merges.exists()
    expected = tuple(tokenizer.token_to_id("Ġ" + word) for word in WORDS)
    assert Vocabulary((vocabulary,)).find(WORDS).numbers == expected
    vocabulary.write_text(json.dumps(tokenizer.get_vocab()))  # as Python writes it: "\u0120the"
    assert b"u0120the" in vocabulary.read_bytes()
    assert Vocabulary((vocabulary,)).find(WORDS).numbers == expected


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_list_of_word_pieces(tmp_path: Path, newline: str) -> None:
    (tmp_path / "vocab.txt").write_text(newline.join(["[PAD]", "##the", "the", "##s", "of", "Ġand"]) + newline, newline="")
    assert Vocabulary((tmp_path / "vocab.txt",)).find(WORDS).numbers == (2, 4, None, None, None)


def test_a_sentencepiece_model(tmp_path: Path) -> None:
    message = sentencepiece.ModelProto()
    for piece, kind in (("<unk>", 2), ("<0x0A>", 6), ("▁the", 1), ("the", 1), ("▁of", 1), ("▁" + "x" * 300, 1), ("▁word", 4)):
        message.pieces.add(piece=piece, score=-1.5, type=kind)
    message.trainer_spec.vocab_size = 32_000
    message.trainer_spec.model_type = 2
    message.normalizer_spec.precompiled_charsmap = bytes(range(256))
    (tmp_path / "tokenizer.model").write_bytes(message.SerializeToString())
    assert Vocabulary((tmp_path / "tokenizer.model",)).find(WORDS).numbers == (2, 4, None, 6, None)


def gguf_with(tokens: list[str]) -> bytes:
    listed = array(STRING, len(tokens), b"".join(text(token) for token in tokens))
    return gguf_bytes(
        [
            pair("general.architecture", STRING, text("llama")),
            pair("tokenizer.ggml.scores", ARRAY, array(U32, 2000, bytes(8000))),
            pair("tokenizer.ggml.merges", ARRAY, array(STRING, 1, text("Ġ the"))),
            pair("tokenizer.ggml.tokens", ARRAY, listed),
            pair("tokenizer.ggml.bos_token_id", U32, bytes(4)),
        ],
        [gguf_tensor()],
        128,
    )


@pytest.mark.parametrize("length", [10, 3000])
def test_a_gguf_file_has_its_own(tmp_path: Path, length: int) -> None:
    path = tmp_path / "tiny.gguf"
    path.write_bytes(gguf_with(["the", "Ġthe", "Ġof", *(f"Ġx{i}" for i in range(length)), "Ġword"]))
    (tmp_path / "tokenizer.json").write_text('{"model": {"vocab": {"Ġthe": 77}}}')
    assert open_model(path).vocabulary.find(WORDS).numbers == (1, 2, None, length + 3, None)
    assert open_model(path).view().parameters == 32


def test_a_gguf_file_in_shards_has_it_in_the_first(tmp_path: Path) -> None:
    (tmp_path / "m-00001-of-00002.gguf").write_bytes(gguf_with(["Ġthe"]))
    (tmp_path / "m-00002-of-00002.gguf").write_bytes(gguf_bytes([], [gguf_tensor("u")], 128))
    assert open_model(tmp_path / "m-00002-of-00002.gguf").vocabulary.find(["the"]).numbers == (0,)


def tokenizer_json(folder: Path, **tokens: int) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "tokenizer.json").write_text(json.dumps({"version": "1.0", "model": {"type": "BPE", "vocab": tokens}}))


def test_it_lies_beside_the_weights(tmp_path: Path) -> None:
    single, sharded = tmp_path / "single", tmp_path / "sharded"
    save_model(single / "model.safetensors")
    for folder in (single, sharded):
        tokenizer_json(folder, Ġthe=5)
    shards = save_sharded(sharded)
    for path in (single, single / "model.safetensors", sharded, shards[1]):
        assert open_model(path).vocabulary.find(["the", "of"]).numbers == (5, None)


def test_an_adapter_has_the_vocabulary_of_its_base(tmp_path: Path) -> None:
    write_base(tmp_path / "base")
    tokenizer_json(tmp_path / "base", Ġthe=5)
    write_adapter(tmp_path / "adapter")
    tokenizer_json(tmp_path / "adapter", Ġthe=6)
    opened = open_model(tmp_path / "adapter", base=tmp_path / "base")
    assert opened.vocabulary.find(["the"]).numbers == (5,)


def test_a_model_without_a_tokenizer(tmp_path: Path) -> None:
    vocabulary = open_model(save_model(tmp_path / "model.safetensors")).vocabulary
    assert vocabulary.files == ()
    assert vocabulary.find(WORDS) == TokenNumbers((None,) * 5)


def test_a_vocabulary_is_read_by_the_mark_it_uses_most(tmp_path: Path) -> None:
    path = tmp_path / "vocab.json"
    path.write_text(json.dumps({"the": 0, "Ġthe": 1, "▁the": 2, "Ġof": 3, "##": 4, "####": 5, "Ġx": 6}))
    assert Vocabulary((path,)).find(["the"]).numbers == (1,)
    path.write_text(json.dumps({"the": 0, "Ġthe": 1, "▁the": 2, "Ġof": 3, "▁x": 4, "▁y": 5}))
    assert Vocabulary((path,)).find(["the"]).numbers == (2,)
