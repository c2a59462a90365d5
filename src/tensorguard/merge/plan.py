"""What a merged file will hold: names, dtypes and shapes in the base's order, and where each tensor's numbers come from."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tensorguard.adapters.applying import adapted
from tensorguard.adapters.base import WholeTensor
from tensorguard.errors import InputError, UsageError, quote
from tensorguard.formats.adapter import AdapterFiles
from tensorguard.formats.base import Checkpoint, TensorInfo
from tensorguard.formats.safetensors import BITS, read_safetensors
from tensorguard.formats.writer import TensorHeader
from tensorguard.sources.base import Source
from tensorguard.sources.local import LocalFile
from tensorguard.sources.prefetching import Span, prefetch
from tensorguard.tensors.base import Stored
from tensorguard.tensors.decoding import FLOATS
from tensorguard.tensors.storage import StoredTensor, stored_tensors

SOURCES = "tensorguard.sources"
"""Metadata entry of a merged file: a digest of what it was made from, so that the same merge is recognised and not done again."""

_SAMPLES = 32
_SAMPLE_BYTES = 1 << 16


@dataclass(frozen=True)
class MergePlan:
    """A merged file before it is written.

    Attributes:
        headers: What is written, in order.
        tensors: Where the numbers come from, in the same order.
        metadata: Free-form text for the header: the first shard's, `format`, and `SOURCES`.
        sources: The files that the numbers come from.
        changed: How many tensors are not copied byte for byte but computed.
        notices: Things a user should know, one sentence each.
    """

    headers: tuple[TensorHeader, ...]
    tensors: tuple[Stored, ...] = field(repr=False)
    metadata: Mapping[str, str]
    sources: tuple[Source, ...]
    changed: int
    notices: tuple[str, ...]

    @property
    def nbytes(self) -> int:
        """Bytes of all tensors together."""
        return sum(header.nbytes for header in self.headers)

    def is_written(self, path: Path) -> bool:
        """Say whether a file is the complete result of this very plan."""
        try:
            found = read_safetensors(LocalFile(path))
        except InputError:
            return False
        same = tuple(TensorHeader(info.name, info.dtype, info.shape) for info in found.tensors) == self.headers
        return same and found.metadata.get(SOURCES) == self.metadata[SOURCES]


def plan_merge(base: Checkpoint, adapter: AdapterFiles | None = None, *, dtype: str | None = None) -> MergePlan:
    """Plan one file from a checkpoint's shards, or from a base and its adapter.

    Args:
        base: The checkpoint.
        adapter: The adapter to apply, or None.
        dtype: What quantised tensors of a GGUF file are decoded to (`F32`, `F16` or `BF16`); None refuses them. Names stay
            GGUF's, tensors of a plain dtype keep it.

    Raises:
        InputError: The adapter cannot be applied exactly, or a tensor has a dtype that safetensors lacks.
        UsageError: `dtype` is none of these.
    """
    if dtype is not None and dtype not in FLOATS:
        raise UsageError(f"{quote(dtype)} is no dtype to decode to", hint="use F32, F16 or BF16")
    tensors: tuple[Stored, ...] = stored_tensors(base.tensors)
    notices = base.notices
    if adapter is not None:
        model = adapted(base, adapter)
        tensors, notices = model.tensors, (*notices, *adapter.notices, *model.notices)
    headers = tuple(TensorHeader(stored.name, _written_dtype(stored, dtype), stored.shape) for stored in tensors)
    changed = sum(source_of(stored, header.dtype) is None for stored, header in zip(tensors, headers, strict=True))
    sources = _digest(headers, base.tensors, adapter)
    read = {id(info.source): info.source for info in (*base.tensors, *(adapter.tensors if adapter else ()))}
    metadata = {"format": "pt", **base.metadata, SOURCES: sources}
    return MergePlan(headers, tensors, metadata, tuple(read.values()), changed, notices)


def source_of(stored: Stored, dtype: str) -> TensorInfo | None:
    """Return the bytes that a tensor is a plain copy of when it is written as `dtype`, or None if it has to be computed."""
    if isinstance(stored, WholeTensor):
        stored = stored.whole
    if not isinstance(stored, StoredTensor) or stored.dtype != dtype or stored.info.transposed:
        return None
    return stored.info


def _written_dtype(stored: Stored, dtype: str | None) -> str:
    if stored.dtype in BITS:
        return stored.dtype
    if dtype is None:
        raise InputError(
            f"tensor {quote(stored.name)} is quantised ({quote(stored.dtype)}), which safetensors cannot hold",
            where=stored.where,
            hint="say what to decode to: --dtype BF16",
        )
    return dtype


def _digest(headers: Iterable[TensorHeader], base: Iterable[TensorInfo], adapter: AdapterFiles | None) -> str:
    """Digest what a merge depends on: the result's header, samples of each of the base's files, all of the adapter."""
    digest = hashlib.blake2b(digest_size=16)
    for header in headers:
        digest.update(repr(tuple(header)).encode("utf-8", "surrogatepass"))
    for source in {info.source.name: info.source for info in base}.values():
        digest.update(source.size.to_bytes(8, "little"))
        length = min(_SAMPLE_BYTES, source.size)
        samples = [Span(source, (source.size - length) * sample // (_SAMPLES - 1), length) for sample in range(_SAMPLES)]
        prefetch(samples)
        for sample in samples:
            digest.update(source.read_at(sample.offset, length).data)
    if adapter is not None:
        digest.update(repr(sorted(adapter.config.items())).encode("utf-8", "surrogatepass"))
        for info in adapter.tensors:
            for start in range(0, info.nbytes, 1 << 24):
                digest.update(info.source.read_at(info.offset + start, min(1 << 24, info.nbytes - start)).data)
    return digest.hexdigest()
