"""Models in object storage: listed once, read by ranges, each object only as it was when it was listed."""

import functools
import os
import threading
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from tensorguard.errors import NotFoundError
from tensorguard.limits import MAX_NAME_BYTES
from tensorguard.sources.base import Source
from tensorguard.sources.object_names import Address
from tensorguard.sources.object_stores import objects_at
from tensorguard.sources.objects import Listed
from tensorguard.sources.ranges import RangedFile
from tensorguard.sources.remote import RemotePath
from tensorguard.sources.traffic import TRAFFIC


class ObjectFile(RangedFile):
    """An object, held to its ETag: one that is replaced while it is read is an error, never a mixture."""

    def __init__(self, address: Address, path: str, listed: Listed) -> None:
        self._address, self._path, self._tag = address, path, listed.tag
        super().__init__(f"{address}/{path}", listed.size, listed.modified)

    def _fetch(self, start: int, stop: int) -> NDArray[np.uint8]:
        TRAFFIC.opened(self.name, self.size)
        return np.frombuffer(objects_at(self._address).read(self._path, start, stop, self._tag), np.uint8)


class ObjectFolder:
    """What lies below a prefix; see `Repository`. Its names are below that prefix, and lead nowhere else."""

    repository = commit = ""

    def __init__(self, address: Address, listed: list[Listed]) -> None:
        self.where, self.title = str(address), address.key.rpartition("/")[2] or address.bucket
        self._address = address
        self._listed = {each.path: each for each in listed if _is_file(each)}
        self._sources: dict[str, Source] = {}
        self._lock = threading.Lock()
        self.files = {path: each.size for path, each in self._listed.items()}

    def source(self, path: str) -> Source:
        """Return one of the objects, without reading it."""
        with self._lock:
            if path not in self._sources:
                found = ObjectFile(self._address, path, self._listed[path])
                found.inside = RemotePath(self, PurePosixPath(path))
                self._sources[path] = found
            return self._sources[path]


def open_objects(address: Address) -> RemotePath:
    """Find a folder, or a file and what lies beside it.

    Raises:
        NotFoundError: Nothing is there, it is not for this user to read, or the storage cannot be reached.
        InputError: It holds too much, or keys that are no paths.
        ResourceError: obstore is not installed.
    """
    return _opened(address, os.getpid())


@functools.lru_cache(maxsize=1024)
def _opened(address: Address, _process: int) -> RemotePath:
    above, _, name = address.key.rpartition("/")
    folder = address._replace(key=above)
    try:
        listed = objects_at(address).list()
    except NotFoundError as error:
        alone = _head(address, error)  # who may read an object may not always list what lies around it
        return RemotePath(ObjectFolder(folder, [alone]), PurePosixPath(name))
    if listed or not name:
        return RemotePath(ObjectFolder(address, listed))
    _head(address, NotFoundError("no such object, and none below it", where=address, hint="check the name"))
    beside = [each for each in objects_at(folder).list() if "/" not in each.path]
    return RemotePath(ObjectFolder(folder, beside), PurePosixPath(name))


def _head(address: Address, otherwise: NotFoundError) -> Listed:
    """Return an object that is to be there, or raise something else."""
    above, _, name = address.key.rpartition("/")
    if not name:
        raise otherwise
    try:
        return objects_at(address._replace(key=above)).head(name)[0]
    except NotFoundError as error:
        raise otherwise from error


def _is_file(each: Listed) -> bool:
    """Say whether a listing means a file that a model may have; keys that end in a slash are how some tools make folders."""
    path = each.path
    if not 0 < len(path.encode("utf-8", "surrogatepass")) <= MAX_NAME_BYTES or not path.isprintable() or "\\" in path:
        return False
    return str(PurePosixPath(path)) == path and not path.startswith("/") and ".." not in path.split("/")
