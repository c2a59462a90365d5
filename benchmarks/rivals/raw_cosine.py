"""The simplest thing that could work: the mean cosine of the matrices that have one name and one shape in both models."""

from pathlib import Path

import numpy as np
from safetensors import safe_open

from benchmarks.rivals.serving import AbstainError, Answer, serve


class RawCosine:
    """Keeps no fingerprint: both models are read for every pair, so a model's size is that of its weights."""

    def prepare(self, model: Path) -> int:
        files = _files(model)
        if not files:
            raise AbstainError("no safetensors")
        return sum(path.stat().st_size for path in files)

    def compare(self, a: Path, b: Path) -> Answer:
        ours, theirs = _tensors(a), _tensors(b)
        shared = [name for name in ours.keys() & theirs.keys() if ours[name][1] == theirs[name][1] and len(ours[name][1]) > 1]
        if not shared:
            raise AbstainError("no matrix of one name and one shape")
        cosines = [_cosine(_read(ours[name][0], name), _read(theirs[name][0], name)) for name in sorted(shared)]
        return Answer(float(np.mean(cosines)))


def _files(model: Path) -> list[Path]:
    return sorted(model.glob("*.safetensors"))


def _tensors(model: Path) -> dict[str, tuple[Path, tuple[int, ...]]]:
    """Where each tensor is, and its shape."""
    found: dict[str, tuple[Path, tuple[int, ...]]] = {}
    for path in _files(model):
        with safe_open(path, "pt") as file:
            names = file.keys()
            found |= {name: (path, tuple(file.get_slice(name).get_shape())) for name in names}
    return found


def _read(path: Path, name: str) -> np.ndarray:
    # Through torch: NumPy alone has no bfloat16.
    with safe_open(path, "pt") as file:
        values: np.ndarray = file.get_tensor(name).double().numpy().ravel()
    return values


def _cosine(x: np.ndarray, y: np.ndarray) -> float:
    norms = np.linalg.norm(x) * np.linalg.norm(y)
    return float(x @ y / norms) if norms else 0.0


if __name__ == "__main__":
    serve(RawCosine)
