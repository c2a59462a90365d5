"""Deep comparison of two tensors against direct formulae on whole arrays."""

import dataclasses
import json

import ml_dtypes
import numpy as np
import pytest
from numpy.typing import NDArray

from support.deep import compare, llama, one
from tensorguard.engines.base import Engine
from tensorguard.engines.inline import Inline
from tensorguard.engines.processes import Processes
from tensorguard.engines.threads import Threads
from tensorguard.errors import InputError

RNG = np.random.default_rng(0)


def normal(*shape: int) -> NDArray[np.float32]:
    return RNG.standard_normal(shape).astype(np.float32)


def test_numbers_of_a_matrix_of_many_tiles() -> None:
    B = normal(9000, 513)
    A = np.where(RNG.random(B.shape) < 0.3, B, 0.8 * B + 0.1 * normal(*B.shape)).astype(np.float32)
    A[RNG.random(B.shape) < 0.05] = 0
    B[RNG.random(B.shape) < 0.02] = 0
    found = one(A, B)
    a, b = A.astype(np.float64), B.astype(np.float64)
    assert found.cosine == pytest.approx((a * b).sum() / np.linalg.norm(a) / np.linalg.norm(b), abs=1e-12)
    assert found.difference == pytest.approx(np.linalg.norm(a - b) / np.linalg.norm(b), rel=1e-6)
    assert found.scale == pytest.approx((a * b).sum() / (b * b).sum(), rel=1e-12)
    assert found.equal == pytest.approx(np.mean(A == B), abs=1e-12)
    assert found.zeros.first == pytest.approx(np.mean(A == 0), abs=1e-12)
    assert found.zeros.second == pytest.approx(np.mean(B == 0), abs=1e-12)
    assert found.zeros.kept == pytest.approx(np.mean(A[B == 0] == 0), abs=1e-12)
    assert found.zeros.surviving == pytest.approx(np.mean(A[A != 0] == B[A != 0]), abs=2e-3)
    rows = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    columns = (a * b).sum(0) / np.linalg.norm(a, axis=0) / np.linalg.norm(b, axis=0)
    assert found.row_cosine == pytest.approx(np.median(rows), abs=1e-12)
    assert found.column_cosine == pytest.approx(np.median(columns), abs=1e-12)
    assert found.kind == "full"


@pytest.mark.parametrize("engine", [Threads(1), Threads(3), Processes(2)], ids=["one", "three", "processes"])
def test_workers_do_not_change_a_bit(engine: Engine) -> None:
    first, second = llama(0), llama(1)
    name = "model.embed_tokens.weight"
    second[name] = first[name] + normal(600, 3) @ normal(3, 64)
    assert compare(first, second, engine) == compare(first, second, Inline())


def test_the_result_is_json() -> None:
    deep = compare(llama(0), llama(1))
    text = json.dumps(dataclasses.asdict(deep), allow_nan=False)
    assert json.loads(text)["kind"] == "unrelated"


@pytest.mark.parametrize(("dtype", "name"), [(ml_dtypes.bfloat16, "bf16"), (np.float16, "f16")])
def test_a_cast_tells_its_direction(dtype: type, name: str) -> None:
    B = normal(300, 200)
    A = B.astype(dtype).astype(np.float32)
    assert (one(A, B).kind, one(A, B).made, one(A, B).detail) == ("cast", "first", name)
    assert (one(B, A).kind, one(B, A).made) == ("cast", "second")
    A[5, 7] *= 1.5
    assert one(A, B).kind != "cast"


def test_pruning_tells_its_direction_and_what_survives() -> None:
    B = normal(300, 200)
    A = np.where(np.abs(B) < 0.5, 0, B).astype(np.float32)
    assert (one(A, B).kind, one(A, B).made, one(A, B).zeros.surviving) == ("pruned", "first", 1.0)
    assert (one(B, A).kind, one(B, A).made, one(B, A).zeros.kept) == ("pruned", "second", 0.0)
    rounded = A.astype(ml_dtypes.bfloat16).astype(np.float32)
    assert (one(rounded, B).kind, one(rounded, B).made) == ("pruned", "first")


@pytest.mark.parametrize(
    ("factor", "detail"),
    [
        (np.float32(1.7), "whole"),
        (np.linspace(0.5, 2, 300, dtype=np.float32)[:, None], "rows"),
        (np.where(np.arange(300) % 3, 1.5, -0.7).astype(np.float32)[:, None], "rows, some with the other sign"),
        (np.linspace(0.5, 2, 200, dtype=np.float32), "columns"),
    ],
)
def test_scalings(factor: NDArray[np.float32], detail: str) -> None:
    B = normal(300, 200)
    found = one(B * factor, B)
    assert (found.kind, found.detail) == ("scaled", detail)
    assert one((B * factor).astype(ml_dtypes.bfloat16).astype(np.float32), B).detail == detail


def test_identical_and_unrelated() -> None:
    B = normal(300, 200)
    assert (one(B, B).kind, one(B, B).cosine, one(B, B).difference) == ("identical", 1.0, 0.0)
    assert one(normal(300, 200), B).kind == "unrelated"
    zero = np.zeros_like(B)
    assert (one(zero, B).cosine, one(B, zero).difference) == (0.0, 1.0)


def test_values_that_are_not_finite_are_refused_by_name() -> None:
    A = normal(30, 20)
    B = A.copy()
    B[3, 4] = np.nan
    with pytest.raises(InputError, match="up_proj"):
        one(A, B)
