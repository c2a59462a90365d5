"""How fast a folder's files are read: from the disk, and out of the system's cache."""

import contextlib
import errno
import itertools
import os
import stat
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from tensorguard.diagnosis.base import Disk
from tensorguard.diagnosis.clock import timed
from tensorguard.errors import InputError, utf8
from tensorguard.sources.local import LocalFile
from tensorguard.sources.prefetching import Span
from tensorguard.sources.readahead import read_ahead

READ = 2**21
"""Bytes of one read: a tile of bfloat16."""

_LEAST, _MOST = 2**25, 2**29
"""Files with less say nothing; of longer ones no more is read."""
_MADE = 2**27
"""Length of a file that is made for it, where the disk has ten times as much free."""
_LOOKED_AT = 10_000
_ASKED = 64
_PATIENCE = 4
"""A disk so slow that it takes so many times as long is not waited for any more."""
_DESCRIPTORS = Path("/proc/self/fd")
"""Through which a file without a name is opened again."""
_WAITS = (errno.EAGAIN, errno.EWOULDBLOCK)


def measure(place: Path, seconds: float, workers: int) -> Disk:
    """Read a large file of a folder, or one that is made there and removed.

    Args:
        place: A folder, or a file.
        seconds: How long to read from the disk; a quarter of it out of the cache.
        workers: How many threads read.
    """
    folder = place if place.is_dir() else place.parent
    told = (utf8(folder), *_free(folder))
    try:
        file = _largest(place)
        if file is not None:
            return _read(LocalFile(file), utf8(file), *told, seconds, workers)
        if told[1] < 10 * _MADE or not _DESCRIPTORS.is_dir():
            return Disk(told[0], "", 0, None, None, told[1], "not read: no file of 32 MB or more here, and none could be made")
        with _made(folder) as made:
            return _read(LocalFile(made), "", *told, seconds, workers)
    except OSError as error:
        why = error.strerror
    except InputError as error:
        why = error.message
    return Disk(told[0], "", 0, None, None, told[1], f"not read: {why}")


def _free(folder: Path) -> tuple[int]:
    try:
        found = os.statvfs(folder)
    except OSError:
        return (0,)
    return (found.f_bavail * found.f_frsize,)


def _largest(place: Path) -> Path | None:
    """Return the largest file that says something: the one that is meant, or of a folder and the folders in it.

    Links are followed, as the hub's cache is made of them.
    """
    folders = (place, *sorted(each for each in place.iterdir() if each.is_dir())) if place.is_dir() else ()
    found = [] if folders else [(_stored(place), place)]
    for folder in folders:
        with contextlib.suppress(OSError):
            found += [(_stored(path), path) for path in itertools.islice(folder.iterdir(), _LOOKED_AT)]
        if len(found) > _LOOKED_AT:
            break
    size, path = max(found, default=(0, place))
    return path if size >= _LEAST else None


def _stored(path: Path) -> int:
    """Return how many bytes of a file lie on a disk; 0 of what cannot be read or is no file."""
    try:
        status = path.stat()
    except OSError:
        return 0
    readable = stat.S_ISREG(status.st_mode) and os.access(path, os.R_OK)
    return min(status.st_size, 512 * status.st_blocks) if readable else 0


@contextlib.contextmanager
def _made(folder: Path) -> Iterator[Path]:
    """Make a file without a name, which is gone however this process ends, and return through what it can be reached."""
    block = np.random.default_rng(0).bytes(2**20)
    with tempfile.TemporaryFile(dir=folder, prefix=".tensorguard-doctor-") as file:
        for _ in range(_MADE // len(block)):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
        yield _DESCRIPTORS / str(file.fileno())


def _read(source: LocalFile, file: str, folder: str, free: int, seconds: float, workers: int) -> Disk:
    """Read as a fingerprint does, the system told what comes next."""
    length = min(source.size, _MOST)
    offsets = range(0, length - READ + 1, READ) or range(1)

    def span(offset: int) -> Span:
        return Span(source, offset, min(READ, length))

    def piece(offset: int) -> int:
        return len(source.read_at(offset, min(READ, length)))

    dropped = _drop(source.path, length)
    cold = timed(piece, read_ahead(_for(seconds, offsets), span), workers, _PATIENCE * seconds)
    held = offsets[: max(1, cold.units // READ)]
    warm = timed(piece, itertools.cycle(held), workers, seconds / 4)
    notice = "" if dropped else "the cache could not be emptied of it, so the disk's own speed is not known"
    return Disk(folder, file, cold.units, cold.rate if dropped else None, warm.rate, free, notice)


def _for(seconds: float, offsets: Iterable[int]) -> Iterator[int]:
    """Yield offsets for so long; what was announced by then is still to be read, or it would have come for nothing."""
    started = time.perf_counter()
    return itertools.takewhile(lambda _: time.perf_counter() - started < seconds, offsets)


def _drop(path: Path, length: int) -> bool:
    """Drop a file's first bytes from the cache; say whether they are no longer there."""
    if not hasattr(os, "posix_fadvise"):
        return False
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):
            os.fsync(descriptor)  # pages that are not yet written cannot be dropped
        os.posix_fadvise(descriptor, 0, length, os.POSIX_FADV_DONTNEED)
        offsets = range(0, length, max(1, length // _ASKED))
        return 10 * sum(_held(descriptor, offset) for offset in offsets) <= len(offsets)
    finally:
        os.close(descriptor)


def _held(descriptor: int, offset: int) -> bool:
    """Say whether a byte can be read without waiting for a disk; a file system that cannot tell has none."""
    try:
        return bool(os.preadv(descriptor, [bytearray(1)], offset, os.RWF_NOWAIT))
    except OSError as error:
        return error.errno not in _WAITS
