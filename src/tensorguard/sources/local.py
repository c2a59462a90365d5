"""Local files, read by `pread`: no shared position, no memory map that a truncated file could turn into a crash."""

import contextlib
import os
import stat
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tensorguard.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from tensorguard.sources.remote import RemotePath


class LocalFile:
    """One regular file, opened on first use in each process. Symbolic links are followed (the hub's cache is made of them).

    Attributes:
        path: Where it is.
        name: The path as given, unless it was called otherwise.
        size: Length in bytes when the file was first seen.
        modified: When it had last been changed when it was first seen, in nanoseconds since 1970.
        inside: Where it belongs, if it is a repository's that its hub's tools downloaded.
    """

    inside: "RemotePath | None" = None

    def __init__(self, path: Path, name: str = "") -> None:
        self.path, self.name = Path(path), name or str(path)
        try:
            status = self.path.stat()
        except OSError as error:
            raise NotFoundError("no such file", where=path) from error
        if not stat.S_ISREG(status.st_mode):
            raise InputError("not a regular file", where=path, hint="give a model file or a folder that holds one")
        self.size, self.modified = status.st_size, status.st_mtime_ns
        self._descriptor: int | None = None
        self._lock = threading.Lock()

    def read_at(self, offset: int, length: int) -> NDArray[np.uint8]:
        """Return exactly `length` bytes from `offset`; see `Source.read_at`."""
        if offset < 0 or length < 0 or offset + length > self.size:
            raise InputError(f"bytes {offset} to {offset + length} lie outside its {self.size} bytes", where=self.path)
        buffer = np.empty(length, np.uint8)
        view, done = buffer.data, 0
        while done < length:
            try:
                read = os.preadv(self._open(), [view[done:]], offset + done)
            except OSError as error:
                hint = "see whether the disk is sound and still there, and run it again"
                raise InputError(
                    f"cannot be read at byte {offset + done} ({error.strerror})", where=self.path, hint=hint
                ) from error
            if read == 0:
                hint = "run it again when nobody writes it"
                raise InputError(
                    f"ended early, at byte {offset + done}: it became shorter while it was read", where=self.path, hint=hint
                )
            done += read
        return buffer

    def announce(self, offset: int, length: int) -> None:
        """Tell the system that a range will be read soon, where it can be told."""
        if hasattr(os, "posix_fadvise"):
            with contextlib.suppress(OSError):
                os.posix_fadvise(self._open(), offset, length, os.POSIX_FADV_WILLNEED)

    def require_unchanged(self) -> None:
        """Check that the file is as it was when it was first seen: else what was read may be some of one and some of another.

        One that was removed or replaced after this process had opened it is all the same read as it was.

        Raises:
            InputError: It was written to, or replaced before it was opened.
        """
        with contextlib.suppress(FileNotFoundError):
            self._require_same(self.path.stat() if self._descriptor is None else os.fstat(self._descriptor))

    def close(self) -> None:
        """Give the descriptor back; the next read opens the file again. Not for a source that another thread is reading."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _open(self) -> int:
        if self._descriptor is None:
            with self._lock:
                if self._descriptor is None:
                    descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
                    try:
                        self._require_same(os.fstat(descriptor))
                    except BaseException:
                        os.close(descriptor)
                        raise
                    self._descriptor = descriptor
        return self._descriptor

    def _require_same(self, status: os.stat_result) -> None:
        # Not the inode: some network file systems number files as they like.
        if (status.st_size, status.st_mtime_ns) != (self.size, self.modified):
            raise InputError("was changed while it was read", where=self.path, hint="run it again when nobody writes it")

    def __getstate__(self) -> tuple[Path, str, int, int]:
        return self.path, self.name, self.size, self.modified

    def __setstate__(self, state: tuple[Path, str, int, int]) -> None:
        self.path, self.name, self.size, self.modified = state
        self._descriptor = None
        self._lock = threading.Lock()

    def __del__(self) -> None:
        if hasattr(self, "_descriptor"):
            self.close()
