"""How fast the processors do what a fingerprint asks of them, on numbers made up for it: the shapes are those of a model of 8 B."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from tensorguard.diagnosis.base import Bound, Rate, Work
from tensorguard.diagnosis.clock import Run, timed
from tensorguard.fingerprint.questions import ID_COLUMNS
from tensorguard.fingerprint.sweep_tasks import Question, Range, answer, extent_of, ranges
from tensorguard.fingerprint.tasks import Task, ask, plan
from tensorguard.formats.base import TensorInfo
from tensorguard.probes.inputs import ProbeSpec
from tensorguard.probes.rademacher import PUBLIC, RESPONSE
from tensorguard.signals.digest import BLOCK_ELEMENTS, block_digest
from tensorguard.signals.products import NumpyProducts, Products
from tensorguard.tensors.base import Float32
from tensorguard.tensors.decoding import decode
from tensorguard.tensors.storage import StoredTensor
from tensorguard.tensors.weight import Weight

WIDTH, INNER = 4096, 14336
"""Of the residual stream, and of the feed-forward layers."""

COLUMNS = ID_COLUMNS.stop + RESPONSE[1]
"""What a number is multiplied by: a matrix that reads the stream by all inputs, one that writes to it by part of them each way."""

_HELD = 2**24
"""Numbers that are made up: 32 MB, more than most caches hold."""

_ROUNDS = 2
_ROWS = 2**8
_TILE = _ROWS * WIDTH


def measure(workers: int, seconds: float) -> Work:
    """Measure every part, with one thread and with all.

    Args:
        workers: How many processors there are.
        seconds: How long in all, about.
    """
    slot, numbers = seconds / 12, _numbers()
    threads = (1, workers) if workers > 1 else (1,)

    runs: list[Run] = []

    def both(function: Callable[[int], int], longer: float = 1) -> Rate:
        """Take the better of two runs each: whoever shares the processors shares their caches, too."""
        function(0)
        tried = [timed(function, itertools.count(), count, slot * longer / _ROUNDS) for count in threads * _ROUNDS]
        runs.extend(tried)
        one, together = (max(run.alone for run in tried if run.workers == count) for count in (1, workers))
        return Rate(one, together)

    asked = questions(numbers)
    sweep = partial(_answered, asked=asked, products=NumpyProducts())
    for number in range(len(asked)):  # what is made once for a place in a matrix is made
        sweep(number)
    return Work(
        copy=both(partial(_copied, numbers), 0.5),
        hash=both(partial(_hashed, numbers), 0.5),
        decode=both(partial(_decoded, numbers), 0.5),
        product=both(partial(multiplied, tiles(), NumpyProducts())),
        columns=COLUMNS,
        sweep=both(sweep, 2),
        sixteen=both(partial(_asked, _sixteen(numbers))),
        given=sum(run.given * run.seconds for run in runs) / sum(run.seconds for run in runs),
    )


def shares(work: Work) -> dict[Bound, float]:
    """Return which share of one thread's time of a sweep each part takes, the largest first: hash, decoding, product, and the rest."""
    whole = 1 / work.sweep.one
    parts: dict[Bound, float] = {
        "hash": 1 / work.hash.one,
        "decoding": 1 / work.decode.one,
        "product": work.columns / work.product.one,  # two operations a number and column, two bytes a number
    }
    parts["rest"] = max(0.0, whole - sum(parts.values()))
    total = sum(parts.values())
    return dict(sorted(((name, part / total) for name, part in parts.items()), key=lambda each: -each[1]))


@dataclass(frozen=True, slots=True)
class Tile:
    """Rows as a sweep multiplies them.

    Attributes:
        W: float32 of shape (rows, d).
        X: Inputs, float32 of shape (d, columns).
        O: Outputs, float32 of shape (rows, columns), or None.
    """

    W: Float32
    X: Float32
    O: Float32 | None  # noqa: E741


def tiles() -> tuple[Tile, Tile]:
    """Return a tile of a matrix that reads the residual stream, and one of a matrix that writes to it."""
    random = np.random.default_rng(1)

    def normal(*shape: int) -> Float32:
        return random.standard_normal(shape, np.float32)

    kept = RESPONSE[1]
    return (
        Tile(normal(_ROWS, WIDTH), normal(WIDTH, COLUMNS), None),
        Tile(normal(_ROWS, WIDTH), normal(WIDTH, kept), normal(_ROWS, COLUMNS - kept)),
    )


def multiplied(given: tuple[Tile, ...], products: Products, number: int) -> int:
    """Multiply a tile, and return how many floating-point operations that took."""
    tile = given[number % len(given)]
    products.both(tile.W, tile.X, tile.O)
    return 2 * tile.W.size * COLUMNS


@dataclass(frozen=True)
class _InMemory:
    """A source that is read as a file in the cache is: by copying."""

    held: NDArray[np.uint8] = field(repr=False)
    name = "memory"
    modified = 0

    @property
    def size(self) -> int:
        return len(self.held)

    def read_at(self, offset: int, length: int) -> NDArray[np.uint8]:
        return self.held[offset : offset + length].copy()


def questions(numbers: NDArray[np.uint16]) -> list[Range]:
    """Return ranges of rows of two matrices that read the stream for every one that writes to it, as in a block of a Llama."""
    random = np.random.default_rng(2)
    source = _InMemory(numbers.view(np.uint8))

    def weight(role: str, width: int) -> Weight:
        rows = len(numbers) // width
        info = TensorInfo(role, "BF16", (rows, width), source, 0, 2 * rows * width)
        return Weight(role, 0, (rows, width), StoredTensor(info))

    gate, down = weight("gate", WIDTH), weight("down", INNER)
    reads = Question(gate, PUBLIC, random.standard_normal((WIDTH, COLUMNS), np.float32))
    writes = Question(down, PUBLIC, None, random.standard_normal((down.shape[0], COLUMNS - RESPONSE[1]), np.float32))
    every = [Range(each, start, stop) for each in (reads, writes) for start, stop in ranges(*extent_of(each.tensor))]
    of = {role: [task for task in every if task.question.tensor.name == role] for role in ("gate", "down")}
    mixed = zip(of["gate"][::2], of["gate"][1::2], of["down"], strict=False)
    return [task for tasks in mixed for task in tasks]


def _answered(number: int, *, asked: list[Range], products: Products) -> int:
    task = asked[number % len(asked)]
    answer(task, products)
    return 2 * (task.stop - task.start) * extent_of(task.question.tensor)[1]


def _numbers() -> NDArray[np.uint16]:
    normal = np.random.default_rng(0).standard_normal(2**20, np.float32)
    bits: NDArray[np.uint16] = normal.astype(ml_dtypes.bfloat16).view(np.uint16)
    return np.tile(bits, _HELD // len(bits))


def _piece(numbers: NDArray[np.uint16], number: int) -> NDArray[np.uint16]:
    start = number * _TILE % _HELD
    return numbers[start : start + _TILE]


def _copied(numbers: NDArray[np.uint16], number: int) -> int:
    return _piece(numbers, number).copy().nbytes


def _hashed(numbers: NDArray[np.uint16], number: int) -> int:
    piece, nothing = _piece(numbers, number), np.empty(0, np.float32)
    for start in range(0, len(piece), BLOCK_ELEMENTS):
        block_digest(nothing, piece[start : start + BLOCK_ELEMENTS])
    return piece.nbytes


def _decoded(numbers: NDArray[np.uint16], number: int) -> int:
    return decode(_piece(numbers, number).view(np.uint8), "BF16").nbytes // 2


def _asked(tasks: list[Task], number: int) -> int:
    """Do one of the two readings that the 16 numbers take; each counts for half."""
    task = tasks[number % len(tasks)]
    ask(task, NumpyProducts())
    return (task.stop - task.start) * WIDTH


def _sixteen(numbers: NDArray[np.uint16]) -> list[Task]:
    rows, probes = _HELD // 4 // WIDTH, ProbeSpec()
    info = TensorInfo("q", "BF16", (rows, WIDTH), _InMemory(numbers.view(np.uint8)), 0, 2 * rows * WIDTH)
    weight = Weight("q", 0, (rows, WIDTH), StoredTensor(info))
    first = plan(weight, probes, probes.pending())
    X = np.random.default_rng(3).standard_normal((WIDTH, len(probes.pending())), np.float32)
    return [task for pair in zip(first, plan(weight, probes, (), X=X), strict=True) for task in pair]
