"""Text of strangers in documents for other programs: harmless wherever these show it."""

import json
from typing import Any

from tensorguard.errors import quote

LONGEST = 4096
"""Characters of one text; what is longer is cut."""


def plain(text: str) -> str:
    """Return text on one line, with control, bidirectional and unprintable characters escaped, and cut at `LONGEST`."""
    return quote(text, LONGEST)[1:-1]


def to_json(tree: Any) -> str:
    """Return a tree of maps, lists, texts and numbers as JSON in ASCII, every text of it made `plain`; keys stay in order."""
    return json.dumps(_plain(tree), indent=2, allow_nan=False) + "\n"


def _plain(tree: Any) -> Any:
    match tree:
        case str():
            return plain(tree)
        case dict():
            return {key: _plain(value) for key, value in tree.items()}
        case list() | tuple():
            return [_plain(value) for value in tree]
        case _:
            return tree
