"""One range of rows of a tensor: read once, and everything the lineage fingerprint asks of it answered.

Which rows make a range depends on the tensor's width alone, so neither the container nor the number of workers can change a bit.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorguard.probes.rademacher import RESPONSE, Key, response_inputs, response_rows
from tensorguard.signals.digest import block_digest, block_rows
from tensorguard.signals.products import Products
from tensorguard.signals.sample import row_sample, sample_rows
from tensorguard.signals.traces import Traces, squares
from tensorguard.tensors.base import Float32, Stored, extent
from tensorguard.tensors.bfloat16 import bfloat16_bits
from tensorguard.tensors.decoding import PLAIN
from tensorguard.tensors.view import Vector
from tensorguard.tensors.weight import Weight

_TASK_BLOCKS = 16
"""Blocks of a digest in a range."""

_TILE_BLOCKS = 4
"""Blocks that are decoded and multiplied at a time, if they are enough rows: 4 MiB of float32."""

_TILE_ROWS = 2**8
"""Rows that are multiplied at a time, or all of the range: with fewer, products spend their time on the sums and not on the rows."""

_SKETCHED_ROWS = 2**12
"""Rows of a response sketch that are added up at a time; tall and narrow matrices have many in a tile."""

_WIDEST = 2**18
"""A matrix with more columns has no response sketch: no layer is that wide, and the inputs are held in memory."""


@dataclass(frozen=True, slots=True)
class Question:
    """What to ask one tensor.

    Attributes:
        tensor: The tensor.
        key: Whose probes.
        forward: Inputs whose responses are wanted row by row and, last, the 16 of the response sketch: float32 of shape
            (d, columns + 16); None for the latter alone.
        backward: Outputs X whose responses W^T X are wanted, float32 of shape (rows, columns); None for none.
        sample: The first row of the row sample that is wanted, None for none.
        whole: Whether anything but the row sample is wanted.
    """

    tensor: Weight | Stored
    key: Key
    forward: Float32 | None = field(default=None, repr=False)
    backward: Float32 | None = field(default=None, repr=False)
    sample: int | None = None
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Range:
    """Rows `start` to `stop` of a tensor."""

    question: Question
    start: int
    stop: int


def extent_of(member: Weight | Vector | Stored) -> tuple[int, int]:
    """Return (rows, columns) of what is read as a matrix."""
    if isinstance(member, Weight):
        return member.shape
    return extent(member.stored if isinstance(member, Vector) else member)


def ranges(rows: int, width: int) -> list[tuple[int, int]]:
    """Return (start, stop) of the ranges of rows that a tensor is read in."""
    step = block_rows(width) * _TASK_BLOCKS
    return [(start, min(start + step, rows)) for start in range(0, rows, step)]


@dataclass(slots=True)
class Answer:
    """What a range of rows says; of a vector, only the first four.

    Attributes:
        digests: Digests of its blocks, one after the other.
        constant: The one value it holds, or None if there are several.
        nan: How many values are not a number.
        infinite: How many are infinite.
        traces: See `signals.traces`.
        responses: W X, float32 of shape (rows, columns).
        backward: W^T X, float32 of shape (d, columns), of these rows.
        response: P^T W X, float64 of shape (64, 16), of these rows.
        total: 1^T W X, float64 of shape (16,), of these rows.
        sample: Row sample, int8 of shape (4096,).
    """

    digests: bytes
    constant: float | None
    nan: int = 0
    infinite: int = 0
    traces: Traces = field(default_factory=Traces)
    responses: Float32 | None = None
    backward: Float32 | None = None
    response: NDArray[np.float64] = field(default_factory=lambda: np.zeros(RESPONSE))
    total: NDArray[np.float64] = field(default_factory=lambda: np.zeros(RESPONSE[1]))
    sample: NDArray[np.int8] | None = None


def answer(task: Range, products: Products) -> Answer:
    """Read a range of rows and answer its question. Values that are not finite count as zero in everything but the digest.

    Raises:
        InputError: The bytes cannot be read or decoded.
    """
    question = task.question
    width = extent_of(question.tensor)[1]
    block, step = block_rows(width), _tile_rows(width)
    digests: list[bytes] = []
    constants: set[float | None] = set()
    found = Answer(b"", None)
    responses: list[Float32] = []
    for start in range(task.start, task.stop, step):
        stop = min(start + step, task.stop)
        bits, damaged = bfloat16_bits(question.tensor, start, stop), (found.nan, found.infinite)
        tile = _read(question.tensor, start, stop) if bits is None else np.empty(bits.shape, np.float32)
        for row in range(0, len(tile), block):  # what is small enough for the caches is looked at in one go
            part, stored = tile[row : row + block], None if bits is None else bits[row : row + block]
            if stored is not None:
                part[...] = stored.view(PLAIN["BF16"])
            digests.append(block_digest(part, stored))
            constants.add(_constant(part))
            _look(question.tensor, part, found)
        if not isinstance(question.tensor, Weight):
            continue
        if start == task.start:
            found.traces.see_sample(tile)
            found.sample = _sample(task, tile)
        if question.whole:
            exact = bits is not None and (found.nan, found.infinite) == damaged
            stored = bits.view(PLAIN["BF16"]) if bits is not None and exact else None
            _multiply(task, start, tile, stored, products, found, responses)
    found.digests = b"".join(digests)
    found.constant = constants.pop() if len(constants) == 1 else None
    found.responses = np.concatenate(responses) if responses else None
    return found


def _sample(task: Range, first: Float32) -> NDArray[np.int8] | None:
    """Return the row sample if it is wanted and begins in this range, of which the first rows are given."""
    question, start = task.question, task.question.sample
    if start is None or not task.start <= start < task.stop:
        return None
    rows, width = extent_of(question.tensor)
    count = min(rows, sample_rows(width))
    if start > task.start:  # where a secret key says
        first = np.nan_to_num(_read(question.tensor, start, start + count), nan=0, posinf=0, neginf=0)
    return row_sample(question.key, first[:count])


def _tile_rows(width: int) -> int:
    block = block_rows(width)
    return min(_TASK_BLOCKS, max(_TILE_BLOCKS, -(-_TILE_ROWS // block))) * block


def _look(tensor: Weight | Stored, block: Float32, found: Answer) -> None:
    """Take in a block's traces, and replace what is not finite by zeros."""
    total = squares(block)
    if not np.isfinite(total):
        found.nan += int(np.isnan(block).sum())
        found.infinite += int(np.isinf(block).sum())
        np.nan_to_num(block, copy=False, nan=0, posinf=0, neginf=0)
        total = squares(block)
    if isinstance(tensor, Weight):
        found.traces.see(block, total)


def _multiply(
    task: Range,
    start: int,
    W: Float32,
    stored: NDArray[Any] | None,
    products: Products,
    found: Answer,
    responses: list[Float32],
) -> None:
    question = task.question
    if question.forward is None and W.shape[1] > _WIDEST:
        return
    inputs = response_inputs(question.key, W.shape[1]) if question.forward is None else question.forward
    kept = inputs.shape[1] - RESPONSE[1]
    asked = None if question.backward is None else question.backward[start : start + len(W)]
    O, seen = products.both(W, inputs, asked, stored)  # noqa: E741
    if kept:
        responses.append(O[:, :kept])
    with np.errstate(over="ignore", invalid="ignore"):
        for low in range(0, len(W), _SKETCHED_ROWS):
            part = O[low : low + _SKETCHED_ROWS, kept:]
            found.response += response_rows(question.key, start + low, start + low + len(part)).T @ part
            found.total += part.sum(0, dtype=np.float64)
        if seen is not None:
            if found.backward is None:
                found.backward = seen
            else:
                found.backward += seen


def _read(tensor: Weight | Stored, start: int, stop: int) -> Float32:
    if isinstance(tensor, Weight):
        return tensor.rows(start, stop)
    return tensor.read(slice(start, stop), slice(0, extent(tensor)[1]))


def _constant(values: Float32) -> float | None:
    if not values.size:
        return None
    first, last = values.flat[0], values.flat[-1]
    return float(first) if first == last and np.all(values == first) else None
