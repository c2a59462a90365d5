"""A model's files: how large, and what of them is tensors."""

from collections.abc import Sequence

from tensorguard.formats.base import TensorInfo
from tensorguard.inspection.base import File
from tensorguard.sources.base import Source


def files(tensors: Sequence[TensorInfo]) -> tuple[File, ...]:
    """Return the files that hold tensors, in the order in which these are listed."""
    sources: dict[int, Source] = {}
    held: dict[int, list[TensorInfo]] = {}
    for info in tensors:
        sources.setdefault(id(info.source), info.source)
        held.setdefault(id(info.source), []).append(info)
    return tuple(
        File(
            name=source.name.replace("\\", "/").rpartition("/")[2],
            bytes=source.size,
            tensors=len(held[key]),
            tensor_bytes=min(source.size, covered(held[key])),
        )
        for key, source in sources.items()
    )


def covered(tensors: Sequence[TensorInfo]) -> int:
    """Return how many bytes tensors take, counting once what several share; all are of one file."""
    end = total = 0
    for start, stop in sorted((info.offset, info.offset + info.nbytes) for info in tensors):
        total += max(0, stop - max(start, end))
        end = max(end, stop)
    return total
