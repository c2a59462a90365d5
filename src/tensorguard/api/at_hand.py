"""Models that are at hand on this machine, found by their repository's name alone."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from tensorguard.errors import TensorGuardError
from tensorguard.formats import hub_cache
from tensorguard.formats.adapter import is_adapter
from tensorguard.formats.model_folder import holds_model
from tensorguard.sources.remote import Location, RemotePath

_PART = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,95}"
_REPOSITORY = re.compile(f"(?:{_PART}/)?{_PART}")
_COMMIT = re.compile("[0-9a-f]{40}")


def hub_folder() -> Path:
    """Return where the hub's own tools keep what they download on this machine (their HF_HUB_CACHE, HF_HOME, XDG_CACHE_HOME)."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    home = Path(os.environ.get("HF_HOME") or cache / "huggingface")
    return Path(os.environ.get("HF_HUB_CACHE") or home / "hub").expanduser()


def find_model(repository: str, folders: Sequence[Path]) -> Path | None:
    """Return the folder of a repository's model, or None.

    It may be called `models--ORG--NAME` (the hub's cache), `ORG/NAME`, `ORG--NAME` or `NAME` below one of the folders; a better fit
    goes before a worse one, an earlier folder before a later. A repository that is no plain name is not looked for.
    """
    if not _REPOSITORY.fullmatch(repository):
        return None
    joined = repository.replace("/", "--")
    ways = dict.fromkeys((f"models--{joined}", repository, joined, repository.rpartition("/")[2]))
    return next((folder / way for way in ways for folder in folders if _is_model(folder / way)), None)


def repository_of(model: Location) -> tuple[str, str]:
    """Return the repository and the commit that a model is of or its folder is named after, each empty if it is not told."""
    if isinstance(model, RemotePath):
        return model.repository.repository, model.repository.commit
    folder = (model if model.is_dir() else model.parent).absolute()
    try:
        snapshot = hub_cache.snapshot(folder)
    except TensorGuardError:
        return "", ""
    name = hub_cache.model_name(snapshot)
    if name != snapshot.resolve().name:
        return name, snapshot.name if _COMMIT.fullmatch(snapshot.name) else ""
    named = name.replace("--", "/") if name.count("--") == 1 else ""
    return (named, "") if _REPOSITORY.fullmatch(named) else ("", "")


def _is_model(folder: Path) -> bool:
    try:
        return folder.is_dir() and (is_adapter(folder) or holds_model(hub_cache.snapshot(folder)))
    except (TensorGuardError, OSError):
        return False
