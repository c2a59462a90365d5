r"""Module patterns of an adapter's configuration (`rank_pattern`, `alpha_pattern`), as PEFT reads them, but bounded.

PEFT matches `(.*\.)?(PATTERN)$` against a module's path and takes the first that fits (peft.utils.other.get_pattern_key). The
patterns are untrusted, and a regular expression can take exponential time, so only those are matched whose work is bounded by a
polynomial, and only while the sum of these bounds stays small.
"""

import re
from typing import Any

from tensorguard.adapters.errors import refuse
from tensorguard.errors import quote

_MAX_PATTERN = 1_024
_MAX_NAME = 512
_MAX_WORK = 2_000_000_000
"""Bound on matching steps over all modules and patterns: seconds at worst, and thousands of times what real adapters need."""

_LITERAL = re.compile(r"\^?(?:[\w\-]|\\?\.)*\$?")
_ATOM = r"(?:[\w\-/]|\\[.dw\-]|\.|\[\^?[\w.\-]+\])"
_SAFE = re.compile(rf"\^?(?:{_ATOM}[+*?]?|\((?:\?:)?(?:{_ATOM}|\|)*\))*\$?")
"""Characters, classes and dots, each with at most one quantifier; groups of plain alternatives, without one."""


class Patterns:
    """A table from pattern to value.

    Raises:
        InputError: It is no table, or has a pattern that is too long or too complicated to be matched safely.
    """

    def __init__(self, table: object, setting: str, where: str) -> None:
        if not isinstance(table, dict):
            refuse(f"its setting {setting} is {quote(table)}, not a table", where)
        self._where = where
        self._setting = setting
        self._work = 0
        self._rows = [(self._compile(text), _cost(text), value) for text, value in table.items()]

    def get(self, module: str, default: Any) -> Any:
        """Return the value of the first pattern that fits a module's path, else the default."""
        if self._rows and len(module) > _MAX_NAME:
            refuse(f"module {quote(module)} has too long a name to be matched with {self._setting}", self._where)
        for pattern, (repeats, branches), value in self._rows:
            self._work += branches * len(module) ** repeats
            if self._work > _MAX_WORK:
                refuse(f"its setting {self._setting} takes too long to match", self._where)
            if pattern.match(module):
                return value
        return default

    def _compile(self, text: str) -> re.Pattern[str]:
        if len(text) > _MAX_PATTERN or not (_LITERAL.fullmatch(text) or (_SAFE.fullmatch(text) and text.count("(") <= 1)):
            hint = "write plain module names in the configuration instead"
            refuse(f"its setting {self._setting} has {quote(text)}, a pattern too complicated to be safe", self._where, hint)
        try:
            return re.compile(rf"(.*\.)?({text})$")
        except re.error:
            refuse(f"its setting {self._setting} has {quote(text)}, which is no pattern", self._where)


def _cost(text: str) -> tuple[int, int]:
    """Return (k, b): matching against n characters takes about b * n^k steps; PEFT's own prefix is one repetition."""
    if _LITERAL.fullmatch(text):
        return 1, 1
    return 2 + sum(text.count(mark) for mark in "+*?"), 1 + text.count("|")
