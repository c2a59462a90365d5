"""Where results are written to, file by file, each whole or not there at all: a folder, or a prefix in object storage."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

from tensorguard.errors import NotFoundError, UsageError
from tensorguard.fingerprint.base import Fingerprint
from tensorguard.fingerprint.fetched import parse_fingerprint
from tensorguard.fingerprint.file import read_fingerprint
from tensorguard.formats.atomic import make_folder, replacing
from tensorguard.limits import MAX_FINGERPRINT_BYTES
from tensorguard.sources.object_errors import GONE
from tensorguard.sources.object_names import Address, object_address
from tensorguard.sources.object_stores import objects_at
from tensorguard.sources.objects import Objects


class Found(NamedTuple):
    """A file that is there.

    Attributes:
        modified: When it was written, in nanoseconds since 1970.
        notes: What was noted of it when it was written, as far as the place keeps notes.
    """

    modified: int
    notes: Mapping[str, str]


class OutputPlace(Protocol):
    """A place for files."""

    def make(self) -> None:
        """Make it if it is not there."""

    def write(self, name: str, raw: bytes, notes: Mapping[str, str]) -> None:
        """Write a file, or in the place of an earlier one; with notes that `find` returns without reading the file."""

    def find(self, name: str) -> Found | None:
        """Return what is to be known of a file without reading it, or None if it is not there."""

    def read(self, name: str) -> Fingerprint:
        """Read a fingerprint."""


class LocalPlace:
    """A folder; see `OutputPlace`. It keeps no notes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def make(self) -> None:
        """Make the folder.

        Raises:
            UsageError: A file is in its place.
            ResourceError: It cannot be made.
        """
        make_folder(self._folder)

    def write(self, name: str, raw: bytes, notes: Mapping[str, str]) -> None:  # noqa: ARG002
        """Write a file.

        Raises:
            ResourceError: The folder cannot be written, or the disk is full.
        """
        with replacing(self._folder / name) as file:
            file.write(raw)

    def find(self, name: str) -> Found | None:
        """See `OutputPlace.find`."""
        path = self._folder / name
        try:
            if not path.exists():
                next(self._folder.iterdir(), None)  # a network's file system may remember that it was not there
            return Found(path.stat().st_mtime_ns, {})
        except (FileNotFoundError, NotADirectoryError):
            return None

    def read(self, name: str) -> Fingerprint:
        """Read a fingerprint; see `read_fingerprint`."""
        return read_fingerprint(self._folder / name)


class ObjectPlace:
    """A prefix of a bucket; see `OutputPlace`."""

    def __init__(self, address: Address) -> None:
        self._address = address

    def make(self) -> None:
        """Ask for something, so that a bucket that is missing or forbidden is told before there is any work.

        Raises:
            NotFoundError: There is no such bucket, or not for this user.
            UsageError: An object is in the folder's place.
            ResourceError: What reads object storage is not installed.
        """
        above, _, name = self._address.key.rpartition("/")
        if name and _head(objects_at(self._address._replace(key=above)), name) is not None:
            raise UsageError("the output is not a folder", where=self._address)
        self._objects.require_listable()

    def write(self, name: str, raw: bytes, notes: Mapping[str, str]) -> None:
        """Put an object.

        Raises:
            ResourceError: It may not be written.
            NotFoundError: The bucket is gone, or out of reach.
        """
        self._objects.put(name, raw, notes)

    def find(self, name: str) -> Found | None:
        """See `OutputPlace.find`."""
        return _head(self._objects, name)

    def read(self, name: str) -> Fingerprint:
        """Read a fingerprint; see `read_fingerprint`."""
        return parse_fingerprint(self._objects.get(name, MAX_FINGERPRINT_BYTES)[1], f"{self._address}/{name}")

    @property
    def _objects(self) -> Objects:
        return objects_at(self._address)


def output_place(path: Path | str) -> OutputPlace:
    """Return the place that a user means.

    Raises:
        NotFoundError: It begins like an address in object storage, and is none.
    """
    address = object_address(path)
    return LocalPlace(Path(path)) if address is None else ObjectPlace(address)


def _head(objects: Objects, name: str) -> Found | None:
    try:
        listed, notes = objects.head(name)
    except NotFoundError as error:
        if error.message == GONE:
            return None
        raise
    return Found(listed.modified, notes)
