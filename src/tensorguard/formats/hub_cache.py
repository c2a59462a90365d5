"""The hub's cache on disk: `models--org--name/{blobs,refs,snapshots}`, each snapshot a folder of links to blobs."""

from pathlib import Path
from typing import TypeVar

from tensorguard.errors import InputError, quote_some
from tensorguard.sources.local import LocalFile
from tensorguard.sources.remote import Location

_PREFIX = "models--"
_SNAPSHOTS = "snapshots"
_LONGEST_REVISION = 256

_Place = TypeVar("_Place", bound=Location)


def snapshot(folder: _Place) -> _Place:
    """Return the snapshot to open in a cached repository: the one `refs/main` names, or the only one. Other folders are kept.

    Raises:
        InputError: There is no snapshot, or several and `refs/main` names none of them.
    """
    if not isinstance(folder, Path):
        return folder
    root = folder / _SNAPSHOTS
    if not root.is_dir() or not (folder.name.startswith(_PREFIX) or (folder / "refs").is_dir()):
        return folder
    found = {entry.name: entry for entry in sorted(root.iterdir()) if entry.is_dir()}
    chosen = found.get(_main_revision(folder))
    if chosen is not None:
        return chosen
    if len(found) == 1:
        return next(iter(found.values()))
    if not found:
        raise InputError("the cached repository holds no snapshot", where=folder, hint="download the model again")
    raise InputError(
        f"{len(found)} snapshots and no main: {quote_some(found)}", where=folder, hint="give the path of one snapshot"
    )


def model_name(folder: Location) -> str:
    """Return `org/name` for a snapshot or a cached repository, else the folder's own name."""
    if not isinstance(folder, Path):
        return folder.name
    resolved = folder.absolute()
    for candidate in (resolved, *resolved.parents[:2]):
        if candidate.name.startswith(_PREFIX) and (candidate == resolved or resolved.parent.name == _SNAPSHOTS):
            return candidate.name.removeprefix(_PREFIX).replace("--", "/")
    return resolved.resolve().name or "model"


def _main_revision(folder: Path) -> str:
    path = folder / "refs" / "main"
    if not path.is_file():
        return ""
    source = LocalFile(path)
    return source.read_at(0, min(source.size, _LONGEST_REVISION)).tobytes().decode("utf-8", "replace").strip()
