"""Objects in object storage (S3 and what speaks its language, Google's, Azure's), by obstore: listed, read by ranges, put whole."""

import contextlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from tensorguard.errors import InputError, NotFoundError
from tensorguard.limits import MAX_FOLDER_ENTRIES
from tensorguard.sources.object_errors import meaning, reason
from tensorguard.sources.retries import Attempts
from tensorguard.sources.traffic import TRAFFIC

if TYPE_CHECKING:
    from obstore import GetOptions
    from obstore.store import ObjectStore

_Result = TypeVar("_Result")
_BATCH = 1_000


@dataclass(frozen=True, slots=True)
class Listed:
    """An object as a listing tells of it.

    Attributes:
        path: Its key below the prefix that was listed.
        size: Its bytes.
        tag: Its ETag, which is another as soon as its bytes are.
        modified: When it was put, in nanoseconds since 1970, by the server's clock.
    """

    path: str
    size: int
    tag: str
    modified: int


class Objects:
    """What lies below a prefix of a bucket; safe to use from several threads. Whatever is put is there whole or not at all."""

    def __init__(self, store: "ObjectStore", where: str, prefix: str = "", rights: str = "") -> None:
        """Describe a place; nothing is asked.

        Args:
            store: The bucket.
            where: What to call the place.
            prefix: What all keys begin with, without slashes around it.
            rights: What to do when something is forbidden.
        """
        self.where = where
        self._store, self._prefix, self._rights = store, prefix, rights

    def list(self, below: str = "", most: int = MAX_FOLDER_ENTRIES) -> list[Listed]:
        """Return what lies in a folder and the folders in it, as it is now.

        Raises:
            NotFoundError: There is no such bucket, it is not for this user to read, or it cannot be reached.
            InputError: There are more objects than `most`, or a key is not one that a path can be made of.
        """
        import obstore

        folder = self._key(below)

        def read() -> list[Listed]:
            found: list[Listed] = []
            for page in obstore.list(self._store, folder or None):
                found += [_listed(each["path"].removeprefix(folder).lstrip("/"), each) for each in page]
                if len(found) > most:
                    hint = "name a folder in it, or give the models a bucket of their own"
                    raise InputError(f"holds more than {most} objects", where=self._named(below), hint=hint)
            return found

        return self._tried(read, below)

    def require_listable(self) -> None:
        """Ask whether the place may be listed, and do not care what is there.

        Raises:
            NotFoundError: There is no such bucket, it is not for this user to read, or it cannot be reached.
        """
        import obstore

        self._tried(lambda: next(iter(obstore.list(self._store, self._prefix or None)), None))

    def head(self, path: str) -> tuple[Listed, Mapping[str, str]]:
        """Return what is to be known of an object without its bytes: what `put` was told to note is there, too.

        Raises:
            NotFoundError: There is none, or it is not for this user to read.
        """
        import obstore

        found = self._tried(lambda: obstore.get(self._store, self._key(path), options={"head": True}), path)
        return _listed(path, found.meta), {str(name): str(value) for name, value in found.attributes.items()}

    def read(self, path: str, start: int, stop: int, tag: str) -> memoryview:
        """Return a range of an object that has this ETag.

        Raises:
            NotFoundError: There is no such object, or it is not for this user to read.
            InputError: It is another object than that, or ends early.
        """
        import obstore

        def get() -> memoryview:
            wanted: GetOptions = {"range": (start, stop)}
            if tag:
                wanted["if_match"] = tag
            return memoryview(obstore.get(self._store, self._key(path), options=wanted).bytes())

        found = self._tried(get, path) if stop > start else memoryview(b"")
        TRAFFIC.received(len(found))
        if len(found) != stop - start:
            raise InputError(f"{len(found)} bytes came, and {stop - start} were asked for", where=self._named(path))
        return found

    def get(self, path: str, most: int) -> tuple[Listed, bytes]:
        """Return an object, all of it.

        Raises:
            NotFoundError: There is no such object, or it is not for this user to read.
            InputError: It is longer than `most` bytes.
        """
        import obstore

        def whole() -> tuple[Listed, bytes]:
            found = obstore.get(self._store, self._key(path))
            if found.meta["size"] > most:
                message = f"{found.meta['size']} bytes are not within the {most} allowed"
                raise InputError(message, where=self._named(path))
            return _listed(path, found.meta), bytes(found.bytes())

        listed, raw = self._tried(whole, path)
        TRAFFIC.opened(self._named(path), len(raw))
        TRAFFIC.received(len(raw))
        return listed, raw

    def put(self, path: str, raw: bytes, notes: Mapping[str, str] | None = None) -> None:
        """Put an object in its place, or in that of an earlier one; with a few short texts to be told by `head`.

        Raises:
            NotFoundError: There is no such bucket.
            ResourceError: It may not be written.
        """
        import obstore

        kept: Any = dict(notes or {})
        self._tried(
            lambda: obstore.put(self._store, self._key(path), raw, attributes=kept, use_multipart=False), path, write=True
        )

    def create(self, path: str, raw: bytes) -> None:
        """Put an object where there is none; one that is there stays as it is.

        Raises:
            NotFoundError: There is no such bucket.
            ResourceError: It may not be written.
        """
        import obstore
        from obstore.exceptions import AlreadyExistsError

        def add() -> None:
            with contextlib.suppress(AlreadyExistsError):
                obstore.put(self._store, self._key(path), raw, mode="create", use_multipart=False)

        self._tried(add, path, write=True)

    def delete(self, paths: Iterable[str]) -> None:
        """Remove objects; those that are gone already are no error.

        Raises:
            ResourceError: It may not be written.
        """
        import obstore

        keys = [self._key(path) for path in paths]
        for at in range(0, len(keys), _BATCH):
            try:
                self._tried(partial(obstore.delete, self._store, keys[at : at + _BATCH]), write=True)
            except NotFoundError:
                continue

    def _key(self, path: str) -> str:
        return "/".join(part for part in (self._prefix, path) if part)

    def _named(self, path: str) -> str:
        return f"{self.where}/{path}" if path else self.where

    def _tried(self, ask: Callable[[], _Result], path: str = "", *, write: bool = False) -> _Result:
        """Ask until there is an answer; what will be the same the next time is raised as one of our errors."""
        from obstore.exceptions import BaseError

        attempts = Attempts(self._named(path))
        while True:
            try:
                return ask()
            except (BaseError, OSError, ValueError) as error:
                failure = meaning(error, self._named(path), self._rights, write=write)
                if failure is not None:
                    raise failure from error
                attempts.again(f"the storage cannot be reached ({reason(error)})")


def _listed(path: str, meta: Any) -> Listed:
    put: datetime = meta["last_modified"]
    return Listed(path, int(meta["size"]), str(meta["e_tag"] or ""), int(put.timestamp()) * 10**9)
