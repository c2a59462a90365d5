"""An adapter's base among folders the user gave. The adapter's own words are only compared with names, never opened as a path."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tensorguard.errors import InputError, NotFoundError, quote
from tensorguard.formats import hub_cache
from tensorguard.formats.adapter import AdapterFiles, is_adapter
from tensorguard.formats.model_folder import holds_model
from tensorguard.limits import MAX_FOLDER_ENTRIES


def find_base(adapter: AdapterFiles, folders: Sequence[Path]) -> Path:
    """Find an adapter's base by the name in its configuration.

    A folder fits `org/name` if it is called `models--org--name` (the hub's cache), `org/name` below a folder to be searched, or
    just `name`; a better fit goes before a worse one.

    Args:
        adapter: The adapter; its `base_model_name_or_path` is untrusted.
        folders: Where to look: each folder itself, what is in it, and one level below that.

    Raises:
        NotFoundError: Nothing fits, or several folders fit equally well.
    """
    hint = "name it: --base BASE"
    wanted = adapter.config.get("base_model_name_or_path")
    parts = [part for part in re.split(r"[\\/]+", wanted) if part not in ("", ".", "..")] if isinstance(wanted, str) else []
    if not parts:
        raise NotFoundError("the adapter does not say what its base is", where=adapter.location, hint=hint)
    fits: dict[int, dict[Path, Path]] = {}
    for folder in _candidates(folders):
        rank = _fit(folder, parts)
        if rank is not None and _is_model(folder):
            fits.setdefault(rank, {}).setdefault(folder.resolve(), folder)
    if not fits:
        raise NotFoundError(
            f"the adapter's base {quote(wanted)} is not among the folders searched", where=adapter.location, hint=hint
        )
    best = list(fits[min(fits)].values())
    if len(best) > 1:
        shown = " and ".join(quote(path) for path in best[:2])
        raise NotFoundError(f"the adapter's base {quote(wanted)} could be {shown}", where=adapter.location, hint=hint)
    return best[0]


def _fit(folder: Path, parts: Sequence[str]) -> int | None:
    """Return how well a folder's name fits, 0 best; None if it does not."""
    if len(parts) == 2 and folder.name == f"models--{parts[0]}--{parts[1]}":
        return 0
    if len(parts) >= 2 and (folder.parent.name, folder.name) == (parts[-2], parts[-1]):
        return 1
    return 2 if folder.name in (parts[-1], f"models--{parts[-1]}") else None


def _candidates(folders: Iterable[Path]) -> Iterator[Path]:
    for root in folders:
        yield root.absolute()
        for child in _subfolders(root.absolute()):
            yield child
            yield from _subfolders(child)


def _subfolders(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            found = [Path(entry.path) for entry, _ in zip(entries, range(MAX_FOLDER_ENTRIES), strict=False) if entry.is_dir()]
    except OSError:
        return []
    return sorted(found)


def _is_model(folder: Path) -> bool:
    try:
        return not is_adapter(folder) and holds_model(hub_cache.snapshot(folder))
    except (InputError, NotFoundError, OSError):
        return False
