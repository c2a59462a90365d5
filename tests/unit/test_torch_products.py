"""Products on a torch device, on torch's own processor device: all of a card's path but streams and page-locked memory."""

import pickle
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import SimpleNamespace

import ml_dtypes
import numpy as np
import pytest
import torch

from tensorguard.diagnosis import card
from tensorguard.errors import ResourceError, UsageError
from tensorguard.signals import cuda
from tensorguard.signals.cuda import TorchProducts
from tensorguard.signals.lane import Lane
from tensorguard.signals.products import NumpyProducts

SHAPES = [(1, 1), (3, 700), (256, 64), (64, 2048), (0, 8)]
TOLERANCE = 1e-6
"""Largest difference, over the sum of what is added up: a few roundings of float32."""


def normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def require_product(found: np.ndarray, A: np.ndarray, B: np.ndarray) -> None:
    assert (found.dtype, found.shape) == (np.float32, (A.shape[0], B.shape[1]))
    exact, sizes = A.astype(np.float64) @ B, np.abs(A).astype(np.float64) @ np.abs(B)
    assert np.all(np.abs(found - exact) <= TOLERANCE * sizes)


@pytest.fixture(scope="module")
def products() -> TorchProducts:
    return TorchProducts("cpu")


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [np.float32, np.float16, ml_dtypes.bfloat16], ids=["float32", "float16", "bfloat16"])
def test_products_are_those_of_the_numbers_that_are_stored(
    products: TorchProducts, shape: tuple[int, int], dtype: type
) -> None:
    rows, width = shape
    W, X, O = normal(1, *shape).astype(dtype), normal(2, width, 5), normal(3, rows, 7)  # noqa: E741
    wide = W.astype(np.float32)
    forward, backward = products.both(np.full_like(wide, np.nan) if dtype is not np.float32 else W, X, O, stored=W)
    assert backward is not None
    for found, again, A, B in (
        (forward, products.forward(wide, X), wide, X),
        (backward, products.backward(wide, O), wide.T, O),
    ):
        require_product(found, A, B)
        assert np.array_equal(found, again)
    ours, theirs = NumpyProducts().both(wide, X, O, stored=W)
    assert theirs is not None
    require_product(ours, wide, X)
    require_product(theirs, wide.T, O)
    assert NumpyProducts().both(wide, X)[1] is None


def test_tiles_may_lie_anyhow_and_later_ones_leave_earlier_results_alone(products: TorchProducts) -> None:
    large, X = normal(1, 40, 30), normal(2, 30, 4)
    X.flags.writeable = False
    first = products.forward(large[::2], X)
    kept = first.copy()
    require_product(products.forward(large[1:3, ::-1], X), large[1:3, ::-1], X)
    products.forward(normal(5, 400, 30), X)
    assert np.array_equal(first, kept)
    require_product(first, large[::2], X)


def test_a_reused_tile_buffer_is_read_anew(products: TorchProducts) -> None:
    W, X = normal(1, 8, 6), normal(2, 6, 3)
    products.forward(W, X)
    W *= 2
    require_product(products.forward(W, X), W, X)


def test_inputs_are_sent_once_and_only_so_many_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "_INPUT_BYTES", 4 * 6 * 3 * 2)  # two of them
    products, W = TorchProducts("cpu"), normal(0, 5, 6)
    held = products._inputs
    asked = [normal(seed, 6, 3) for seed in range(4)]
    for X in (*asked, *asked[::-1], asked[0][:, ::-1], asked[0].T.copy().T):
        require_product(products.forward(W, X), W, X)
        assert len(held._sent) <= 2
        assert held._bytes == sum(each.nbytes for each, _ in held._sent.values())
    X = asked[-1]
    products.forward(W, X)
    sent = held.get(X)
    products.forward(W, X)
    assert held.get(X) is sent
    products.forward(W, normal(9, 6, 30))  # larger than all the room: used, and it alone
    assert len(held._sent) == 1


def test_many_threads_share_one(products: TorchProducts) -> None:
    X = normal(0, 96, 11)
    tiles = [normal(seed, 1 + seed * 7 % 50, 96) for seed in range(60)]
    with ThreadPoolExecutor(6) as pool:
        for W, found in zip(tiles, pool.map(lambda W: products.forward(W, X), tiles), strict=True):
            require_product(found, W, X)


def test_it_can_be_sent_to_another_process(products: TorchProducts) -> None:
    again = pickle.loads(pickle.dumps(products))
    W, X = normal(1, 4, 3), normal(2, 3, 2)
    assert np.array_equal(again.forward(W, X), products.forward(W, X))
    assert (again.device, again.pinned) == ("cpu", False)


def test_values_that_are_not_finite_are_as_numpy_has_them(products: TorchProducts) -> None:
    W, X = np.full((2, 4), 3e38, np.float32), np.ones((4, 1), np.float32)
    W[1, 0] = np.nan
    assert np.array_equal(products.forward(W, X), np.array([[np.inf], [np.nan]], np.float32), equal_nan=True)


def test_what_cannot_be_had_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda._open.cache_clear()
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(UsageError, match="torch knows no device 'gpu'"):
        TorchProducts("gpu")
    with pytest.raises(ResourceError, match="torch sees no CUDA device"):
        TorchProducts("cuda")


def test_what_a_device_raises_is_said_in_our_words(products: TorchProducts) -> None:
    with pytest.raises(ResourceError, match="cpu fails: ") as told:
        products.forward(normal(0, 3, 4), normal(0, 5, 2))
    assert told.value.hint == "use --device cpu"


class _Streams:
    """torch with streams that only write down what is asked of them; everything is computed on the processor."""

    def __init__(self) -> None:
        self.log: list[tuple[str, object]] = []
        self.current: object = None
        self.cuda = SimpleNamespace(Stream=self._stream, Event=self._event, stream=self._within, OutOfMemoryError=MemoryError)

    def __getattr__(self, name: str) -> object:
        return getattr(torch, name)

    def empty(self, size: int, *, dtype: object, device: str, pin_memory: bool) -> torch.Tensor:
        self.log.append(("locked" if pin_memory else device, self.current))
        return torch.empty(size, dtype=dtype)

    def mm(self, A: torch.Tensor, B: torch.Tensor, out: torch.Tensor) -> None:
        self.log.append(("mm", self.current))
        torch.mm(A, B, out=out)

    def _stream(self, device: str) -> SimpleNamespace:
        return SimpleNamespace(device=device)

    def _event(self, *, blocking: bool) -> SimpleNamespace:
        assert blocking, "who waits must not keep a processor busy"
        return SimpleNamespace(
            record=lambda stream: self.log.append(("record", stream)),
            synchronize=lambda: self.log.append(("wait", self.current)),
        )

    @contextmanager
    def _within(self, stream: object) -> Iterator[None]:
        self.current = stream
        yield
        self.current = None


def test_a_card_is_reached_through_a_stream_and_locked_buffers_of_ones_own() -> None:
    fake = _Streams()
    lanes = [Lane(fake, "cuda", pinned=True) for _ in range(2)]
    W, X = normal(1, 6, 5), normal(2, 5, 3)
    for lane in (*lanes, *lanes):
        with lane.open():
            stream = fake.current
            asked = lane.multiply("W X", lane.send("W", W), torch.from_numpy(X))
            lane.wait()
            require_product(lane.copied(asked), W, X)
        assert [name for name, on in fake.log if on is stream and name in ("mm", "record", "wait")][-3:] == [
            "mm",
            "record",
            "wait",
        ]
    assert [name for name, _ in fake.log].count("locked") == 4, "two buffers on this side for each lane, made once"
    assert [name for name, _ in fake.log].count("cuda") == 4
    assert len({id(on) for name, on in fake.log if name == "record"}) == 2


def test_a_full_card_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    products = TorchProducts("cpu")
    fake = _Streams()
    monkeypatch.setattr(fake, "mm", lambda *_, **__: (_ for _ in ()).throw(MemoryError()))
    products._torch = fake
    with pytest.raises(ResourceError, match="the memory of cpu is full"):
        products.forward(normal(0, 2, 2), normal(1, 2, 2))


@pytest.mark.parametrize(("gain", "tolerance", "chosen"), [(0.0, 1e-5, "cpu-as-card"), (1e9, 1e-5, "cpu"), (0.0, -1.0, "cpu")])
def test_the_faster_is_taken_if_it_is_right(
    gain: float, tolerance: float, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(card, "_GAIN", gain)
    monkeypatch.setattr(card, "_TOLERANCE", tolerance)
    real = cuda.TorchProducts
    monkeypatch.setattr(cuda, "TorchProducts", lambda device, pinned=None: real("cpu", pinned=pinned))
    monkeypatch.setattr(cuda, "describe", lambda device: ("Card", 10**10))
    found = card.calibrate("cpu-as-card", 1, 0.06)
    assert found.chosen == chosen
    assert found.error is not None
    assert 0 <= found.error < 1e-5
    assert found.here
    assert found.there
    assert "differ" in found.why if tolerance < 0 else "times as fast" in found.why
