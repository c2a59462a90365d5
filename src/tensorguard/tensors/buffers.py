"""What a checkpoint stores beside its parameters: buffers, formula tensors, and the scales of quantised weights."""

import json
from collections.abc import Mapping, Set
from functools import cache
from importlib.resources import files

from tensorguard.tensors.base import Stored

_LONGEST = 3
_PACKED = frozenset({"U8", "U32", "I32"})


def reason_to_exclude(stored: Stored, names: Set[str]) -> str:
    """Say why a tensor is neither a weight nor a vector of the model; empty if it may be one.

    Integers with scales beside them among `names` (all names of the checkpoint) are packed weights of bitsandbytes or MLX.

    Names are compared at a dot boundary from their end (`data/buffers.json`). A `bias` of an attention is a mask only if it has three
    or more dimensions.
    """
    if 0 in stored.shape:
        return "has no elements"
    if stored.dtype in _PACKED and not names.isdisjoint(
        (f"{stored.name}.absmax", f"{stored.name.removesuffix('.weight')}.scales")
    ):
        return "weights packed into integers (bitsandbytes, MLX), not decoded"
    tables = _tables()
    components = stored.name.split(".")
    for length in range(min(_LONGEST, len(components)), 0, -1):
        end = ".".join(components[-length:])
        if end in tables["buffers"]:
            return tables["buffers"][end]
        if end in tables["scales"]:
            return tables["scales"][end]
        if end in tables["masks"] and len(stored.shape) > 2:
            return tables["masks"][end]
    return ""


@cache
def _tables() -> Mapping[str, Mapping[str, str]]:
    text = (files("tensorguard.tensors") / "data" / "buffers.json").read_text("utf-8")
    loaded: Mapping[str, Mapping[str, str]] = json.loads(text)
    return loaded
