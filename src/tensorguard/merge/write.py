"""One unified safetensors file from shards, or from a base and its adapter, written as a stream of blocks."""

import contextlib
import itertools
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tensorguard.adapters.opening import open_base_and_adapter
from tensorguard.errors import ResourceError, UsageError
from tensorguard.formats.adapter import AdapterFiles
from tensorguard.formats.base import Checkpoint
from tensorguard.formats.writer import Chunk, TensorHeader, write_safetensors
from tensorguard.merge.plan import MergePlan, plan_merge, source_of
from tensorguard.progress import Progress, Silent
from tensorguard.sources.base import Source
from tensorguard.sources.local import LocalFile
from tensorguard.sources.prefetching import Span, in_order
from tensorguard.sources.remote import Location
from tensorguard.tensors.base import Stored, extent
from tensorguard.tensors.encoding import encode

_SUFFIX = ".safetensors"
_COPIED_BYTES = 1 << 22
_COMPUTED_ELEMENTS = 1 << 20
"""Small enough that the memory of a block is used again for the next one, which is twice as fast as getting it anew."""


@dataclass(frozen=True)
class MergeResult:
    """What was merged.

    Attributes:
        output: The file.
        tensors: How many tensors it holds.
        changed: How many of them were computed; the others are copies byte for byte.
        nbytes: Bytes of all tensors.
        skipped: It was there already, complete and from the same sources.
        notices: Things a user should know, one sentence each.
    """

    output: Path
    tensors: int
    changed: int
    nbytes: int
    skipped: bool
    notices: tuple[str, ...]


def merge(
    model: Location,
    output: Path,
    *,
    base: Location | None = None,
    search: Sequence[Path] = (),
    dtype: str | None = None,
    force: bool = False,
    progress: Progress | None = None,
) -> MergeResult:
    """Write a model as one safetensors file: its shards joined, or an adapter merged into its base.

    Tensors keep their order, names and dtypes. Those that an adapter changes are computed in float32 and rounded to the stored
    dtype, to nearest with ties to even; all others are copied byte for byte. The file appears only when it is whole.

    Args:
        model: A checkpoint or an adapter, here or on a server.
        output: The file to write; its name ends in `.safetensors`.
        base: The adapter's base; else it is looked for in `search`.
        search: Folders that may hold the base; see `find_base`.
        dtype: What quantised tensors of a GGUF file are decoded to; see `plan_merge`.
        force: Write even if the output is there.
        progress: Told of the bytes written, as one task named after the model.

    Raises:
        InputError: A file is malformed, or the adapter cannot be applied exactly.
        NotFoundError: The model or the base is not there.
        ResourceError: The disk is full or the folder cannot be written.
        UsageError: The output lies among the inputs, exists and is something else, or has another suffix; or a base was given
            for a model that is no adapter.
    """
    checkpoint, adapter = open_base_and_adapter(model, base=base, search=search)
    _check_output(output, checkpoint, adapter)
    plan = plan_merge(checkpoint, adapter, dtype=dtype)
    skipped = output.exists() and not force
    if skipped and not plan.is_written(output):
        raise UsageError("exists and is not the result of this merge", where=output, hint="give another name, or --force")
    if not skipped:
        _require_room(plan.nbytes, output)
        _write(plan, output, adapter.name if adapter else checkpoint.name, progress or Silent())
    return MergeResult(output, len(plan.headers), plan.changed, plan.nbytes, skipped, plan.notices)


def _check_output(output: Path, checkpoint: Checkpoint, adapter: AdapterFiles | None) -> None:
    if output.suffix != _SUFFIX:
        raise UsageError(f"the output is a safetensors file, so its name must end in {_SUFFIX}", where=output)
    if output.is_dir():
        raise UsageError("the output is a folder", where=output, hint="give the path of the file to write")
    target = output.resolve()
    tensors = (*checkpoint.tensors, *(adapter.tensors if adapter else ()))
    files = {info.source.path.resolve() for info in tensors if isinstance(info.source, LocalFile)}
    folders = [Path(opened.location).resolve() for opened in (checkpoint, adapter) if opened is not None]
    if target in files or any(target.is_relative_to(folder) for folder in folders):
        raise UsageError("the output lies among the inputs", where=output, hint="write it to another folder")


def _require_room(nbytes: int, output: Path) -> None:
    """Refuse before hours of work what does not fit on the disk."""
    try:
        free = shutil.disk_usage(output.parent).free
    except OSError:
        return
    if 0 < free < nbytes:
        message = f"the disk is too full: the result takes {nbytes:,} bytes, {free:,} are free"
        raise ResourceError(message, where=output, hint="free some space, or write it to another disk")


def _write(plan: MergePlan, output: Path, name: str, progress: Progress) -> None:
    progress.start(name, plan.nbytes, "bytes")
    planned = list(zip(plan.tensors, plan.headers, strict=True))
    try:
        with contextlib.closing(in_order(span for stored, header in planned for span in _copied(stored, header))) as copies:
            blocks = (_chunks(stored, header, copies, name, progress) for stored, header in planned)
            write_safetensors(output, plan.headers, itertools.chain(blocks, _unchanged(plan.sources)), plan.metadata)
    finally:
        progress.finish(name)


def _unchanged(sources: Sequence[Source]) -> Iterator[Iterable[Chunk]]:
    """Yield nothing, after all has been read and before the result gets its name, if the files that it was read from are as they were."""
    for source in sources:
        if isinstance(source, LocalFile):
            source.require_unchanged()
    yield from ()


def _copied(stored: Stored, header: TensorHeader) -> Iterator[Span]:
    """Yield the pieces of a tensor that is copied byte for byte."""
    info = source_of(stored, header.dtype)
    if info is not None:
        for start in range(0, info.nbytes, _COPIED_BYTES):
            yield Span(info.source, info.offset + start, min(_COPIED_BYTES, info.nbytes - start))


def _chunks(
    stored: Stored, header: TensorHeader, copies: Iterator[NDArray[np.uint8]], task: str, progress: Progress
) -> Iterator[Chunk]:
    """Yield a tensor's bytes: of one that is copied, as many pieces of `copies` as it has."""
    if source_of(stored, header.dtype) is not None:
        for _ in _copied(stored, header):
            piece = next(copies)
            yield piece
            progress.advance(task, len(piece))
        return
    for rows, columns in _blocks(stored):
        encoded = encode(stored.read(rows, columns), header.dtype)
        yield encoded
        progress.advance(task, encoded.nbytes)


def _blocks(stored: Stored) -> Iterator[tuple[slice, slice]]:
    """Cut a tensor into blocks of whole rows; a row that is longer than a block into pieces."""
    height, width = extent(stored)
    step, piece = max(1, _COMPUTED_ELEMENTS // max(1, width)), max(1, min(width, _COMPUTED_ELEMENTS))
    for row in range(0, height if width else 0, step):
        for column in range(0, width, piece):
            yield slice(row, min(row + step, height)), slice(column, min(column + piece, width))
