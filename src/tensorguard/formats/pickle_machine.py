"""What a pickle of torch.save says, without unpickling it: dicts, lists and numbers, and records of tensors.

A pickle is a program that may name any function and have it called. Here its opcodes are followed on a stack of plain values; a name is
looked up in the table of `pickle_records` and nowhere else, and nothing is called.
"""

from collections.abc import Callable, Mapping
from typing import Any

from tensorguard.errors import InputError
from tensorguard.formats.base import DAMAGED
from tensorguard.formats.pickle_opcodes import opcodes
from tensorguard.formats.pickle_records import SAFE, FaultError, fill, known, record, storage

_MARK = object()


def read_records(pickle: bytes, where: str) -> object:
    """Return what a pickle describes: dict, list, tuple, str, bytes, numbers, None, and `TensorRecord`.

    Nothing of it may be walked without care: it can contain itself.

    Args:
        pickle: The whole pickle.
        where: What to call it in messages.

    Raises:
        InputError: It names anything but tensors' own parts, is malformed, or over a limit.
    """
    machine = _Machine(len(pickle))
    try:
        for name, argument in opcodes(pickle, where):
            machine.step(name, argument)
        if len(machine.stack) != 1:
            raise FaultError("its pickle leaves more or less than one value")
        return machine.pop()
    except FaultError as fault:
        message, *hint = fault.args
        raise InputError(message, where=where, hint=hint[0] if hint else DAMAGED) from fault


class _Machine:
    """The stack and the memo of a pickle of some bytes."""

    def __init__(self, length: int) -> None:
        self.stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._copies = length

    def step(self, name: str, argument: Any) -> None:
        """Follow one opcode."""
        if name in _LITERALS:
            self.stack.append(_LITERALS[name]())
        elif name in _TUPLES:
            self.stack.append(tuple(reversed([self.pop() for _ in range(_TUPLES[name])])))
        elif name in _ACTIONS:
            _ACTIONS[name](self)
        elif name in ("BINPUT", "LONG_BINPUT"):
            self._memo[argument] = self.top()
        elif name in ("BINGET", "LONG_BINGET"):
            if argument not in self._memo:
                raise FaultError("its pickle fetches what it never put aside")
            self.stack.append(self._memo[argument])
        elif name == "GLOBAL":
            self.stack.append(known(*argument))
        elif name not in ("PROTO", "FRAME", "STOP"):
            self.stack.append(argument)  # a number, a text, bytes

    def top(self) -> Any:
        """Return what lies on top."""
        if not self.stack or self.stack[-1] is _MARK:
            raise FaultError("its pickle takes a value where there is none")
        return self.stack[-1]

    def pop(self) -> Any:
        """Take what lies on top."""
        value = self.top()
        self.stack.pop()
        return value

    def pop_mark(self) -> list[Any]:
        """Take all above the last mark, and the mark."""
        values: list[Any] = []
        while self.stack:
            value = self.stack.pop()
            if value is _MARK:
                values.reverse()
                return values
            values.append(value)
        raise FaultError("its pickle closes what it never opened")

    def discard(self) -> None:
        """Drop a value, or a mark."""
        if not self.stack:
            raise FaultError("its pickle drops a value where there is none")
        self.stack.pop()

    def memoize(self) -> None:
        """Put the top aside under the next number."""
        self._memo[len(self._memo)] = self.top()

    def append(self, values: list[Any]) -> None:
        """Extend the list below."""
        target = self.top()
        if type(target) is not list:
            raise FaultError("its pickle appends to what is no list")
        target.extend(values)

    def fill(self, values: list[Any]) -> None:
        """Add pairs to the dict below."""
        fill(self.top(), values)

    def name(self) -> None:
        """A name given by the two texts on top."""
        attribute, module = self.pop(), self.pop()
        if type(module) is not str or type(attribute) is not str:
            raise FaultError("its pickle has a name that is no text")
        self.stack.append(known(module, attribute))

    def reduce(self) -> None:
        """What torch.save writes as a call: a tensor, a parameter, an ordered dict."""
        arguments, function = self.pop(), self.pop()
        if type(arguments) is tuple:
            # One list that was put aside once can be fetched and copied by each of millions of calls; listed anew, each value takes a byte.
            self._copies -= sum(len(each) for each in (arguments, *arguments) if isinstance(each, list | tuple))
        if self._copies < 0:
            raise FaultError("its pickle has the same lists copied over and over")
        self.stack.append(record(function, arguments))

    def build(self) -> None:
        """An ordered dict's attributes (`_metadata`), of no use here; nothing else may have any."""
        state = self.pop()
        if type(self.top()) is not dict or type(state) is not dict:
            raise FaultError("its pickle sets attributes of what is no dict", SAFE)


_LITERALS: Mapping[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_TUPLE": tuple,
    "MARK": lambda: _MARK,
}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_ACTIONS: Mapping[str, Callable[[_Machine], None]] = {
    "POP": _Machine.discard,
    "DUP": lambda machine: machine.stack.append(machine.top()),
    "TUPLE": lambda machine: machine.stack.append(tuple(machine.pop_mark())),
    "LIST": lambda machine: machine.stack.append(machine.pop_mark()),
    "DICT": lambda machine: machine.stack.append(fill({}, machine.pop_mark())),
    "APPEND": lambda machine: machine.append([machine.pop()]),
    "APPENDS": lambda machine: machine.append(machine.pop_mark()),
    "SETITEM": lambda machine: machine.fill([machine.pop(), machine.pop()][::-1]),
    "SETITEMS": lambda machine: machine.fill(machine.pop_mark()),
    "MEMOIZE": _Machine.memoize,
    "STACK_GLOBAL": _Machine.name,
    "REDUCE": _Machine.reduce,
    "BUILD": _Machine.build,
    "BINPERSID": lambda machine: machine.stack.append(storage(machine.pop())),
}
