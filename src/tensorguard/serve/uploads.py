"""Fingerprints that are sent to us: written to a file as they come, counted, and read as any file of a stranger's."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from starlette.requests import ClientDisconnect, Request

from tensorguard.api.models import file_stem
from tensorguard.errors import TensorGuardError
from tensorguard.fingerprint.file import SUFFIX
from tensorguard.limits import MAX_FINGERPRINT_BYTES
from tensorguard.serve.problems import RefusedError

MAX_UPLOAD = MAX_FINGERPRINT_BYTES
CHUNK_SECONDS, WHOLE_SECONDS = 20.0, 900.0
"""How long a piece may take to come, and all of it."""
AT_ONCE = 4
MEDIA_TYPE = "application/octet-stream"
RAW = {"requestBody": {"required": True, "content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}}}
"""How OpenAPI describes such a body."""


class Uploads:
    """A folder of our own for uploads that are being read."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="tensorguard-serve-", ignore_cleanup_errors=True)
        self._coming = 0

    async def receive(self, request: Request, name: str) -> tuple[Path, contextlib.ExitStack]:
        """Write the body of a request to a file `NAME.tgfp`.

        Returns:
            The file, and what removes it.

        Raises:
            RefusedError: It is too long, too slow, or no raw bytes; or too many come at once.
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
        with contextlib.ExitStack() as undo:
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
