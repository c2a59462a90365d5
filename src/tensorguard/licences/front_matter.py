"""YAML of strangers: the front matter of model cards and merge configurations, read as text, lists and maps and nothing else.

Only the parser's events are used: no tag is followed, nothing is constructed, and a scalar stays as it is spelt (`no` is a language,
`1.10` a version). Anchors and aliases are refused, since a few lines of them stand for any amount of memory.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import yaml

from tensorguard.errors import quote
from tensorguard.limits import MAX_YAML_BYTES, MAX_YAML_NESTING, MAX_YAML_VALUES

Value = str | None | list["Value"] | dict[str, "Value"]

_FRONT = re.compile(r"\A\ufeff?\s*---[ \t]*\r?\n(?:(.*?)\r?\n)?---[ \t]*(?:\r?\n|\Z)(.*)\Z", re.DOTALL)
_OPENED = re.compile(r"\A\ufeff?\s*---[ \t]*\r?\n")
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """What stands before and below the front matter of a card.

    Attributes:
        fields: The front matter's own keys; empty if there is none or it is damaged.
        body: The text below it.
        notices: What is wrong with it, a sentence each.
    """

    fields: Mapping[str, Value] = field(default_factory=dict)
    body: str = ""
    notices: tuple[str, ...] = ()


class _DamagedError(Exception):
    """What is wrong with a YAML document."""


def read_front_matter(text: str) -> FrontMatter:
    """Read a model card: YAML between two lines of `---` at its beginning, then Markdown. Never raises."""
    found = _FRONT.match(text)
    if found is None:
        opened = _OPENED.match(text)
        return FrontMatter({}, text, ("the front matter is opened with `---` and never closed",) if opened else ())
    fields, notices = read_mapping(found[1] or "", "the front matter")
    return FrontMatter(fields, found[2], notices)


def read_mapping(text: str, what: str) -> tuple[dict[str, Value], tuple[str, ...]]:
    """Read a YAML document that is a map.

    Args:
        text: The document.
        what: What it is, for notices.

    Returns:
        The map, empty where the document is damaged or over a limit; and what is wrong, a sentence each.
    """
    if len(text.encode("utf-8", "replace")) > MAX_YAML_BYTES:
        return {}, (f"{what} is longer than the {MAX_YAML_BYTES} bytes allowed",)
    builder = _Builder()
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.take(event)
    except _DamagedError as error:
        return {}, (f"{what} {error}",)
    except yaml.YAMLError as error:
        return {}, (f"{what} is not YAML ({_reason(error)})",)
    if not isinstance(builder.root, dict):
        return {}, () if builder.root is None else (f"{what} is no map of names to values",)
    return builder.root, tuple(f"{what} has the name {quote(name)} twice; the last one counts" for name in builder.repeated)


class _Builder:
    """Puts a document together from its events, without recursion."""

    def __init__(self) -> None:
        self.root: Value = None
        self.repeated: dict[str, None] = {}
        self._open: list[list[Value] | dict[str, Value]] = []
        self._names: list[str | None] = []
        self._documents = self._values = 0

    def take(self, event: yaml.Event) -> None:
        """Take the next event.

        Raises:
            _DamagedError: The document is over a limit, or holds what is not allowed.
        """
        match event:
            case yaml.AliasEvent():
                raise _DamagedError("uses an alias, which is not allowed here")
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    raise _DamagedError("is more than one document")
            case yaml.ScalarEvent():
                self._scalar(event)
            case yaml.MappingStartEvent():
                self._begin({})
            case yaml.SequenceStartEvent():
                self._begin([])
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._open.pop()
                self._names.pop()

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        if self._wants_name():
            if event.value in self._open[-1]:
                self.repeated[event.value] = None
            self._names[-1] = event.value
        else:
            self._add(None if event.implicit[0] and event.value in _NULL else event.value)

    def _begin(self, container: list[Value] | dict[str, Value]) -> None:
        if self._wants_name():
            raise _DamagedError("has a name that is not text")
        self._add(container)
        self._open.append(container)
        self._names.append(None)
        if len(self._open) > MAX_YAML_NESTING:
            raise _DamagedError(f"is nested more than {MAX_YAML_NESTING} deep")

    def _wants_name(self) -> bool:
        return bool(self._open) and isinstance(self._open[-1], dict) and self._names[-1] is None

    def _add(self, value: Value) -> None:
        self._values += 1
        if self._values > MAX_YAML_VALUES:
            raise _DamagedError(f"holds more than {MAX_YAML_VALUES} values")
        if not self._open:
            self.root = value
            return
        parent, name = self._open[-1], self._names[-1]
        if isinstance(parent, list):
            parent.append(value)
        elif name is not None:
            parent[name] = value
            self._names[-1] = None


def _reason(error: yaml.YAMLError) -> str:
    """Return what is wrong and where, without the text itself."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem and error.problem_mark:
        return f"{quote(error.problem)[1:-1]}, line {error.problem_mark.line + 1}"
    return quote(getattr(error, "reason", None) or type(error).__name__)[1:-1]
