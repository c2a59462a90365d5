"""What a user wrote, to where that is: a local path, a model on the hub, or a file on some server."""

import os
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from tensorguard.errors import NotFoundError
from tensorguard.sources.base import Source
from tensorguard.sources.http import HttpFile, open_url
from tensorguard.sources.hub import Name, endpoint, open_repository
from tensorguard.sources.remote import Location, RemotePath

SCHEME = "hf://"
"""Says that a name is one of the hub, whatever lies in the current folder."""

_PART = r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_-])?"
_NAME = re.compile(rf"(?P<repository>{_PART}/{_PART})(?:@(?P<revision>[A-Za-z0-9_][A-Za-z0-9._-]{{0,199}}))?(?:/(?P<path>.+))?")
_PAGE = re.compile(rf"/(?P<repository>{_PART}/{_PART})(?:/(?:tree|blob|resolve)/(?P<revision>[^/]+)(?:/(?P<path>.+))?)?/?")
_LOCAL_SUFFIXES = (".tgfp", ".json", ".safetensors", ".gguf", ".bin", ".pt", ".pth", ".onnx", ".tsv", ".tar")
"""Names of files, which no repository's is meant to be."""


class SingleFile:
    """One file that the user gave the address of, alone in its folder: nothing is looked for beside it. See `Repository`."""

    def __init__(self, file: HttpFile) -> None:
        self._file = file
        self.where, _, self._name = file.name.rpartition("/")
        self.title = PurePosixPath(self._name).stem
        self.files: Mapping[str, int] = {self._name: file.size}

    def place(self) -> RemotePath:
        """Return where it is."""
        return RemotePath(self, PurePosixPath(self._name))

    def source(self, path: str) -> Source:  # noqa: ARG002
        """Return the file."""
        return self._file


def locate(given: Location | str) -> Location:
    """Find what a user names. A local path goes before a name of the hub, and a `Path` is always local.

    Args:
        given: A path; `org/name[@revision][/path]`, which `hf://` may precede; the address of a model's page on the hub, or of a file.

    Raises:
        NotFoundError: A model or file is not on its server, or not for this user. Of a local path nothing is looked at.
        InputError: The server's answers make no sense, or it does not know ranges.
    """
    if not isinstance(given, str):
        return given
    if given.startswith(("https://", "http://")):
        name = _on_hub(given)
        return _single(given) if name is None else open_repository(name)
    name = hub_name(given)
    return Path(given) if name is None else open_repository(name)


def is_remote(given: Location | str) -> bool:
    """Say whether what a user wrote names something on a server; asks none."""
    if not isinstance(given, str):
        return isinstance(given, RemotePath)
    return given.startswith(("https://", "http://")) or hub_name(given) is not None


def hub_name(given: str) -> Name | None:
    """Return the name of a model on the hub, or None where a local path is meant."""
    match = _NAME.fullmatch(given.removeprefix(SCHEME))
    if given.startswith(SCHEME):
        if match is None:
            raise NotFoundError("no name of a model on the hub", where=given, hint="give hf://ORG/NAME[@REVISION][/FILE]")
    elif match is None or os.path.lexists(given) or (not match["path"] and given.endswith(_LOCAL_SUFFIXES)):
        return None
    return Name(match["repository"], match["revision"] or "", (match["path"] or "").strip("/"))


def _on_hub(url: str) -> Name | None:
    """Return the model that a page of the hub is of, or None of any other address."""
    parts = urlsplit(url)
    if not url.startswith(endpoint() + "/"):
        return None
    match = _PAGE.fullmatch(unquote(parts.path))
    if match is None:
        return None
    revision = match["revision"] or ""
    return Name(match["repository"], "" if revision == "main" else revision, match["path"] or "")


def _single(url: str) -> Location:
    return SingleFile(open_url(url)).place()
