"""Is there a card, and are products better done on it? A few tiles both ways tell. Nothing is imported that a machine without one lacks."""

import ctypes
import importlib.util
import itertools
import math
import os
import sys
from functools import cache, partial

import numpy as np

from tensorguard.diagnosis.base import Card
from tensorguard.diagnosis.clock import timed
from tensorguard.diagnosis.work import COLUMNS, Tile, multiplied, tiles
from tensorguard.engines.sizing import processors
from tensorguard.errors import TensorGuardError
from tensorguard.signals.products import NumpyProducts, Products

AUTO = "auto"
"""The device that is `cuda` where that is faster, else `cpu`."""

_DRIVERS = {"win32": "nvcuda.dll"}
_HIDDEN = ("", "-1", "NoDevFiles")
_GAIN = 1.2
"""Not worth another way of rounding for less."""
_TOLERANCE = 1e-5
"""Largest difference between both, over the largest number."""


def settled(device: str) -> str:
    """Return the device that is meant: `auto` is decided here, once in a process."""
    return choose().chosen if device == AUTO else device


@cache
def choose(seconds: float = 0.6) -> Card:
    """Decide where products are computed.

    torch is imported only where it is installed and the driver of a card is there.

    Args:
        seconds: How long to try both, starting torch and the card apart.
    """
    if importlib.util.find_spec("torch") is None:
        return Card(
            "", 0, "cpu", "a card's driver is here, and torch is not installed" if driver() else "torch is not installed"
        )
    if not driver():
        return Card("", 0, "cpu", "there is no driver of a card")
    try:
        return calibrate("cuda", processors(), seconds)
    except TensorGuardError as error:
        return Card("", 0, "cpu", error.message)


def driver() -> bool:
    """Say whether a CUDA driver can be loaded, and its cards are not hidden from this process."""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in _HIDDEN:
        return False
    try:
        ctypes.CDLL(_DRIVERS.get(sys.platform, "libcuda.so.1"))
    except OSError:
        return False
    return True


def calibrate(device: str, workers: int, seconds: float) -> Card:
    """Multiply the same tiles on a torch device and on the processors.

    Raises:
        ResourceError: torch or the device is missing, or fails.
    """
    from tensorguard.signals.cuda import TorchProducts, describe
    from tensorguard.signals.products import IN_FLIGHT

    name, memory = describe(device)
    given, ours, theirs = tiles(), NumpyProducts(), TorchProducts(device)
    error = max(_difference(tile, ours, theirs) for tile in given)
    bytes_each = 1 / COLUMNS  # per floating-point operation: two of them a number and column, two bytes a number

    def bytes_per_second(products: Products, threads: int) -> float:
        return timed(partial(multiplied, given, products), itertools.count(), threads, seconds / 3).rate * bytes_each

    here = bytes_per_second(ours, workers)
    there = bytes_per_second(theirs, IN_FLIGHT * workers)
    unpinned = bytes_per_second(TorchProducts(device, pinned=False), IN_FLIGHT * workers)
    known = error if math.isfinite(error) else None
    found = partial(Card, name, memory, here=here, there=there, unpinned=unpinned, error=known)
    times = f"{there / here:.2g} times as fast as {workers} processors"
    if not error <= _TOLERANCE:  # a difference that is not a number is one, too
        return found("cpu", f"the card's products differ by {error:.2g} of the largest")
    if there < _GAIN * here:
        return found("cpu", f"the card is {times}")
    return found(device, f"the card is {times}")


def _difference(tile: Tile, ours: Products, theirs: Products) -> float:
    pairs = [(ours.forward(tile.W, tile.X), theirs.forward(tile.W, tile.X))]
    if tile.O is not None:
        pairs.append((ours.backward(tile.W, tile.O), theirs.backward(tile.W, tile.O)))
    return max(float(np.abs(one - other).max() / np.abs(one).max()) for one, other in pairs)
