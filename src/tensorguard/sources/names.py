"""How users call models on the hub, and which of what they write is meant so."""

import os
import re
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from tensorguard.errors import NotFoundError

SCHEME = "hf://"
"""Says that a name is one of the hub, whatever lies in the current folder."""

ENDPOINT = "https://huggingface.co"
"""The hub, unless HF_ENDPOINT names another."""

_PART = r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_-])?"
_REVISION = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}"
_NAME = re.compile(rf"(?P<repository>{_PART}/{_PART})(?:@(?P<revision>{_REVISION}))?(?:/(?P<path>.+))?")
_PAGE = re.compile(
    rf"/(?P<repository>{_PART}/{_PART})(?:/(?:tree|blob|resolve)/(?P<revision>{_REVISION})(?:/(?P<path>.+))?)?/?"
)
_LOCAL_SUFFIXES = (".tgfp", ".json", ".safetensors", ".gguf", ".bin", ".pt", ".pth", ".onnx", ".tsv", ".tar")
"""Names of files, which no repository's is meant to be."""


class Name(NamedTuple):
    """What a user calls a model on the hub.

    Attributes:
        repository: `org/name`.
        revision: A branch, a tag or a commit; empty for `main`.
        path: A file or folder in it; empty for all of it.
    """

    repository: str
    revision: str = ""
    path: str = ""

    def __str__(self) -> str:
        return self.repository + (f"@{self.revision}" if self.revision else "") + (f"/{self.path}" if self.path else "")


def endpoint() -> str:
    """Return the hub's address: that of HF_ENDPOINT, or huggingface.co."""
    return (os.environ.get("HF_ENDPOINT") or ENDPOINT).rstrip("/")


def hub_name(given: str) -> Name | None:
    """Return the name of a model on the hub, `[hf://]org/name[@revision][/path]`, or None where a local path is meant.

    Raises:
        NotFoundError: What follows `hf://` is no such name.
    """
    match = _NAME.fullmatch(given.removeprefix(SCHEME))
    if given.startswith(SCHEME):
        if match is None:
            raise NotFoundError("no name of a model on the hub", where=given, hint="give hf://ORG/NAME[@REVISION][/FILE]")
    elif match is None or _is_here(given) or (not match["path"] and given.endswith(_LOCAL_SUFFIXES)):
        return None
    return Name(match["repository"], match["revision"] or "", (match["path"] or "").strip("/"))


def _is_here(path: str) -> bool:
    """Say whether something of this path is on this machine, or may be: below a folder that may not be looked into."""
    try:
        os.lstat(path)
    except PermissionError:
        return True
    except (OSError, ValueError):
        return False
    return True


def page_name(url: str) -> Name | None:
    """Return the model that a page of the hub is of, or None of any other address."""
    match = _PAGE.fullmatch(unquote(urlsplit(url).path)) if url.startswith(endpoint() + "/") else None
    if match is None:
        return None
    revision = match["revision"] or ""
    return Name(match["repository"], "" if revision == "main" else revision, match["path"] or "")
