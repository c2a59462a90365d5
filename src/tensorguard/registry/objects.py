"""The objects that a registry in object storage is made of, and what of them is kept on this machine.

    registry.json                 who it is: made once
    prints/ab/abcdef….tgfp        fingerprints, each under the BLAKE3 of its bytes
    log/TIME-DIGEST.json.gz       changes (`registry.changes`)

A fingerprint is put before the change that names it: a killed writer leaves at most a fingerprint that nothing names.
"""

import contextlib
import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import blake3
import msgspec

from tensorguard.errors import InputError, NotFoundError
from tensorguard.fingerprint.file import SUFFIX
from tensorguard.limits import MAX_CHANGES_BYTES, MAX_CHANGES_OBJECTS, MAX_CONFIG_BYTES, MAX_FINGERPRINT_BYTES
from tensorguard.registry.changes import Dated, unpacked
from tensorguard.registry.files import Files
from tensorguard.sources.object_errors import GONE
from tensorguard.sources.objects import Objects

MARKER = "registry.json"
SCHEMA = "tensorguard/registry-objects/1"
_AT_A_TIME = 8
_DAY = 86_400 * 10**9

Item = TypeVar("Item")
Result = TypeVar("Result")


class _Marker(msgspec.Struct, frozen=True):
    schema: str
    identity: str


msgspec.json.Decoder(_Marker)  # now: msgspec 0.22 may crash where several threads ask for one type for the first time


class Shared:
    """A registry's objects; safe to use from several threads, processes and machines."""

    def __init__(self, objects: Objects) -> None:
        self.objects = objects
        self.where = objects.where

    def identity(self, *, create: bool) -> str:
        """Return what tells this registry from every other that was ever at its place.

        Raises:
            NotFoundError: There is none, and none is to be made.
            InputError: Something else is there, or a newer version's registry.
        """
        if create:
            with contextlib.suppress(NotFoundError):
                return self._identity()
            made = _Marker(SCHEMA, secrets.token_hex(16))
            self.objects.create(MARKER, msgspec.json.encode(made))
        return self._identity()

    def log(self) -> dict[str, int]:
        """Return the objects of changes that are there now: sizes by name."""
        return {each.path: each.size for each in self.objects.list("log", MAX_CHANGES_OBJECTS)}

    def changes(self, name: str) -> list[Dated]:
        """Return what an object of changes holds.

        Raises:
            NotFoundError: It is gone: another holds what it held.
            InputError: It is malformed.
        """
        return unpacked(name, self.objects.get(f"log/{name}", MAX_CHANGES_BYTES)[1])

    def add_changes(self, packs: Iterable[tuple[str, bytes]]) -> dict[str, int]:
        """Put objects of changes, by `changes.packed`; returns their sizes by name. One of the same name has the same bytes."""
        put = list(packs)
        together(lambda pack: self.objects.put(f"log/{pack[0]}", pack[1]), put)
        return {name: len(raw) for name, raw in put}

    def remove_changes(self, names: Iterable[str]) -> None:
        """Remove objects of changes that others hold all of."""
        self.objects.delete(f"log/{name}" for name in names)

    def add_prints(self, prints: Mapping[str, bytes]) -> None:
        """Put fingerprints, by their digests; also those that are there, so that none of them is swept before its change comes."""
        together(lambda item: self.objects.put(_print(item[0]), item[1]), list(prints.items()))

    def sweep_prints(self, is_used: Callable[[str], bool]) -> tuple[int, int]:
        """Remove fingerprints that nothing names and that have been there for a day; returns how many, and their bytes."""
        listed = self.objects.list("prints", MAX_CHANGES_OBJECTS)
        # By the storage's own clock: the newest object is no newer than now.
        late = max((each.modified for each in listed), default=0) - _DAY
        needless = [each for each in listed if each.modified < late and not is_used(Path(each.path).name.removesuffix(SUFFIX))]
        self.objects.delete(f"prints/{each.path}" for each in needless)
        return len(needless), sum(each.size for each in needless)

    def _identity(self) -> str:
        try:
            raw = self.objects.get(MARKER, MAX_CONFIG_BYTES)[1]
        except NotFoundError as error:
            if error.message == GONE:
                error.message, error.where = "there is no registry", self.where
                error.hint = "make one with: tensorguard registry add"
            raise
        try:
            found = msgspec.json.decode(raw, type=_Marker)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise InputError(
                "is not a registry", where=f"{self.where}/{MARKER}", hint="give the prefix of a registry"
            ) from error
        if found.schema != SCHEMA:
            raise InputError("a newer TensorGuard made this registry", where=self.where, hint="update TensorGuard")
        return found.identity


class FetchedFiles(Files):
    """The fingerprints' folder of a mirror: what is missing is fetched when it is wanted."""

    def __init__(self, folder: Path, objects: Objects) -> None:
        super().__init__(folder)
        self._objects = objects

    def require_whole(self, digest: str) -> None:
        """See `Files.require_whole`."""
        try:
            super().require_whole(digest)
        except (NotFoundError, InputError):
            self.fetch(digest)
            super().require_whole(digest)

    def fetch(self, digest: str) -> None:
        """Fetch a fingerprint, with the time at which it was put.

        Raises:
            NotFoundError: It is missing.
            InputError: It is not the one that was stored.
        """
        path = self.path(digest)
        listed, raw = self._objects.get(_print(digest), MAX_FINGERPRINT_BYTES)
        if blake3.blake3(raw).hexdigest() != digest:
            message = "is not the fingerprint that was stored"
            raise InputError(message, where=f"{self._objects.where}/{_print(digest)}", hint="add the model again")
        self.put(raw, digest)
        with contextlib.suppress(OSError):
            os.utime(path, ns=(listed.modified, listed.modified))


def together(work: Callable[[Item], Result], items: list[Item]) -> Iterator[Result]:
    """Do the same with every item, some at a time; all is done when it returns."""
    if len(items) < 2:
        return iter([work(item) for item in items])
    with ThreadPoolExecutor(min(_AT_A_TIME, len(items))) as pool:
        return iter(list(pool.map(work, items)))


def _print(digest: str) -> str:
    return f"prints/{digest[:2]}/{digest}{SUFFIX}"
