"""The matrix products of a signal on a CUDA device, by torch (the `[gpu]` extra). The only file that imports torch."""

from functools import lru_cache
from typing import Any

import numpy as np

from tensorguard.errors import ResourceError
from tensorguard.tensors.base import Float32


class TorchProducts:
    """Products on a torch device, in full float32: TF32 would cost half the digits."""

    def __init__(self, device: str) -> None:
        self.device = device
        _open(device)

    def forward(self, W: Float32, X: Float32) -> Float32:
        """Return W X; see `Products.forward`."""
        return self._fetch(self._send(W) @ self._send(X))

    def backward(self, W: Float32, O: Float32) -> Float32:  # noqa: E741
        """Return W^T O; see `Products.backward`."""
        return self._fetch(self._send(W).T @ self._send(O))

    def _send(self, values: Float32) -> Any:
        torch = _open(self.device)
        return torch.from_numpy(np.require(values, requirements=["C", "W"])).to(self.device, non_blocking=True)

    @staticmethod
    def _fetch(values: Any) -> Float32:
        fetched: Float32 = values.cpu().numpy()
        return fetched


@lru_cache(maxsize=4)
def _open(device: str) -> Any:
    """Import torch, make sure of the device and of full precision.

    Raises:
        ResourceError: torch is not installed, or has no such device.
    """
    try:
        import torch
    except ImportError as error:
        raise ResourceError("--device needs torch", hint="pip install 'tensorguard-llm[gpu]'") from error
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ResourceError("torch sees no CUDA device", hint="use --device cpu, or install torch with CUDA")
    torch.backends.cuda.matmul.allow_tf32 = False
    return torch
