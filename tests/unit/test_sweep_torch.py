"""A sweep whose products torch computes (on its own processor device where there is no card)."""

import numpy as np
import pytest
import torch

from support.sweeps import CONFIG, EXPERTS, gpt2, llama, normal, swept
from tensorguard.fingerprint.sketches import ARRAYS, Sketches
from tensorguard.signals.cuda import TorchProducts

TORCH = TorchProducts("cuda" if torch.cuda.is_available() else "cpu")
STEP = {"int8": 1.0, "int32": 0.0, "float16": 2e-3, "float32": 2e-3}
"""Steps of what is rounded to 8 bits, and the largest difference of the rest over the largest number; response sketches are halves."""


def require_alike(ours: Sketches, theirs: Sketches) -> None:
    assert (ours.blocks, ours.places, ours.sampled, ours.width) == (theirs.blocks, theirs.places, theirs.sampled, theirs.width)
    for name in ARRAYS:
        one, other = getattr(ours, name), getattr(theirs, name)
        largest = 1 if one.dtype.kind == "i" else np.abs(one).max(initial=0)
        assert one.any(), name
        assert np.abs(one.astype(np.float64) - other).max() <= STEP[one.dtype.name] * largest, name


@pytest.mark.parametrize("model", ["llama", "mixtral", "gpt2"])
def test_torch_and_numpy_give_one_sweep(model: str) -> None:
    arrays = gpt2() if model == "gpt2" else llama(experts=EXPERTS if model == "mixtral" else 0)
    config = {"model_type": "gpt2", "n_head": 4} if model == "gpt2" else CONFIG | {"model_type": model}
    ours, theirs = swept(arrays, config), swept(arrays, config, products=TORCH)
    assert ours.digests == theirs.digests, "nothing is multiplied for a digest"
    require_alike(ours.sketches, theirs.sketches)


def test_what_is_summed_over_many_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiles of a few rows: backward responses and response sketches are added up over them, and over ranges."""
    model = llama()
    whole = swept(model).sketches
    monkeypatch.setattr("tensorguard.signals.digest.BLOCK_ELEMENTS", 4 * 64)
    monkeypatch.setattr("tensorguard.fingerprint.sweep_tasks._TILE_ROWS", 8)
    monkeypatch.setattr("tensorguard.fingerprint.sweep_tasks._TASK_BLOCKS", 3)
    for products in ({}, {"products": TORCH}):
        parts = swept(model, **products).sketches
        for name in ("fixed", "words", "ids", "response", "row_mean", "unit_index"):
            one, other = getattr(whole, name).astype(np.float64), getattr(parts, name)
            assert np.abs(one - other).max() <= (1 if name == "fixed" else 2e-3 * np.abs(one).max()), name


def test_workers_do_not_matter_to_large_matrices() -> None:
    """Wide writers have tiles of sixteen blocks, readers of four: several of each, and one result."""
    model = llama()
    random = np.random.default_rng(0)
    model["model.layers.0.mlp.down_proj.weight"] = normal(random, 64, 80_000)
    for name in ("gate", "up"):
        model[f"model.layers.0.mlp.{name}_proj.weight"] = normal(random, 80_000, 64)
    one, three = swept(model), swept(model, workers=3)
    assert one.digests == three.digests
    for name in ARRAYS:
        assert np.array_equal(getattr(one.sketches, name), getattr(three.sketches, name)), name
