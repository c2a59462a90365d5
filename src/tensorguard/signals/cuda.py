"""The matrix products of a signal on a CUDA device, by torch (the `[gpu]` extra). The only file that imports torch.

Any torch device will do; what is written for cards alone (streams, page-locked buffers) is left out on others.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorguard.errors import ResourceError, UsageError
from tensorguard.signals.lane import KINDS, Lane
from tensorguard.tensors.base import Float32

_INPUT_BYTES = 2**28
"""What inputs that stay on the device may take together."""


class TorchProducts:
    """Products on a torch device, in full float32: TF32 would cost half the digits.

    Safe to use from many threads; each has a stream and buffers of its own, so that on the card there are never more than its threads'
    tiles and `_INPUT_BYTES` of inputs. Inputs X are sent once and then known by where they lie: they must not be changed.

    Args:
        device: A torch device: `cuda`, `cuda:1`, or `cpu`, which is good for tests alone.
        pinned: Whether tiles are sent from page-locked memory; by default to a card.

    Raises:
        ResourceError: torch is not installed, or has no such device.
        UsageError: torch knows no device of this name.
    """

    def __init__(self, device: str, *, pinned: bool | None = None) -> None:
        self.device, self.pinned = device, device.startswith("cuda") if pinned is None else pinned
        self._prepare()

    def _prepare(self) -> None:
        self._torch = _open(self.device)
        self._inputs = _Inputs(self._torch, self.device)
        self._lanes = threading.local()

    def __getstate__(self) -> tuple[str, bool]:
        return self.device, self.pinned

    def __setstate__(self, state: tuple[str, bool]) -> None:
        self.device, self.pinned = state
        self._prepare()

    def forward(self, W: Float32, X: Float32) -> Float32:
        """Return W X; see `Products.forward`."""
        return self.both(W, X)[0]

    def backward(self, W: Float32, O: Float32) -> Float32:  # noqa: E741
        """Return W^T O; see `Products.backward`."""
        with _failing(self._torch, self.device), self._lane().open():
            lane = self._lane()
            seen = lane.multiply("W^T O", lane.send("W", _sendable(W)).T, lane.send("O", _sendable(O)))
            lane.wait()
            return lane.copied(seen)

    def both(
        self,
        W: Float32,
        X: Float32,
        O: Float32 | None = None,  # noqa: E741
        stored: NDArray[Any] | None = None,
    ) -> tuple[Float32, Float32 | None]:
        """Return W X and, if O is given, W^T O; see `Products.both`."""
        with _failing(self._torch, self.device), self._lane().open():
            lane = self._lane()
            inputs, sent = self._inputs.get(X), lane.send("W", _sendable(W if stored is None else stored))
            asked = lane.multiply("W X", sent, inputs)
            seen = None if O is None else lane.multiply("W^T O", sent.T, lane.send("O", _sendable(O)))
            lane.wait()  # and so nobody reads `inputs` any more when it is given up
            return lane.copied(asked), None if seen is None else lane.copied(seen)

    def _lane(self) -> Lane:
        found: Lane | None = getattr(self._lanes, "own", None)
        if found is None:
            found = self._lanes.own = Lane(self._torch, self.device, pinned=self.pinned)
        return found


class _Inputs:
    """Inputs that were sent, the last used of them; each is held on this side too, so that no other can lie where it does."""

    def __init__(self, torch: Any, device: str) -> None:
        self._torch, self._device = torch, device
        self._sent: OrderedDict[tuple[object, ...], tuple[Float32, Any]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, X: Float32) -> Any:
        """Return X on the device."""
        key = (X.__array_interface__["data"][0], X.shape, X.strides)
        with self._lock:
            if key in self._sent:
                self._sent.move_to_end(key)
                return self._sent[key][1]
            self._bytes += X.nbytes
            while self._sent and self._bytes > _INPUT_BYTES:
                self._bytes -= self._sent.popitem(last=False)[1][0].nbytes
            # Waits until all of it is there, for streams other than this thread's.
            there = self._torch.from_numpy(np.array(X, np.float32, order="C")).to(self._device)
            self._sent[key] = X, there
            return there


@contextmanager
def _failing(torch: Any, device: str) -> Iterator[None]:
    """Turn what torch raises of a device into an error that says what to do."""
    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        raise ResourceError(f"the memory of {device} is full", hint="use fewer --workers, or --device cpu") from error
    except RuntimeError as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise ResourceError(f"{device} fails: {said}", hint="use --device cpu") from error


def _sendable(values: NDArray[Any]) -> NDArray[Any]:
    return values if values.dtype in KINDS else np.asarray(values, np.float32)


@lru_cache(maxsize=4)
def _open(device: str) -> Any:
    """Import torch, make sure of the device and of full precision.

    Raises:
        ResourceError: torch is not installed, or has no such device.
        UsageError: torch knows no device of this name.
    """
    try:
        import torch
    except (ImportError, OSError) as error:  # OSError: its own libraries are missing
        raise ResourceError("--device needs torch", hint="pip install 'tensorguard-llm[gpu]'") from error
    try:
        kind = torch.device(device).type
    except RuntimeError as error:
        raise UsageError(f"torch knows no device {device!r}", hint="use cpu or cuda") from error
    if kind == "cuda" and not torch.cuda.is_available():
        raise ResourceError("torch sees no CUDA device", hint="use --device cpu, or install torch with CUDA")
    torch.backends.cuda.matmul.allow_tf32 = False
    return torch


def describe(device: str) -> tuple[str, int]:
    """Return what a device is called and its bytes of memory; 0 of one that is no card.

    Raises:
        ResourceError: torch is not installed, or has no such device.
    """
    torch = _open(device)
    if torch.device(device).type != "cuda":
        return device, 0
    with _failing(torch, device):
        found = torch.cuda.get_device_properties(device)
        return str(found.name), int(found.total_memory)
