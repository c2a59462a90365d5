"""The opcodes of a pickle, decoded and nothing more: each with its argument, no length trusted.

Only opcodes that describe plain data are known (protocols 2 to 5, https://peps.python.org/pep-0307/, pep-3154, pep-0574; numbering of
the standard library's `pickle`). All others, among them those that make instances, are refused by name.
"""

import pickletools
import struct
from collections.abc import Iterator, Mapping
from typing import NoReturn

from tensorguard.errors import InputError, quote
from tensorguard.formats.base import DAMAGED
from tensorguard.limits import MAX_NAME_BYTES, MAX_PICKLE_OPCODES

Argument = int | float | str | bytes | tuple[str, str] | None

_NOTHING = (
    "MARK STOP POP DUP NONE NEWTRUE NEWFALSE EMPTY_LIST EMPTY_TUPLE EMPTY_DICT TUPLE TUPLE1 TUPLE2 TUPLE3 LIST DICT "
    "APPEND APPENDS SETITEM SETITEMS BINPERSID REDUCE BUILD STACK_GLOBAL MEMOIZE"
)
"""Opcodes without an argument."""

_NUMBERS: Mapping[str, str] = {
    "PROTO": "<B", "FRAME": "<Q", "BININT": "<i", "BININT1": "<B", "BININT2": "<H", "BINFLOAT": ">d",
    "BINGET": "<B", "LONG_BINGET": "<I", "BINPUT": "<B", "LONG_BINPUT": "<I",
}  # fmt: skip
"""Opcodes followed by one number, and its layout."""

_COUNTED: Mapping[str, str] = {
    "LONG1": "<B", "LONG4": "<i", "SHORT_BINSTRING": "<B", "BINSTRING": "<i", "SHORT_BINBYTES": "<B", "BINBYTES": "<I",
    "BINBYTES8": "<Q", "SHORT_BINUNICODE": "<B", "BINUNICODE": "<I", "BINUNICODE8": "<Q",
}  # fmt: skip
"""Opcodes followed by a length and as many bytes, and the length's layout."""

_KNOWN = frozenset({*_NOTHING.split(), *_NUMBERS, *_COUNTED, "GLOBAL"})
_NAMES = {ord(opcode.code): opcode.name for opcode in pickletools.opcodes}
_LAYOUTS = {name: struct.Struct(layout) for name, layout in {**_NUMBERS, **_COUNTED}.items()}
_LONGEST_INTEGER = 9
"""Bytes of an integer: offsets and extents have 8; larger ones (a random generator's state) are no part of a model."""


def opcodes(pickle: bytes, where: str) -> Iterator[tuple[str, Argument]]:
    """Yield the name and the argument of each opcode, up to and with STOP.

    Args:
        pickle: The whole pickle.
        where: What to call it in messages.

    Raises:
        InputError: It is truncated, has more opcodes than allowed or one that is not known, or bytes follow its end.
    """
    at = 0
    for _ in range(MAX_PICKLE_OPCODES):
        if at >= len(pickle):
            _refuse("its pickle ends before its STOP", where)
        name = _NAMES.get(pickle[at], "")
        if name not in _KNOWN:
            shown = f"the opcode {name}" if name else f"the byte {pickle[at]:#04x}"
            _refuse(f"its pickle uses {shown}, which no plain list of tensors needs: not read", where)
        argument, at = _argument(name, pickle, at + 1, where)
        yield name, argument
        if name == "STOP":
            if at != len(pickle):
                _refuse(f"{len(pickle) - at} bytes follow the end of its pickle", where)
            return
    _refuse(f"its pickle has more than the {MAX_PICKLE_OPCODES} opcodes allowed", where)


def _argument(name: str, pickle: bytes, at: int, where: str) -> tuple[Argument, int]:
    """Return an opcode's argument and where the next opcode begins."""
    if name == "GLOBAL":
        module, at = _line(pickle, at, where)
        attribute, at = _line(pickle, at, where)
        return (module, attribute), at
    if name not in _LAYOUTS:
        return None, at
    layout = _LAYOUTS[name]
    end = at + layout.size
    if end > len(pickle):
        _refuse(f"its pickle ends within the opcode {name}", where)
    number: int | float = layout.unpack_from(pickle, at)[0]
    if name in _NUMBERS:
        return number, end
    if not 0 <= number <= len(pickle) - end:
        _refuse(f"its pickle claims {number} bytes of text, but {len(pickle) - end} are left", where)
    raw = pickle[end : end + int(number)]
    return _value(name, raw, where), end + len(raw)


def _value(name: str, raw: bytes, where: str) -> Argument:
    if name.startswith("LONG"):
        if len(raw) > _LONGEST_INTEGER:
            _refuse(f"its pickle has an integer of {len(raw)} bytes", where)
        return int.from_bytes(raw, "little", signed=True)
    if name.endswith(("BYTES", "BYTES8")):
        return raw
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        _refuse(f"its pickle has a text that is not UTF-8: {quote(raw[:20])}", where)


def _line(pickle: bytes, at: int, where: str) -> tuple[str, int]:
    end = pickle.find(b"\n", at, at + MAX_NAME_BYTES)
    if end < 0:
        _refuse("its pickle has a name without an end", where)
    return pickle[at:end].decode("utf-8", "backslashreplace"), end + 1


def _refuse(message: str, where: str) -> NoReturn:
    raise InputError(message, where=where, hint=DAMAGED)
