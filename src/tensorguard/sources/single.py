"""One file on any server, alone in its folder: nothing is looked for beside it."""

import functools
from collections.abc import Mapping
from pathlib import PurePosixPath

from tensorguard.errors import InputError
from tensorguard.sources.base import Source
from tensorguard.sources.http import HttpFile
from tensorguard.sources.network import origin
from tensorguard.sources.remote import RemotePath


class SingleFile:
    """A folder that holds one file; see `Repository`."""

    repository = commit = ""

    def __init__(self, file: HttpFile) -> None:
        self._file = file
        self.where, _, self.title = file.name.rpartition("/")
        self.files: Mapping[str, int] = {self.title: file.size}

    def source(self, path: str) -> Source:  # noqa: ARG002
        """Return the file."""
        return self._file


@functools.lru_cache(maxsize=64)
def open_url(url: str) -> RemotePath:
    """Return the place of a file that the user gave the address of; of its server no more is asked than of its first bytes.

    Raises:
        NotFoundError: It is not there.
        InputError: It is no address of a file, or its server does not know ranges.
    """
    found = SingleFile(HttpFile(url, origin(url)))
    if not found.title:
        raise InputError("no address of a file", where=found.where, hint="give https://HOST/PATH/FILE")
    return RemotePath(found, PurePosixPath(found.title))
