"""Writing safetensors as a stream: the header first, then each tensor in pieces, and the file appears only when it is whole."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tensorguard.errors import InputError, quote
from tensorguard.formats.atomic import replacing
from tensorguard.formats.safetensors import BITS
from tensorguard.limits import MAX_HEADER_BYTES

_ALIGNMENT = 8

Chunk = bytes | bytearray | memoryview | NDArray[Any]
"""Bytes, or an array whose memory in C order is meant."""


class TensorHeader(NamedTuple):
    """A tensor to be written: its name, its safetensors dtype (`BF16`), its shape in C order."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """Bytes its elements take."""
        return BITS[self.dtype] * math.prod(self.shape) // 8


def write_safetensors(
    path: Path,
    tensors: Sequence[TensorHeader],
    blocks: Iterable[Iterable[Chunk]],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write a safetensors file, holding one chunk at a time.

    The header lists the tensors in the order given. Their data lies sorted by element size, largest first and otherwise in that
    order, as the reference writer does it: a reader that maps the file needs every tensor aligned to its elements.

    Args:
        path: The file to make or replace.
        tensors: What will be written.
        blocks: For each tensor in order, the chunks of its little-endian bytes.
        metadata: Free-form text for the header.

    Raises:
        InputError: Two tensors share a name, a dtype is unknown, the header is too large, or the chunks do not add up to what a
            tensor takes.
        ResourceError: The disk is full or the folder cannot be written.
    """
    offsets = _layout(tensors, path)
    header = _header(tensors, offsets, metadata, path)
    with replacing(path) as file:
        file.write(header)
        for tensor, offset, chunks in zip(tensors, offsets, blocks, strict=True):
            file.seek(len(header) + offset)
            _write_tensor(file, tensor, chunks, path)


def _layout(tensors: Sequence[TensorHeader], path: Path) -> list[int]:
    """Return each tensor's first byte, relative to the end of the header."""
    for tensor in tensors:
        if tensor.dtype not in BITS:
            raise InputError(f"tensor {quote(tensor.name)}: safetensors has no dtype {quote(tensor.dtype)}", where=path)
    offsets, reached = [0] * len(tensors), 0
    for index in sorted(range(len(tensors)), key=lambda i: -BITS[tensors[i].dtype]):
        offsets[index] = reached
        reached += tensors[index].nbytes
    return offsets


def _header(tensors: Sequence[TensorHeader], offsets: list[int], metadata: Mapping[str, str] | None, path: Path) -> bytes:
    """Return the length field and the JSON, padded with spaces so that the data begins at a multiple of 8."""
    fields: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    for tensor, begin in zip(tensors, offsets, strict=True):
        if tensor.name in fields or tensor.name == "__metadata__":
            raise InputError(f"two tensors would be called {quote(tensor.name)}", where=path)
        span = [begin, begin + tensor.nbytes]
        fields[tensor.name] = {"dtype": tensor.dtype, "shape": list(tensor.shape), "data_offsets": span}
    text = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    text += b" " * (-len(text) % _ALIGNMENT)
    if len(text) > MAX_HEADER_BYTES:
        raise InputError(f"its header would take {len(text)} bytes, more than the {MAX_HEADER_BYTES} allowed", where=path)
    return len(text).to_bytes(8, "little") + text


def _write_tensor(file: BinaryIO, tensor: TensorHeader, chunks: Iterable[Chunk], path: Path) -> None:
    written = 0
    for chunk in chunks:
        raw = _bytes(chunk)
        written += len(raw)
        if written > tensor.nbytes:
            break
        file.write(raw)
    if written != tensor.nbytes:
        relation = "more than" if written > tensor.nbytes else f"{written} of"
        raise InputError(f"tensor {quote(tensor.name)}: got {relation} the {tensor.nbytes} bytes of its shape", where=path)


def _bytes(chunk: Chunk) -> bytes | bytearray | memoryview:
    if isinstance(chunk, np.ndarray):
        return np.ascontiguousarray(chunk).reshape(-1).view(np.uint8).data
    return chunk
