"""Sketches of matrices that a test made, by the definition of the response sketch: P^T W X."""

from collections.abc import Mapping

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from tensorguard.fingerprint.sketches import Place, Sketches
from tensorguard.probes.rademacher import PUBLIC, response_inputs, response_rows
from tensorguard.signals.traces import Traces

Matrices = dict[tuple[str, int | None], NDArray[np.float64]]

SHAPES = {"q": (48, 32), "o": (32, 48), "up": (96, 32), "down": (32, 96)}
VOCABULARY = 80


def sketched(matrices: Mapping[tuple[str, int | None], NDArray[np.float64]]) -> Sketches:
    """Return sketches of which only responses, places and traces are filled."""
    places, responses, traces = [], [], []
    for (role, layer), W in matrices.items():
        rows, columns = W.shape
        places.append(Place(role, layer, "decoder", rows, columns))
        P, X = response_rows(PUBLIC, 0, rows).astype(np.float64), response_inputs(PUBLIC, columns).astype(np.float64)
        responses.append(P.T @ W @ X)
        seen = Traces()
        seen.see(W.astype(np.float32), float(np.sum(W**2)))
        seen.see_sample(W.astype(np.float32))
        traces.append(seen.numbers())
    layers = sorted({layer for _, layer in matrices if layer is not None})
    empty = {name: np.zeros(0, np.float32) for name in Sketches.__dataclass_fields__ if name not in _FILLED}
    return Sketches(
        key="public",
        width=32,
        blocks=tuple(("decoder", layer) for layer in layers),
        places=tuple(places),
        sampled=(),
        response=np.array(responses, np.float32),
        traces=np.array(traces, np.float32),
        **empty,
    )


_FILLED = ("key", "width", "blocks", "places", "sampled", "response", "traces")


def random_model(seed: int, layers: int = 6) -> Matrices:
    """Return a model of Gaussian matrices of several sizes of weight, and an embedding."""
    rng = np.random.default_rng(seed)
    found: Matrices = {("embed", None): rng.normal(0, 1.0, (VOCABULARY, 32))}
    for layer in range(layers):
        for at, (role, shape) in enumerate(SHAPES.items()):
            found[role, layer] = rng.normal(0, 0.02 * (1 + at), shape)
    return found


def tuned(base: Matrices, seed: int, size: float, like: Matrices | None = None, cosine: float = 0.0) -> Matrices:
    """Return a fine-tune: a task vector of `size` relative to the weights; part of it may be along that of another fine-tune."""
    rng = np.random.default_rng(seed)
    found: Matrices = {}
    for key, W in base.items():
        move = rng.normal(0, 1, W.shape)
        if like is not None:
            shared = like[key] - W
            move = cosine * shared / shared.std() + np.sqrt(1 - cosine**2) * move
        found[key] = W + size * W.std() * move
    return found


def combined(weights: Mapping[float, Matrices] | list[tuple[float, Matrices]]) -> Matrices:
    """Return the sum of models times their weights."""
    pairs = list(weights.items()) if isinstance(weights, Mapping) else weights
    return {key: sum((w * model[key] for w, model in pairs), np.zeros(())) for key in pairs[0][1]}


def bfloat16(model: Matrices) -> Matrices:
    """Return the model rounded to bfloat16."""
    return {key: W.astype(ml_dtypes.bfloat16).astype(np.float64) for key, W in model.items()}
