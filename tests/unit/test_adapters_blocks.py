"""An adapted tensor, read in blocks: the same numbers as read whole, no more of the base than needed, and picklable."""

import pickle
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.adapters import numbers, whole
from support.memory import MemoryTensor
from tensorguard.adapters.base import AdaptedTensor, AddedTensor, WholeTensor
from tensorguard.adapters.dora import DoraTensor
from tensorguard.adapters.ia3 import ScaledTensor
from tensorguard.adapters.loha import Hadamard
from tensorguard.adapters.lokr import Kronecker, Side
from tensorguard.adapters.lowrank import LowRank
from tensorguard.adapters.oft import RotatedTensor, Rotation
from tensorguard.adapters.vera import SharedProduct
from tensorguard.tensors.base import Float32

ROWS, COLUMNS, RANK = 12, 8, 3


def held(*shape: int, seed: int = 0) -> MemoryTensor:
    return MemoryTensor(f"factor{seed}", numbers(*shape, seed=seed))


def low_rank(turned: bool = False, seed: int = 1) -> LowRank:
    outputs, inputs = (COLUMNS, ROWS) if turned else (ROWS, COLUMNS)
    return LowRank(held(outputs, RANK, seed=seed), held(RANK, inputs, seed=seed + 1), 1.5, turned)


def make(kind: str, base: MemoryTensor) -> AdaptedTensor:
    kronecker = Kronecker(Side(held(3, 2), None), Side(held(4, 2), held(2, 4, seed=5)), 0.5)
    makers: dict[str, Callable[[], AdaptedTensor]] = {
        "lora": lambda: AddedTensor(base, low_rank()),
        "lora-turned": lambda: AddedTensor(base, low_rank(turned=True)),
        "dora": lambda: DoraTensor(base, low_rank(), held(ROWS, seed=7)),
        "dora-turned": lambda: DoraTensor(base, low_rank(turned=True), held(COLUMNS, seed=7)),
        "ia3-rows": lambda: ScaledTensor(base, held(ROWS, 1), by_rows=True),
        "ia3-columns": lambda: ScaledTensor(base, held(1, COLUMNS), by_rows=False),
        "loha": lambda: AddedTensor(base, Hadamard(low_rank(), low_rank(seed=3))),
        "lokr": lambda: AddedTensor(base, kronecker),
        "oft": lambda: RotatedTensor(base, Rotation(held(2, 6), 4, 0, 0.0), inverse=True),
        "oft-shared": lambda: RotatedTensor(base, Rotation(held(1, 1), 2, 5, 0.1), inverse=False),
        "vera": lambda: AddedTensor(base, SharedProduct(held(20, 5), held(5, 30), held(ROWS), held(5), turned=False)),
        "vera-turned": lambda: AddedTensor(base, SharedProduct(held(20, 5), held(5, 30), held(COLUMNS), held(5), turned=True)),
        "replaced": lambda: WholeTensor(base.name, base.dtype, held(ROWS, COLUMNS, seed=9)),
    }
    return makers[kind]()


KINDS = (
    "lora",
    "lora-turned",
    "dora",
    "dora-turned",
    "ia3-rows",
    "ia3-columns",
    "loha",
    "lokr",
    "oft",
    "oft-shared",
    "vera",
    "vera-turned",
    "replaced",
)


def base_tensor() -> MemoryTensor:
    return MemoryTensor("w", numbers(ROWS, COLUMNS))


@st.composite
def ranges(draw: st.DrawFn, limit: int) -> slice:
    start = draw(st.integers(0, limit - 1))
    return slice(start, draw(st.integers(start + 1, limit)))


@pytest.mark.parametrize("kind", KINDS)
@given(rows=ranges(ROWS), columns=ranges(COLUMNS))
def test_a_block_is_that_part_of_the_whole(kind: str, rows: slice, columns: slice) -> None:
    block = make(kind, base_tensor()).read(rows, columns)
    assert block.dtype == np.float32
    np.testing.assert_allclose(block, whole(make(kind, base_tensor()))[rows, columns], rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_survives_pickling(kind: str) -> None:
    tensor = make(kind, base_tensor())
    copy = pickle.loads(pickle.dumps(tensor))
    assert (copy.name, copy.dtype, copy.shape, copy.where) == ("w", "F32", (ROWS, COLUMNS), "memory")
    np.testing.assert_array_equal(whole(copy), whole(tensor))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("oft", "oft-shared", "replaced")])
def test_rows_of_full_width_read_just_themselves_from_the_base(kind: str) -> None:
    base = base_tensor()
    tensor = make(kind, base)
    if kind == "dora-turned":
        tensor.read(slice(0, ROWS), slice(2, 4))
        assert base.reads == [(slice(0, ROWS), slice(2, 4))]
        return
    tensor.read(slice(3, 5), slice(0, COLUMNS))
    assert base.reads == [(slice(3, 5), slice(0, COLUMNS))]


def test_replaced_tensor_never_reads_the_base() -> None:
    base = base_tensor()
    whole(make("replaced", base))
    assert base.reads == []


def test_rotation_reads_only_the_blocks_it_turns() -> None:
    base = base_tensor()
    make("oft", base).read(slice(1, 2), slice(5, 6))
    assert base.reads == [(slice(1, 2), slice(4, 8))]


def test_norms_that_a_block_does_not_hold_are_read_once() -> None:
    base = base_tensor()
    tensor = make("dora", base)
    for column in range(COLUMNS):
        tensor.read(slice(0, 2), slice(column, column + 1))
    read = sum((rows.stop - rows.start) * (columns.stop - columns.start) for rows, columns in base.reads)
    assert read == ROWS * COLUMNS + 2 * COLUMNS


def test_exact_rotation_is_orthogonal() -> None:
    blocks = Rotation(held(3, 10), 5, 0, 0.0).blocks(0, 3)
    np.testing.assert_allclose(blocks @ blocks.transpose(0, 2, 1), np.broadcast_to(np.eye(5), (3, 5, 5)), atol=1e-5)


def test_kronecker_equals_numpy() -> None:
    first, second = held(3, 2), held(4, 4, seed=2)
    block = Kronecker(Side(first, None), Side(second, None), 2.0).block(slice(0, 12), slice(0, 8))
    np.testing.assert_allclose(block, 2 * np.kron(whole(first), whole(second)), rtol=1e-6)


def test_dora_rows_have_the_trained_magnitudes() -> None:
    tensor = make("dora", base_tensor())
    norms: Float32 = np.linalg.norm(whole(tensor), axis=1)
    np.testing.assert_allclose(norms, np.abs(numbers(ROWS, seed=7)), rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -3e38])
def test_odd_numbers_in_the_base_go_through_quietly(kind: str, value: float) -> None:
    array = numbers(ROWS, COLUMNS)
    array[4, :2] = value
    made = whole(make(kind, MemoryTensor("w", array)))
    clean = whole(make(kind, base_tensor()))
    far = [row for row in range(ROWS) if row != 4]
    if kind != "dora-turned":
        np.testing.assert_allclose(made[far], clean[far], rtol=1e-5, atol=1e-5)
    if kind != "replaced":
        assert not np.array_equal(made[4], clean[4])
