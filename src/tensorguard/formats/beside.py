"""Files that another file names: only those that lie in its own folder."""

from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import overload

from tensorguard.errors import InputError, quote
from tensorguard.limits import MAX_NAME_BYTES
from tensorguard.sources.remote import Location

_LONGEST_PART = 255
"""Bytes of one component of a path, on every common file system."""


@overload
def path_beside(file: Path, name: str) -> Path: ...


@overload
def path_beside(file: Location, name: str) -> Location: ...


def path_beside(file: Location, name: str) -> Location:
    """Return where a file is that another one names; the name is untrusted and must not lead out of the folder.

    A file of the folder itself may be a link, since the hub's cache is made of links; a path that goes through folders must stay
    inside after links are followed.

    Args:
        file: The file that names it.
        name: The name, relative to the folder of `file`.

    Raises:
        InputError: It is no plain path inside the folder.
    """
    path = file.parent / name
    escapes = PurePosixPath(name).is_absolute() or bool(PureWindowsPath(name).anchor) or ".." in PurePosixPath(name).parts
    too_long = (
        any(len(part.encode("utf-8", "surrogatepass")) > _LONGEST_PART for part in name.split("/"))
        or len(name) > MAX_NAME_BYTES
    )
    if not name or escapes or too_long or "\\" in name or not name.isprintable():
        raise InputError(f"names the file {quote(name)}, which is no plain path inside its folder", where=file)
    if "/" in name and isinstance(file, Path) and not Path(file.parent, name).resolve().is_relative_to(file.parent.resolve()):
        raise InputError(f"names the file {quote(name)}, which a link leads out of its folder", where=file)
    return path
