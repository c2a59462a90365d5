"""How fast the weights of one model go through a sweep: packed ones, and dtypes other than bfloat16, cost otherwise."""

import itertools
from collections.abc import Sequence
from functools import partial

import numpy as np

from tensorguard.diagnosis.base import Rate
from tensorguard.diagnosis.clock import timed
from tensorguard.diagnosis.work import COLUMNS
from tensorguard.fingerprint.sweep_tasks import Question, Range, answer, extent_of, ranges
from tensorguard.probes.rademacher import PUBLIC, RESPONSE
from tensorguard.signals.operators import READERS, WRITERS
from tensorguard.signals.products import NumpyProducts
from tensorguard.tensors.base import Float32
from tensorguard.tensors.weight import Weight

_WEIGHTS = 24
_NUMBERS = 2**27
"""Numbers that are looked at, at most."""
_WIDEST = 2**17
"""Matrices with more columns or rows are not asked as blocks' are: they are not."""


def measure(weights: Sequence[Weight], workers: int, seconds: float) -> Rate | None:
    """Put some of a model's weights through a sweep: a first time to have them in the cache, then timed; None without any.

    Args:
        weights: All of them.
        workers: How many threads; both numbers of the rate are of so many.
        seconds: How long each time.

    Raises:
        InputError: They cannot be read or decoded.
    """
    tasks = _tasks(weights)
    if not tasks:
        return None
    work = partial(_answered, tasks)
    first = timed(work, range(len(tasks)), workers, seconds)
    done, count = 0, 0
    while done < first.units:
        done += _units(tasks[count])
        count += 1
    again = timed(work, itertools.chain.from_iterable(itertools.repeat(range(count))), workers, seconds)
    return Rate(again.alone, again.alone)


def _tasks(weights: Sequence[Weight]) -> list[Range]:
    """Return ranges of rows of matrices from all over the model, one of each in turn."""
    chosen = [weights[int(place)] for place in np.unique(np.linspace(0, len(weights) - 1, _WEIGHTS).round())] if weights else []
    inputs: dict[tuple[int, int], Float32] = {}

    def random(rows: int, columns: int) -> Float32:
        if (rows, columns) not in inputs:
            inputs[rows, columns] = np.random.default_rng(0).standard_normal((rows, columns), np.float32)
        return inputs[rows, columns]

    def question(weight: Weight) -> Question:
        rows, columns = weight.shape
        reads = weight.layer is not None and weight.role in READERS and columns <= _WIDEST
        writes = weight.layer is not None and weight.role in WRITERS and rows <= _WIDEST
        kept = COLUMNS - RESPONSE[1]
        return Question(weight, PUBLIC, random(columns, COLUMNS) if reads else None, random(rows, kept) if writes else None)

    queues = [
        [Range(asked, start, stop) for asked in [question(weight)] for start, stop in ranges(*weight.shape)]
        for weight in chosen
    ]
    found, numbers = [], 0
    for task in (task for turn in itertools.zip_longest(*queues) for task in turn if task is not None):
        if numbers >= _NUMBERS:
            break
        found.append(task)
        numbers += _units(task) // 2
    return found


def _units(task: Range) -> int:
    return 2 * (task.stop - task.start) * extent_of(task.question.tensor)[1]


def _answered(tasks: list[Range], number: int) -> int:
    answer(tasks[number], NumpyProducts())
    return _units(tasks[number])
