"""A repository on the hub whose shards are made while they are read."""

import hashlib
import json
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from benchmarks.remote.shapes import Shape, Tensor, shards
from benchmarks.remote.tokenizer import tokenizer
from benchmarks.remote.weights import Weights

COMMIT = "0123456789abcdef0123456789abcdef01234567"
_PIECE = 1 << 20


class File(NamedTuple):
    """One file of a listing.

    Attributes:
        size: In bytes.
        linked: Whether it is in large-file storage, behind a redirect.
        tag: What stands for its content's SHA-256.
    """

    size: int
    linked: bool
    tag: str


@dataclass(frozen=True)
class Repository:
    """One model: configuration, tokenizer, index and shards.

    Attributes:
        name: `org/name`.
        shape: What it holds.
        weights: Its numbers.
    """

    name: str
    shape: Shape
    weights: Weights

    @cached_property
    def files(self) -> dict[str, File]:
        """All files by name."""
        small = {name: File(len(body), name == "tokenizer.json", _tag(body)) for name, body in self._small.items()}
        large = {name: File(shard.size, True, _tag(f"{self.name} {name}".encode())) for name, shard in self._shards.items()}
        return small | large

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files.values())

    def read(self, name: str, start: int, stop: int) -> Iterator[bytes]:
        """Yield bytes `start` to `stop` of a file in pieces."""
        if name in self._small:
            yield self._small[name][start:stop]
        else:
            yield from self._shards[name].read(self.weights, start, stop)

    @cached_property
    def _small(self) -> dict[str, bytes]:
        found = {
            "config.json": json.dumps(self.shape.config(), indent=2).encode(),
            "tokenizer.json": tokenizer(self.shape.vocabulary, self.shape.tokenizer_bytes),
        }
        if len(self._shards) > 1:
            held = {tensor.name: name for name, shard in self._shards.items() for tensor in shard.tensors}
            total = sum(tensor.nbytes for tensor in self.shape.tensors())
            index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(held.items()))}
            found["model.safetensors.index.json"] = json.dumps(index, indent=2).encode()
        return found

    @cached_property
    def _shards(self) -> dict[str, "_Shard"]:
        parts = [_Shard(part) for part in shards(self.shape.tensors())]
        if len(parts) == 1:
            return {"model.safetensors": parts[0]}
        return {f"model-{number:05d}-of-{len(parts):05d}.safetensors": part for number, part in enumerate(parts, 1)}


class _Shard:
    """One safetensors file."""

    def __init__(self, tensors: list[Tensor]) -> None:
        self.tensors = tensors
        ends = np.cumsum([tensor.nbytes for tensor in tensors]).tolist()
        offsets = list(zip([0, *ends[:-1]], ends, strict=True))
        fields = {
            tensor.name: {"dtype": "BF16", "shape": tensor.shape, "data_offsets": list(place)}
            for tensor, place in zip(tensors, offsets, strict=True)
        }
        text = json.dumps({"__metadata__": {"format": "pt"}} | fields, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        self._head = len(text).to_bytes(8, "little") + text
        self._starts = [len(self._head) + first for first, _ in offsets]
        self.size = len(self._head) + ends[-1]

    def read(self, weights: Weights, start: int, stop: int) -> Iterator[bytes]:
        if start < len(self._head):
            yield self._head[start:stop]
            start = len(self._head)
        while start < stop:
            number = bisect_right(self._starts, start) - 1
            tensor, origin = self.tensors[number], self._starts[number]
            end = min(stop, origin + tensor.nbytes)
            width = 2 * tensor.columns
            first = (start - origin) // width
            last = min(-(-(end - origin) // width), first + max(1, _PIECE // width))
            made = weights.rows(tensor, np.arange(first, last)).tobytes()
            begin = origin + first * width
            piece = made[start - begin : end - begin]
            yield piece
            start += len(piece)


def _tag(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
