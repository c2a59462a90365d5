"""Where a registry may be: an empty folder, or one that holds a registry."""

from pathlib import Path

from tensorguard.errors import InputError, NotFoundError, quote

DATABASE = "registry.sqlite"
_HARMLESS = ("fingerprints", "index", "lost+found", ".DS_Store")


def require_possible(folder: Path, *, create: bool) -> None:
    """Refuse a folder that holds something else.

    Raises:
        NotFoundError: There is none and `create` is false.
        InputError: It is no folder, or holds other things and no registry.
    """
    if not folder.exists() and not create:
        raise NotFoundError("there is no registry", where=folder, hint="make one with: tensorguard registry add")
    if folder.exists() and not folder.is_dir():
        raise InputError("is not a registry: it is no folder", where=folder, hint="give the folder of a registry")
    if folder.is_dir() and not (folder / DATABASE).exists():
        names = {path.name for path in folder.iterdir()} - {*_HARMLESS}
        strange = next((name for name in names if not name.startswith(DATABASE)), None)  # somebody may be making it now
        if strange is not None:
            message = f"is not a registry: it holds {quote(strange)} and no {DATABASE}"
            raise InputError(message, where=folder, hint="give another folder")
