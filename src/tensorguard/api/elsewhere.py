"""Places said so that a process in another folder, or on another machine that shares the files, understands them."""

import os
from dataclasses import replace
from pathlib import Path

from tensorguard.api.fingerprints import Settings


def absolute(place: Path | str) -> Path | str:
    """Return where a model is: the absolute path of a local one, and names and addresses as they are."""
    return Path(place).absolute() if isinstance(place, Path) or os.path.lexists(place) else place


def from_anywhere(settings: Settings) -> Settings:
    """Return settings with absolute paths."""
    base = None if settings.base is None else absolute(settings.base)
    return replace(settings, base=base, search=tuple(absolute(each) for each in settings.search))
