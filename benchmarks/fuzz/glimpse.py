"""What a hostile tensor goes through once its header was accepted: packed weights are found, a corner and the end of each are read."""

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from tensorguard.errors import InputError
from tensorguard.tensors.base import Stored

_MOST, _SIDE = 12, 24
"""Tensors that are read, and rows and columns of each."""


def glimpse(tensors: Sequence[Stored], config: Mapping[str, Any]) -> None:
    """Read a corner of the first tensors, as they are stored and as they are meant."""
    from tensorguard.quantisations.unpacking import unpacked

    meant = unpacked(tensors, config)
    for stored in (*tensors[:_MOST], *(each for each in meant.tensors[:_MOST] if each not in tensors)):
        with contextlib.suppress(InputError):  # what cannot be decoded is refused when it is read, and the next one may be
            read_corners(stored)


def read_corners(stored: Stored) -> None:
    """Read the first and the last few rows and columns of a tensor.

    Raises:
        InputError: It cannot be decoded.
    """
    from tensorguard.tensors.base import extent

    rows, columns = extent(stored)
    if not rows or not columns:
        return
    for down, across in ((0, 0), (max(0, rows - _SIDE), max(0, columns - _SIDE)), (rows // 2, 0)):
        block = stored.read(slice(down, min(rows, down + _SIDE)), slice(across, min(columns, across + _SIDE)))
        assert block.shape == (min(rows, down + _SIDE) - down, min(columns, across + _SIDE) - across)
        assert block.dtype == "float32"
