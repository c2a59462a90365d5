"""The registry's fingerprints as files, each under the BLAKE3 of its bytes: `fingerprints/ab/abcdef….tgfp`."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import blake3

from tensorguard.errors import InputError
from tensorguard.fingerprint.base import Fingerprint
from tensorguard.fingerprint.file import SUFFIX, read_fingerprint
from tensorguard.formats.atomic import cannot_write, replacing, sync_folder
from tensorguard.limits import MAX_FINGERPRINT_BYTES
from tensorguard.sources.local import LocalFile

_DIGEST = re.compile("[0-9a-f]{64}")
_HINT = "see what else is damaged: tensorguard registry verify"


class Files:
    """The fingerprints' folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, digest: str) -> Path:
        """Return where the fingerprint of a digest lies.

        Raises:
            InputError: It is no digest.
        """
        if not _DIGEST.fullmatch(digest):
            raise InputError("an entry's digest is malformed", where=self.folder.parent, hint=_HINT)
        return self.folder / digest[:2] / f"{digest}{SUFFIX}"

    def put(self, raw: bytes, digest: str) -> None:
        """Write a fingerprint's bytes, whole or not at all.

        A file that is there already is written again: it may be damaged, and this is how it is mended.

        Raises:
            ResourceError: It cannot be written.
        """
        path = self.path(digest)
        try:
            if not path.parent.is_dir():
                path.parent.mkdir(parents=True, exist_ok=True)
                sync_folder(self.folder)
        except OSError as error:
            raise cannot_write(path.parent, error) from error
        with replacing(path) as file:
            file.write(raw)

    def get(self, digest: str) -> Fingerprint:
        """Read a fingerprint.

        Raises:
            NotFoundError: It is missing.
            InputError: It is not the one that was stored.
        """
        path = self.path(digest)
        self.require_whole(digest)
        return read_fingerprint(path)

    def require_whole(self, digest: str) -> None:
        """Check a fingerprint's bytes.

        Raises:
            NotFoundError: It is missing.
            InputError: It is not the one that was stored.
        """
        source = LocalFile(self.path(digest))
        whole = (
            source.size <= MAX_FINGERPRINT_BYTES and digest == blake3.blake3(source.read_at(0, source.size).data).hexdigest()
        )
        source.close()
        if not whole:
            raise InputError("is not the fingerprint that was stored", where=source.name, hint=_HINT)

    def discard(self, path: Path) -> bool:
        """Remove a file; returns whether it is gone."""
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
            return True
        return False

    def all(self) -> Iterator[tuple[Path, str]]:
        """Yield every file with the digest that it is named by; an empty one for what a killed writer left half-written."""
        for path in self.folder.glob("??/*"):
            named = path.name.removesuffix(SUFFIX)
            whole = path.name.endswith(SUFFIX) and _DIGEST.fullmatch(named)
            if whole or path.name.endswith(".part"):
                yield path, named if whole else ""
