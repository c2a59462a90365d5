"""Fingerprints that are sent to us: written to a file as they come, counted, and read as any file of a stranger's."""

import asyncio
import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from starlette.requests import ClientDisconnect, Request

from tensorguard.api.models import file_stem
from tensorguard.errors import ResourceError, TensorGuardError
from tensorguard.fingerprint.file import SUFFIX
from tensorguard.formats.atomic import cannot_write
from tensorguard.limits import MAX_FINGERPRINT_BYTES
from tensorguard.serve.problems import RefusedError

MAX_UPLOAD = MAX_FINGERPRINT_BYTES
CHUNK_SECONDS, WHOLE_SECONDS = 20.0, 900.0
"""How long a piece may take to come, and all of it."""
AT_ONCE = 4
_PREFIX = "tensorguard-serve-"
_UNLOCKED_SECONDS = 60
"""Within which a folder that was made is locked."""
MEDIA_TYPE = "application/octet-stream"
RAW = {"requestBody": {"required": True, "content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}}}
"""How OpenAPI describes such a body."""


class Uploads:
    """A folder of our own for uploads that are being read."""

    def __init__(self) -> None:
        _remove_left_over()
        self._folder = tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True)
        self._lock = os.open(self._folder.name, os.O_RDONLY | os.O_CLOEXEC)
        fcntl.flock(self._lock, fcntl.LOCK_SH)
        self._coming = 0

    async def receive(self, request: Request, name: str) -> tuple[Path, contextlib.ExitStack]:
        """Write the body of a request to a file `NAME.tgfp`.

        Returns:
            The file, and what removes it.

        Raises:
            RefusedError: It is too long, too slow, or no raw bytes; or too many come at once.
            ResourceError: The disk is full.
        """
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != MEDIA_TYPE:
            raise RefusedError(
                415, f"the body has to be raw bytes of the type {MEDIA_TYPE}", hint="curl: --data-binary @FILE.tgfp"
            )
        if int(request.headers.get("content-length", "0")) > MAX_UPLOAD:
            raise _too_long()
        if self._coming >= AT_ONCE:
            raise RefusedError(429, "too many files are coming in at once", hint="send them one after the other", wait=5)
        self._coming += 1
        with contextlib.ExitStack() as undo, _room():
            try:
                folder = undo.enter_context(tempfile.TemporaryDirectory(dir=self._folder.name, ignore_cleanup_errors=True))
                path = Path(folder) / f"{file_stem(name.removesuffix(SUFFIX))}{SUFFIX}"
                await _write(request.stream(), path)
            finally:
                self._coming -= 1
            return path, undo.pop_all()

    def close(self) -> None:
        """Remove all of it."""
        self._folder.cleanup()
        os.close(self._lock)


def _remove_left_over() -> None:
    """Remove the folders of servers that were killed: of this user, locked by nobody, and not made just now."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                status = os.fstat(lock)
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if status.st_uid == os.geteuid() and abs(time.time() - status.st_mtime) > _UNLOCKED_SECONDS:
                    shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)


@contextlib.contextmanager
def _room() -> Iterator[None]:
    """Tell a full disk of ours as one, and nothing of where it is."""
    try:
        yield
    except OSError as error:
        told = cannot_write(Path(), error)
        raise ResourceError(f"what was sent {told.message}", hint=told.hint) from error


async def _write(stream: AsyncIterator[bytes], path: Path) -> None:
    size = 0
    try:
        async with asyncio.timeout(WHOLE_SECONDS):
            with path.open("xb") as file:
                while True:
                    async with asyncio.timeout(CHUNK_SECONDS):
                        chunk = await anext(stream, None)
                    if chunk is None:
                        return
                    size += len(chunk)
                    if size > MAX_UPLOAD:
                        raise _too_long()
                    await asyncio.to_thread(file.write, chunk)
    except TimeoutError as error:
        raise RefusedError(408, "the file came too slowly") from error
    except ClientDisconnect as error:
        raise RefusedError(400, "the file ended early") from error


def _too_long() -> RefusedError:
    return RefusedError(413, f"a fingerprint is at most {MAX_UPLOAD} bytes long", hint="send a .tgfp, not the model")


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Let errors name an uploaded file by its own name, not by where it lies for a while."""
    try:
        yield
    except TensorGuardError as error:
        if error.where.startswith(str(path.parent)):
            error.where = path.name
        raise
