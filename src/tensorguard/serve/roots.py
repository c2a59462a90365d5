"""The folders under which models may be read, and the one way into them.

A path is resolved first, links and `..` included, and what it resolved to is compared and handed on, so that nothing is looked at twice.
What lies beside a model's weights is read, too (configuration, card, tokenizer, shards); a link among it that leads out of the roots
refuses the model. Who may write under a root while a model is read can still exchange a file for a link.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from tensorguard.errors import NotFoundError, UsageError, quote
from tensorguard.formats import hub_cache
from tensorguard.limits import MAX_FOLDER_ENTRIES

_LONGEST = 4_096


class Roots:
    """Folders under which paths are let in."""

    def __init__(self, folders: Sequence[Path]) -> None:
        """Resolve the folders.

        Raises:
            NotFoundError: One of them is no folder.
        """
        self.folders = tuple(folder.resolve() for folder in folders)
        for given, folder in zip(folders, self.folders, strict=True):
            if not folder.is_dir():
                raise NotFoundError("a root has to be a folder that exists", where=given)

    def admit(self, text: str | Path) -> Path:
        """Return a model's resolved path; a relative one is looked for under each root.

        Raises:
            UsageError: No roots were given, or it is no path.
            NotFoundError: Nothing is there, or it lies elsewhere, which is told by one and the same message.
        """
        if not self.folders:
            raise UsageError("this server reads no paths", hint="start it with --root DIR, or drop a .tgfp")
        text = str(text)
        if not text.strip() or len(text) > _LONGEST or "\0" in text:
            raise UsageError("that is no path", hint="give the path of a model under one of the roots")
        found = next((path for root in self.folders if (path := self._resolved(root / text)) and path.exists()), None)
        if found is None:
            shown = " and ".join(quote(folder, 400) for folder in self.folders)
            raise NotFoundError(f"there is no {quote(text, 400)} under a root", hint=f"the roots are {shown}")
        self._require_inside(found)
        return found

    def _resolved(self, path: Path) -> Path | None:
        """Return where a path leads, if that is under a root; a file keeps its name, which its shards and its format are known by."""
        try:
            found = path.resolve()
            named = path.parent.resolve() / path.name if found.is_file() else found
        except (OSError, RuntimeError, ValueError):  # a circle of links, a name that is too long
            return None
        inside = all(any(each.is_relative_to(root) for root in self.folders) for each in (found, named))
        return named if inside else None

    def _require_inside(self, model: Path) -> None:
        for path in _beside(model):
            if self._resolved(path) is None:
                raise NotFoundError(
                    f"{quote(path.name)} leads out of the roots", where=model, hint="copy the model under a root"
                )


def _beside(model: Path) -> Iterator[Path]:
    """Yield the links that reading a model may follow: in its folder, and in the snapshot of a repository of the hub's cache."""
    if not model.is_dir():
        yield from _links(model.parent)
        return
    yield from _links(model)
    yield from (model / "refs", model / "refs" / "main", model / "snapshots")
    snapshot = hub_cache.snapshot(model)
    if snapshot != model:
        yield snapshot
        yield from _links(snapshot)


def _links(folder: Path) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        for at, entry in enumerate(entries):
            if at >= MAX_FOLDER_ENTRIES:
                raise UsageError("the folder holds too many files", where=folder)
            if entry.is_symlink() and not entry.is_dir():
                yield Path(entry.path)
