"""Folders that are used beside models: what they hold, and how much room their disks have."""

import contextlib
import os
import tempfile
from pathlib import Path

from tensorguard.diagnosis.base import Store
from tensorguard.errors import TensorGuardError, utf8
from tensorguard.registry.indexes import LEAST
from tensorguard.registry.registry import DATABASE, Registry

UNINDEXED = "no search index"
"""What is said of a registry that is large enough for one."""


def registry_store(folder: Path | str) -> Store:
    """Describe a registry; one that is not there is no fault, and one in object storage is not looked at."""
    if isinstance(folder, str):
        return Store("registry", folder, True, None, "in object storage: not looked at")
    if not (folder / DATABASE).exists():
        return Store("registry", utf8(folder), False, _free(folder), "none yet")
    try:
        with Registry(folder) as opened:
            entries = opened.count(None)
    except TensorGuardError as error:
        return Store("registry", utf8(folder), True, _free(folder), f"cannot be read: {error.message}")
    indexes = [path for path in _files(folder / "index") if path.suffix == ".vectors"]
    held = sum(path.stat().st_size for path in (folder / DATABASE, *indexes))
    index = "searched through an index" if indexes else f"{UNINDEXED}" if entries >= LEAST else "too small to need an index"
    return Store(
        "registry", utf8(folder), True, _free(folder), f"{entries:,} entries, {held / 1e6:.1f} MB of database, {index}"
    )


def others() -> tuple[Store, ...]:
    """Describe the cache of the hub's own tools, and the folder of temporary files."""
    home = Path(os.environ.get("HF_HOME") or Path("~/.cache/huggingface").expanduser())
    hub, temporary = Path(os.environ.get("HF_HUB_CACHE") or home / "hub"), Path(tempfile.gettempdir())
    models = sum(path.name.startswith("models--") for path in _files(hub))
    return (
        Store("hub cache", utf8(hub), hub.is_dir(), _free(hub), f"{models} models" if hub.is_dir() else "none yet"),
        Store("temporary files", utf8(temporary), True, _free(temporary), "for what is read from servers twice"),
    )


def _files(folder: Path) -> list[Path]:
    with contextlib.suppress(OSError):
        return list(folder.iterdir())
    return []


def _free(folder: Path) -> int | None:
    """Return the bytes that are free where a folder is, or would be."""
    for place in (folder, *folder.parents):
        with contextlib.suppress(OSError):
            found = os.statvfs(place)
            return found.f_bavail * found.f_frsize
    return None
