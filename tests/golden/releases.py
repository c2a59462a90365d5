"""The releases of which there are golden files: a folder each, called by the version."""

from pathlib import Path
from typing import Any

GOLDEN = Path(__file__).parent
RELEASES = sorted(path.parent for path in GOLDEN.glob("*/expected.json"))


def named(value: Any) -> str | None:
    """Name a release, or a file of one, as a test's parameter."""
    return value.relative_to(GOLDEN).as_posix() if isinstance(value, Path) else None
