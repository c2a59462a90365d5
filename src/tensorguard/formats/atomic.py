"""Files that appear whole or not at all."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from tensorguard.errors import ResourceError, UsageError


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file beside `path` that takes its place, synced to disk, when the block ends well.

    If anything is raised, an interrupt included, the temporary file is removed and `path` stays as it was.

    Raises:
        ResourceError: The folder cannot be written, or the disk is full.
    """
    temporary = path.parent / f".{path.name[:100]}.{secrets.token_hex(8)}.part"
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)
    except OSError as error:
        hint = "check the folder's permissions and free space"
        raise ResourceError(f"cannot be written ({error.strerror})", where=path, hint=hint) from error


def make_folder(path: Path) -> None:
    """Make a folder for output, and those above it; one that is there already is kept.

    Raises:
        UsageError: A file is in its place.
        ResourceError: It cannot be made.
    """
    if path.exists() and not path.is_dir():
        raise UsageError("the output is not a folder", where=path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResourceError(
            f"the folder cannot be made ({error.strerror})", where=path, hint="give another --output"
        ) from error


def sync_folder(folder: Path) -> None:
    """Make what was renamed or made in a folder survive a power cut, where the file system can."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
