"""How one thread reaches a torch device: a stream of its own, and buffers that are used again for every tile.

Copies between page-locked memory and a card run beside its work and beside other threads' copies; out of ordinary memory the driver
copies twice and makes everybody wait. Who waits for a card sleeps, so that more threads than processors can keep it busy.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ml_dtypes
import numpy as np

from tensorguard.tensors.base import Float32

KINDS = {
    np.dtype(np.float32): "float32",
    np.dtype(np.float16): "float16",
    np.dtype(ml_dtypes.bfloat16): "bfloat16",
}
"""What tiles are sent as, and torch's names for it: half-width numbers cross as they are stored, and are widened on the card."""


class Lane:
    """What one thread needs; not for two at a time.

    Args:
        torch: The library.
        device: A torch device.
        pinned: Whether the buffers on this side are page-locked.
    """

    def __init__(self, torch: Any, device: str, *, pinned: bool) -> None:
        self._torch = torch
        self._here = _Buffers(torch, "cpu", pinned=pinned)
        self._there = _Buffers(torch, device, pinned=False)
        self._stream = torch.cuda.Stream(device) if device.startswith("cuda") else None
        self._done = torch.cuda.Event(blocking=True) if self._stream else None

    @contextmanager
    def open(self) -> Iterator[None]:
        """Let everything in the block go to this lane's stream."""
        if self._stream is None:
            yield
            return
        with self._torch.cuda.stream(self._stream):
            yield

    def send(self, name: str, values: Any) -> Any:
        """Begin to send an array of a dtype of `KINDS`, and return it as float32 on the device; valid until `name` is sent again."""
        kind = getattr(self._torch, KINDS[values.dtype])
        staged = self._here.take(name, values.shape, kind)
        staged.view(self._torch.uint8).numpy().view(values.dtype)[...] = values
        arrived = self._there.take(name, values.shape, kind)
        arrived.copy_(staged, non_blocking=True)
        if kind is self._torch.float32:
            return arrived
        wide = self._there.take(f"{name}, wide", values.shape, self._torch.float32)
        return wide.copy_(arrived)

    def multiply(self, name: str, A: Any, B: Any) -> Any:
        """Begin to compute A B on the device and to send it here; `wait` before it is looked at."""
        product = self._there.take(name, (A.shape[0], B.shape[1]), self._torch.float32)
        self._torch.mm(A, B, out=product)
        here = self._here.take(name, product.shape, self._torch.float32)
        return here.copy_(product, non_blocking=True)

    def wait(self) -> None:
        """Sleep until all that was begun is done."""
        if self._done is not None:
            self._done.record(self._stream)
            self._done.synchronize()

    @staticmethod
    def copied(here: Any) -> Float32:
        """Return what has arrived as an array of its own: the buffer is wanted for the next tile."""
        found: Float32 = here.numpy().copy()
        return found


class _Buffers:
    """Memory by name, as much as the largest array of that name has needed."""

    def __init__(self, torch: Any, device: str, *, pinned: bool) -> None:
        self._torch, self._device, self._pinned = torch, device, pinned
        self._held: dict[str, Any] = {}

    def take(self, name: str, shape: tuple[int, ...], kind: Any) -> Any:
        """Return a contiguous tensor; what the last one of this name held is lost."""
        size = int(np.prod(shape)) * kind.itemsize
        held = self._held.get(name)
        if held is None or len(held) < size:
            self._held[name] = None  # the old one goes first
            held = self._torch.empty(size, dtype=self._torch.uint8, device=self._device, pin_memory=self._pinned)
            self._held[name] = held
        return held[:size].view(kind).view(shape)
