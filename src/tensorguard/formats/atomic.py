"""Files that appear whole or not at all.

Where the system can (Linux, on most file systems), what is being written has no name until it is whole: however the process ends, nothing
is left of it. Elsewhere it is a hidden file beside the output, `.NAME.MACHINE-N.part`, locked while it is written: the next process that
writes the same output removes what nobody locks, so what a killed one left does not stay.
"""

import contextlib
import errno
import fcntl
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from tensorguard.errors import ResourceError, UsageError
from tensorguard.sources.object_names import object_address

_NAMELESS = getattr(os, "O_TMPFILE", 0)
_DESCRIPTORS = Path("/proc/self/fd")
"""Through which a file without a name gets one."""
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_OPENED = (Path("/dev"), Path("/dev/fd"), _DESCRIPTORS)
_MOST_NAMES = 1_000
_UNSUPPORTED = {errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EISDIR, errno.EPERM, errno.EXDEV}
"""What file systems say that have no nameless files, or cannot name them (open(2), link(2))."""
_REASONS = {
    errno.ENOSPC: ("the disk is full", "free some space and run it again"),
    errno.EDQUOT: ("the disk quota is used up", "free some space and run it again"),
    errno.EFBIG: ("it is larger than the file system allows", "write it to another file system"),
    errno.EROFS: ("the file system is read-only", "write it elsewhere"),
    errno.EACCES: ("permission denied", "check the folder's permissions"),
    errno.EIO: ("the disk reports an error", "look at the system's log, and write it to another disk"),
    errno.ENOENT: ("the folder is not there, or is no longer", "make the folder"),
}


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file that takes the place of `path`, synced to disk, when the block ends well.

    If anything is raised, an interrupt included, or the process is killed, `path` stays as it was. Of several processes that write
    one path at once, each writes a whole file of its own, and the last to end has its place. A device or a pipe is written to as it is.

    Raises:
        UsageError: It is in object storage.
        ResourceError: The folder cannot be written, or the disk is full.
    """
    _require_here(path)
    try:
        if _is_stream(path):
            with path.open("ab") as file:
                yield file
            return
        part = _Part(path)
        with part.file as file:
            try:
                yield file
                file.flush()
                os.fsync(file.fileno())
                part.take_its_place()
            except BaseException:
                part.give_up()
                raise
        sync_folder(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from error


def _is_stream(path: Path) -> bool:
    """Say whether a path is a pipe, a terminal or another device, or a descriptor such as /dev/stdout: none that can be replaced."""
    named = path.parent in _OPENED and path.exists()
    return named or (path.exists() and not path.is_file() and not path.is_dir())


def cannot_write(path: Path, error: OSError) -> ResourceError:
    """Return what to tell a user of an error of the system in writing."""
    reason, hint = _REASONS.get(
        error.errno or 0, (error.strerror or str(error), "check the folder's permissions and free space")
    )
    return ResourceError(f"cannot be written: {reason}", where=path, hint=hint)


def make_folder(path: Path) -> None:
    """Make a folder for output, and those above it; one that is there already is kept.

    Raises:
        UsageError: A file is in its place, or it is in object storage.
        ResourceError: It cannot be made.
    """
    _require_here(path)
    if path.exists() and not path.is_dir():
        raise UsageError("the output is not a folder", where=path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from error


def sync_folder(folder: Path) -> None:
    """Make what was renamed or made in a folder survive a power cut, where the file system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _require_here(path: Path) -> None:
    """Refuse an address in object storage, which would become folders called `s3:` on this machine."""
    address = object_address(path)
    if address is not None:
        hint = "give a file or folder of this machine"
        raise UsageError("only fingerprints and registries are written to object storage", where=address, hint=hint)


class _Part:
    """A file that is being written, without a name where that is possible."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._name: Path | None = None
        descriptor = self._nameless()
        self.file: BinaryIO = os.fdopen(self._named() if descriptor is None else descriptor, "wb")

    def take_its_place(self) -> None:
        """Give the whole file its name; one of that name is replaced at once."""
        if self._name is None:
            try:
                if self._has_linked(self._path):
                    return
                self._name = next(name for name in self._names() if self._has_linked(name))
            except OSError as error:
                if error.errno not in _UNSUPPORTED:
                    raise
                self._copy()
        assert self._name is not None  # noqa: S101 - either way it has one now
        self._name.replace(self._path)
        self._name = None

    def _copy(self) -> None:
        """Copy what has no name to a file that has one, where the file system makes the first kind and then cannot name it."""
        nameless, named, sent = self.file.fileno(), self._named(), 0
        while count := os.sendfile(named, nameless, sent, 1 << 30):
            sent += count
        os.fsync(named)
        os.dup2(named, nameless, inheritable=False)
        os.close(named)

    def give_up(self) -> None:
        """Remove it; one without a name is gone when it is closed."""
        if self._name is not None:
            self._name.unlink(missing_ok=True)

    def _nameless(self) -> int | None:
        if not _NAMELESS or not _DESCRIPTORS.is_dir():
            return None
        try:
            descriptor = os.open(self._path.parent, os.O_RDWR | _NAMELESS | os.O_CLOEXEC, 0o666)
        except OSError as error:
            if error.errno in _UNSUPPORTED:
                return None
            raise
        _lock(descriptor)  # before it gets a name, for the moment between the name and its place
        return descriptor

    def _named(self) -> int:
        while True:
            self._name = next(self._names())
            with contextlib.suppress(FileExistsError):
                descriptor = os.open(self._name, _NEW, 0o666)
                _lock(descriptor)  # waits for who looks whether it is a dead one's
                if os.fstat(descriptor).st_nlink:
                    return descriptor
                os.close(descriptor)  # and who took it for that has removed it

    def _names(self) -> Iterator[Path]:
        """Yield names that nobody has, after removing what dead processes left under them."""
        # Locks may not reach from one machine to another: each has names of its own.
        machine = zlib.crc32(os.uname().nodename.encode())
        stem = os.fsencode(self._path.name)[:100].decode("utf-8", "ignore")
        for number in range(_MOST_NAMES):
            name = self._path.with_name(f".{stem}.{machine:08x}-{number}.part")
            if _is_free(name):
                yield name
        raise OSError(errno.EEXIST, f"all {_MOST_NAMES} names for temporary files are taken or refused")

    def _has_linked(self, name: Path) -> bool:
        """Give a file without a name this one; says whether it has it, and nobody had it before."""
        folder = os.open(name.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            # With a folder given, Python calls linkat with AT_SYMLINK_FOLLOW, as open(2) wants it; without one, plain link.
            os.link(_DESCRIPTORS / str(self.file.fileno()), name.name, dst_dir_fd=folder)
        except FileExistsError:
            return False
        finally:
            os.close(folder)
        return True


def _is_free(name: Path) -> bool:
    """Say whether nothing has a name any more, after removing what a dead process left under it."""
    try:
        descriptor = os.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    except OSError:  # somebody else's, or no file at all
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.path.samestat(os.fstat(descriptor), name.lstat()):
            return False  # somebody was quicker
        name.unlink()
        return True
    except OSError:  # a living process has locked it, or nobody can tell
        return False
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    """Lock a file for as long as this process has it open, where the file system can."""
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX)
