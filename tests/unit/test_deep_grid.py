"""Quantisation grids made by independent quantisers."""

import gguf
import ml_dtypes
import numpy as np
import pytest
from gguf.quants import dequantize, quantize
from numpy.typing import NDArray
from scipy.stats import norm

from support.deep import one

RNG = np.random.default_rng(2)
B = (0.03 * RNG.standard_normal((400, 512))).astype(np.float32)


def absmax(W: NDArray[np.float32], largest: int, group: int) -> NDArray[np.float32]:
    groups = W.reshape(-1, group)
    scale = np.abs(groups).max(1, keepdims=True) / largest
    return (np.rint(groups / scale) * scale).reshape(W.shape).astype(np.float32)


def affine(W: NDArray[np.float32], levels: int, group: int) -> NDArray[np.float32]:
    groups = W.reshape(-1, group)
    low = groups.min(1, keepdims=True)
    step = (groups.max(1, keepdims=True) - low) / levels
    return (low + np.rint((groups - low) / step) * step).reshape(W.shape).astype(np.float32)


def normal_float(W: NDArray[np.float32], group: int) -> NDArray[np.float32]:
    """NF4 from its definition: quantiles of a normal, asymmetric so that 0 is a level."""
    offset = 0.9677083
    up = norm.ppf(np.linspace(offset, 0.5, 9)[:-1])
    down = -norm.ppf(np.linspace(offset, 0.5, 8)[:-1])
    table = np.sort(np.r_[up, 0, down])
    table /= table.max()
    groups = W.reshape(-1, group)
    scale = np.abs(groups).max(1, keepdims=True)
    nearest = np.abs(groups[:, :, None] / scale[:, :, None] - table).argmin(2)
    return (table[nearest] * scale).reshape(W.shape).astype(np.float32)


@pytest.mark.parametrize(
    ("quantised", "bits", "group", "codebook"),
    [
        (absmax(B, 127, 512), 8, 512, "uniform"),
        (absmax(B, 127, 64), 8, 64, "uniform"),
        (absmax(B, 7, 32), 4, 32, "uniform"),
        (affine(B, 15, 128), 4, 128, "uniform"),
        (affine(B, 255, 512), 8, 512, "uniform"),
        (normal_float(B, 64), 4, 64, "nf4"),
        (absmax(B, 127, 512).astype(ml_dtypes.bfloat16).astype(np.float32), 8, 512, "uniform"),
    ],
)
def test_the_grid_and_which_side_was_rounded(quantised: NDArray[np.float32], bits: int, group: int, codebook: str) -> None:
    found = one(quantised, B)
    grid, other = found.grids
    assert other is None
    assert grid is not None
    assert (grid.axis, grid.bits, grid.group, grid.codebook, grid.whole) == ("row", bits, group, codebook, group == 512)
    assert grid.nearest > 0.98
    assert (found.kind, found.made) == ("quantised", "first")
    assert (one(B, quantised).kind, one(B, quantised).made) == ("quantised", "second")


@pytest.mark.parametrize(("name", "bits"), [("Q4_0", 4), ("Q4_1", 4), ("Q5_0", 5), ("Q8_0", 8)])
def test_ggufs_own_quantisers(name: str, bits: int) -> None:
    kind = gguf.GGMLQuantizationType[name]
    found = one(dequantize(quantize(B, kind), kind), B)
    grid = found.grids[0]
    assert grid is not None
    assert (grid.bits, grid.group, found.made) == (bits, 32, "first")


def test_a_grid_along_columns() -> None:
    found = one(np.ascontiguousarray(absmax(np.ascontiguousarray(B.T), 127, 400).T), B)
    grid = found.grids[0]
    assert grid is not None
    assert (grid.axis, grid.bits, grid.whole) == ("column", 8, True)


def test_rounding_that_is_not_to_the_nearest_level_is_told() -> None:
    step = np.abs(B).max(1, keepdims=True) / 7
    A = (np.clip(np.rint(B / step + RNG.uniform(-0.8, 0.8, B.shape)), -7, 7) * step).astype(np.float32)
    grid = one(A, B).grids[0]
    assert grid is not None
    assert grid.nearest < 0.8


def test_free_values_lie_on_no_grid() -> None:
    for dtype in (np.float32, np.float16, ml_dtypes.bfloat16):
        values = B.astype(dtype).astype(np.float32)
        found = one(values, (B + 0.01 * RNG.standard_normal(B.shape)).astype(np.float32))
        assert found.grids == (None, None)


def test_a_lora_on_a_base_that_was_quantised_before_is_no_quantisation() -> None:
    base = absmax(B, 7, 32)
    merged = base + (1e-3 * RNG.standard_normal((400, 4)) @ RNG.standard_normal((4, 512))).astype(np.float32)
    found = one(merged, base)
    assert (found.kind, found.made, found.spectrum and found.spectrum.rank) == ("low-rank", "first", 4)
