"""Untrusted JSON to Python values: strict, bounded in size, depth and number of values. Headers, indexes and configs go through here."""

import json
import math
from collections import Counter
from typing import Any, NoReturn

from tensorguard.errors import InputError, quote
from tensorguard.limits import MAX_JSON_VALUES, MAX_NESTING
from tensorguard.sources.remote import Location, source_at

_LONGEST_INTEGER = 20
"""Digits of 2^64; longer integers become floats, as in the reference parser of safetensors."""


def parse_object(raw: bytes, what: str, where: str) -> dict[str, Any]:
    """Parse a JSON object (RFC 8259; no NaN, no duplicate keys, no lone surrogates).

    Args:
        raw: UTF-8 text.
        what: What it is, for messages: `the header`.
        where: The file it is from.

    Raises:
        InputError: It is not UTF-8, not JSON, not an object, too deep, or has too many values.
    """

    def refuse(reason: str, cause: Exception | None = None) -> NoReturn:
        hint = "the file is damaged or not what its name says: get it again from where it came from"
        raise InputError(f"{what} {reason}", where=where, hint=hint) from cause

    if sum(raw.count(mark) for mark in (b",", b"[", b"{")) > MAX_JSON_VALUES:
        refuse(f"holds more than {MAX_JSON_VALUES} JSON values")
    try:
        value = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_int=_integer,
            parse_float=_finite,
            parse_constant=_refuse_constant,
        )
    except UnicodeDecodeError as error:
        refuse(f"is not UTF-8 (byte {error.start})", error)
    except json.JSONDecodeError as error:
        refuse(f"is not JSON ({error.msg} at character {error.pos})", error)
    except ValueError as error:
        refuse(str(error), error)
    except RecursionError as error:
        refuse(f"is nested more than {MAX_NESTING} deep", error)
    if not isinstance(value, dict):
        refuse("is not a JSON object")
    if _too_deep(value):
        refuse(f"is nested more than {MAX_NESTING} deep")
    if b"\\u" in raw:
        try:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError as error:
            refuse("holds half of a surrogate pair", error)
    return value


def read_object(path: Location, longest: int) -> dict[str, Any]:
    """Read a JSON file that holds an object, of at most `longest` bytes.

    Raises:
        NotFoundError: There is no such file.
        InputError: See `parse_object`; or the file is too large.
    """
    source = source_at(path)
    if source.size > longest:
        raise InputError(f"its {source.size} bytes are more than the {longest} allowed for such a file", where=path)
    return parse_object(source.read_at(0, source.size).tobytes(), "the file", source.name)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object's dict, refusing a key that comes twice: which one counts would be the parser's secret."""
    made = dict(pairs)
    if len(made) != len(pairs):
        name = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise ValueError(f"has the name {quote(name)} twice")
    return made


def _integer(text: str) -> int | float:
    return int(text) if len(text) <= _LONGEST_INTEGER and text != "-0" else _finite(text)


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError("holds a number out of range")
    return value


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"is not JSON ({text} is no number)")


def _too_deep(value: object) -> bool:
    level: list[Any] = [value]
    for _ in range(MAX_NESTING):
        level = [child for node in level for child in _children(node) if isinstance(child, dict | list)]
        if not level:
            return False
    return True


def _children(node: dict[str, Any] | list[Any]) -> Any:
    return node.values() if isinstance(node, dict) else node
