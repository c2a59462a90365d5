"""Parsers of one file: JSON, safetensors, GGUF, ZIP, pickles, torch.save, ONNX with what lies beside it."""

import os
import tempfile
from pathlib import Path

from benchmarks.fuzz import mutators, seeds
from benchmarks.fuzz.glimpse import glimpse
from benchmarks.fuzz.harness import Harness, Memory, joined, laid_out

FOLDER = Path(tempfile.gettempdir()) / f"fuzz-{os.getpid()}" / "input"
"""What inputs of several files are laid out in."""


def json_text(data: bytes) -> None:
    """Parse it as a header's or a configuration's text."""
    from tensorguard.formats.json_text import parse_object

    parse_object(data, "the file", "input")


def _json_seeds() -> list[bytes]:
    texts = [raw[8 : 8 + int.from_bytes(raw[:8], "little")] for raw in seeds.safetensors()]
    return [
        *texts,
        *seeds.real(".json"),
        b'{"a": [1, 2.5e3, "\\ud83d\\ude00", {"b": null}], "c": {"d": [true]}}',
        b'{"a": 1, "a": 2}',
    ]


def safetensors(data: bytes) -> None:
    """Read the header, and corners of the tensors."""
    from tensorguard.formats.safetensors import read_safetensors
    from tensorguard.tensors.storage import stored_tensors

    glimpse(stored_tensors(read_safetensors(Memory(data)).tensors), {})


def gguf(data: bytes) -> None:
    """Read the header, the tokens, and corners of the tensors."""
    from tensorguard.formats.gguf import read_gguf, read_strings
    from tensorguard.tensors.storage import stored_tensors

    source = Memory(data)
    header = read_gguf(source)
    list(read_strings(source, "tokenizer.ggml.tokens"))
    glimpse(stored_tensors(header.tensors), header.config)


def archive(data: bytes) -> None:
    """Read a ZIP archive's directory and find its records."""
    from tensorguard.formats.zip_archive import data_offset, read_directory

    source = Memory(data)
    for entry in list(read_directory(source).values())[:50]:
        source.read_at(data_offset(source, entry), entry.size)


def pickle(data: bytes) -> None:
    """Follow a pickle's opcodes."""
    from tensorguard.formats.pickle_machine import read_records

    read_records(data, "input")


def torch_file(data: bytes) -> None:
    """Read a file of torch.save, and corners of its tensors."""
    from tensorguard.formats.pytorch import read_pytorch
    from tensorguard.tensors.storage import stored_tensors

    glimpse(stored_tensors(read_pytorch(Memory(data)).tensors), {})


def onnx(data: bytes) -> None:
    """Open a folder with an ONNX model and files beside it; read corners of its tensors."""
    from tensorguard.formats.opening import open_checkpoint
    from tensorguard.tensors.storage import stored_tensors

    opened = open_checkpoint(laid_out(FOLDER, data) / "model.onnx")
    glimpse(stored_tensors(opened.tensors), opened.config)


def sentencepiece(data: bytes) -> None:
    """Read a SentencePiece model's pieces."""
    from tensorguard.formats.sentencepiece import pieces

    list(pieces(data))


def _pieces() -> list[bytes]:
    made = [b"\x0a\x09\x0a\x02\xe2\x96\x15\0\0\0\0", b"".join(b"\x0a\x05\x0a\x03" + text for text in (b"abc", b"def", b"ghi"))]
    return [*made, *seeds.real(".model")]


HARNESSES = (
    Harness("json", json_text, _json_seeds, mutators.json_text, modules="formats.json_text"),
    Harness("safetensors", safetensors, seeds.safetensors, mutators.safetensors, 16384),
    Harness("gguf", gguf, seeds.gguf, mutators.plain, 16384),
    Harness("zip", archive, seeds.torch_files, mutators.archive, modules="formats.zip_archive"),
    Harness("pickle", pickle, seeds.pickles, mutators.pickle, modules="formats.pickle_machine"),
    Harness("torch", torch_file, seeds.torch_files, mutators.archive),
    Harness("onnx", onnx, lambda: map(joined, seeds.onnx_files()), mutators.files, share=0.15),
    Harness("sentencepiece", sentencepiece, _pieces, mutators.protobuf, modules="formats.sentencepiece"),
)
