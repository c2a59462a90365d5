"""Repositories of models on the hub (huggingface.co, or the server that HF_ENDPOINT names): listed once, read by ranges.

The listing is of one commit, and files are read from that commit, whatever is pushed meanwhile. What the hub's own tools have downloaded
is read from their cache. API: https://huggingface.co/docs/hub/api, https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables.
"""

import functools
import json
import os
import re
import threading
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import quote as quoted

from tensorguard.errors import InputError, NotFoundError
from tensorguard.limits import MAX_FOLDER_ENTRIES, MAX_JSON_BYTES, MAX_JSON_VALUES, MAX_NAME_BYTES
from tensorguard.sources.base import Source
from tensorguard.sources.exchange import BROKEN, Reply, SlowError, get, refused
from tensorguard.sources.http import HttpFile
from tensorguard.sources.local import LocalFile
from tensorguard.sources.names import Name, endpoint
from tensorguard.sources.network import Origin, origin
from tensorguard.sources.remote import Location, RemotePath
from tensorguard.sources.retries import Attempts
from tensorguard.sources.traffic import TRAFFIC

_COMMIT = re.compile("[0-9a-f]{40,64}")
_TRUE = frozenset({"1", "on", "yes", "true"})
_LATER = (408, 425, 429, 500, 502, 503, 504)


class _File(NamedTuple):
    size: int
    linked: str


class HubRepository:
    """One commit of a repository; see `Repository`."""

    def __init__(self, endpoint: str, name: Name, commit: str, modified: int, listed: Mapping[str, _File]) -> None:
        self.repository, self.commit = name.repository, commit
        self._endpoint, self._revision, self._modified, self._listed = endpoint, name.revision, modified, listed
        self._sources: dict[str, Source] = {}
        self._lock = threading.Lock()
        self.files = {path: file.size for path, file in listed.items()}

    @property
    def title(self) -> str:
        """`org/name`, with the revision if another than `main` was asked for."""
        return str(Name(self.repository, self._revision))

    @property
    def where(self) -> str:
        """`org/name@` and the commit."""
        return f"{self.repository}@{self.commit[:12]}"

    def source(self, path: str) -> Source:
        """Return a file: from the cache of the hub's tools if it is there, else from the server."""
        with self._lock:
            if path not in self._sources:
                found = self._cached(path) or self._served(path)
                found.inside = RemotePath(self, PurePosixPath(path))
                self._sources[path] = found
            return self._sources[path]

    def _cached(self, path: str) -> LocalFile | None:
        from huggingface_hub import try_to_load_from_cache

        found = try_to_load_from_cache(self.repository, path, cache_dir=_cache(), revision=self.commit)
        if not isinstance(found, str):
            return None
        source = LocalFile(Path(found), f"{self.where}/{path}")
        return source if source.size == self.files[path] else None

    def _served(self, path: str) -> HttpFile:
        url = f"{self._endpoint}/{self.repository}/resolve/{self.commit}/{quoted(path)}"
        size, linked = self._listed[path]
        return HttpFile(
            url,
            origin(self._endpoint),
            name=f"{self.where}/{path}",
            size=size,
            modified=self._modified,
            linked=linked,
            credentials=functools.partial(_token_for, origin(self._endpoint)),
        )


def open_repository(name: Name) -> Location:
    """Find a model on the hub, or with HF_HUB_OFFLINE in the cache of its tools.

    Raises:
        NotFoundError: It is not there, not for this user to read, or the hub cannot be reached.
        InputError: The hub's answer makes no sense.
    """
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in _TRUE:
        return _cached_snapshot(name)
    place = RemotePath(_listed(endpoint(), Name(name.repository, name.revision)), PurePosixPath(name.path))
    if not place.exists():
        raise NotFoundError("no such file in this repository", where=name, hint="look at its page on the hub")
    return place


@functools.lru_cache(maxsize=64)
def _listed(server: str, name: Name) -> HubRepository:
    """Ask the hub once what a repository holds."""
    url = f"{server}/api/models/{name.repository}/revision/{quoted(name.revision or 'main', safe='')}?blobs=true"
    document = _get_json(url, str(name))
    commit = document.get("sha")
    siblings = document.get("siblings")
    if not isinstance(commit, str) or not _COMMIT.fullmatch(commit) or not isinstance(siblings, list):
        raise InputError("the hub's answer names no commit or no files", where=name)
    if len(siblings) > MAX_FOLDER_ENTRIES:
        raise InputError(f"holds {len(siblings)} files", where=name)
    files = dict(file for each in siblings if (file := _file(each)) is not None)
    return HubRepository(server, name, commit, _nanoseconds(document.get("lastModified")), files)


def _file(sibling: object) -> tuple[str, _File] | None:
    """Return one entry of a listing, or None of one whose name leads elsewhere or whose size is not told."""
    if not isinstance(sibling, dict):
        return None
    path, size, lfs = sibling.get("rfilename"), sibling.get("size"), sibling.get("lfs")
    linked = lfs.get("sha256") if isinstance(lfs, dict) else sibling.get("blobId")
    if not isinstance(path, str) or not 0 < len(path) <= MAX_NAME_BYTES or not path.isprintable() or "\\" in path:
        return None
    if str(PurePosixPath(path)) != path or path.startswith("/") or ".." in path.split("/"):
        return None
    return (path, _File(size, linked if isinstance(linked, str) else "")) if type(size) is int and size >= 0 else None


def _get_json(url: str, where: str) -> dict[str, Any]:
    attempts, given = Attempts(where), origin(url)
    while True:
        headers: Mapping[str, str] | None = None
        try:
            with get(url, given, {"accept": "application/json"}, functools.partial(_token_for, given), MAX_JSON_BYTES) as reply:
                if reply.status == 200:
                    return _parsed(_body(reply, where), where)
                if reply.status not in _LATER:
                    raise refused(reply, where)
                reason, headers = f"the hub answers with status {reply.status}", reply.headers
        except SlowError:
            reason = "the hub is too slow"
        except BROKEN as error:
            reason = f"the hub cannot be reached ({str(error) or type(error).__name__}; HF_HUB_OFFLINE=1 uses its tools' cache alone)"
        attempts.again(reason, headers)


def _body(reply: Reply, where: str) -> bytes:
    body = bytearray()
    for piece in reply.body:
        body += piece
        TRAFFIC.received(len(piece))
        if len(body) > MAX_JSON_BYTES:
            raise InputError(f"the hub's answer is longer than the {MAX_JSON_BYTES} bytes allowed", where=where)
    return bytes(body)


def _parsed(body: bytes, where: str) -> dict[str, Any]:
    if sum(body.count(mark) for mark in (b",", b"[", b"{")) > MAX_JSON_VALUES:
        raise InputError(f"the hub's answer holds more than {MAX_JSON_VALUES} JSON values", where=where)
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InputError("the hub's answer is no JSON", where=where, hint="check HF_ENDPOINT") from error
    if not isinstance(document, dict):
        raise InputError("the hub's answer is no JSON object", where=where, hint="check HF_ENDPOINT")
    return document


def _token_for(hub: Origin, target: Origin) -> Mapping[str, str]:
    """Return the user's token (HF_TOKEN, or the one that the hub's tools keep) for the hub itself, and nothing for others."""
    if target != hub:
        return {}
    from huggingface_hub import get_token

    token = get_token()
    return {"authorization": f"Bearer {token}"} if token and token.isascii() and token.isprintable() else {}


def _cached_snapshot(name: Name) -> Path:
    """Return where the hub's tools keep a downloaded revision."""
    folder = _cache() / f"models--{name.repository.replace('/', '--')}"
    revision = name.revision or "main"
    named = folder / "refs" / revision
    if ".." in named.parts:
        raise InputError("no name of a revision", where=name)
    commit = (
        LocalFile(named).read_at(0, LocalFile(named).size).tobytes().decode("ascii", "replace").strip()
        if named.is_file()
        else revision
    )
    found = folder / "snapshots" / commit
    if not _COMMIT.fullmatch(commit) or not found.is_dir():
        raise NotFoundError(
            "not in the cache of the hub's tools, and HF_HUB_OFFLINE forbids to ask the hub",
            where=name,
            hint="unset HF_HUB_OFFLINE",
        )
    return found / name.path if name.path else found


def _cache() -> Path:
    """Return where the hub's tools keep what they download."""
    from huggingface_hub import constants

    return Path(os.environ.get("HF_HUB_CACHE") or constants.HF_HUB_CACHE)


def _nanoseconds(moment: object) -> int:
    try:
        return int(datetime.fromisoformat(str(moment)).timestamp()) * 10**9
    except (ValueError, OverflowError):
        return 0
