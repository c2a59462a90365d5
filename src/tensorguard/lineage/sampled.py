"""What first rows alone say of two models: which blocks go together, how alike they are, and how far apart.

For models of which one was only sampled (`fingerprint.plan`). Blocks are compared by the rows of those matrices that containers do not
reorder, so what was permuted or rotated looks unrelated here; operators are for that.
"""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tensorguard.fingerprint.sketches import Sketches
from tensorguard.lineage.alignment import Pairs, best_assignment
from tensorguard.signals.sample import sampled_rows
from tensorguard.signals.traces import TRACES

_VARIED = TRACES.index("distinct_row")

_Key = tuple[str, str, tuple[int, int], int]
"""Stack, role, which rows are sampled, columns."""


@dataclass(frozen=True, slots=True)
class SampledBlocks:
    """Blocks compared by their samples.

    Attributes:
        pairs: Pairs of blocks: by number between models of equal depth, else the best one-to-one pairs.
        log10_ways: log10 of how many ways there were to pair them: what a p-value of the best has to pay.
        cosines: Mean cosine of the samples of each pair.
        equal: Share of the samples that are equal to the last digit.
    """

    pairs: Pairs
    log10_ways: float
    cosines: tuple[float, ...]
    equal: float

    @property
    def likeness(self) -> float:
        """Mean cosine over the pairs, 0 without any."""
        return float(np.mean(self.cosines)) if self.cosines else 0.0

    @property
    def distance(self) -> float | None:
        """Relative difference that the cosine shows, from 0 to 1; None without samples of the same rows."""
        return float(np.sqrt(min(1.0, max(0.0, 2 - 2 * self.likeness)))) if self.cosines else None


def is_sampled(*models: Sketches) -> bool:
    """Say whether one of them was not read whole."""
    return any(model.whole is not None for model in models)


def sampled_blocks(a: Sketches, b: Sketches) -> SampledBlocks:
    """Pair the blocks of two models by their row samples."""
    cosines, counts, equal = _compared(a, b)
    there = counts > 0
    if len(a.blocks) == len(b.blocks):
        pairs, ways = tuple((i, i) for i in range(len(a.blocks)) if there[i, i]), 0.0
    else:
        rows, columns = np.flatnonzero(there.any(1)), np.flatnonzero(there.any(0))
        chosen = best_assignment(cosines[np.ix_(rows, columns)])
        pairs = tuple((int(rows[i]), int(columns[j])) for i, j in chosen if there[rows[i], columns[j]])
        deeper = max(len(rows), len(columns))
        ways = float(sum(np.log10(deeper - taken) for taken in range(len(pairs))))
    total = sum(counts[pair] for pair in pairs)
    share = float(sum(equal[pair] for pair in pairs) / total) if total else 0.0
    return SampledBlocks(pairs, ways, tuple(float(cosines[pair]) for pair in pairs), share)


def _compared(a: Sketches, b: Sketches) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Return mean cosine, number of samples and number of equal samples of every pair of blocks, each of shape (LA, LB)."""
    shape = len(a.blocks), len(b.blocks)
    sums, counts, equal = np.zeros(shape), np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    ours, theirs = _by_role(a), _by_role(b)
    for key in ours.keys() & theirs.keys():
        (first, A), (second, B) = ours[key], theirs[key]
        grid = np.ix_(first, second)
        sums[grid] += _unit(A) @ _unit(B).T
        counts[grid] += 1
        equal[grid] += (A[:, None] == B[None]).all(2)
    return sums / np.maximum(counts, 1), counts, equal


def _by_role(model: Sketches) -> dict[_Key, tuple[list[int], NDArray[np.int8]]]:
    """Return the blocks and samples of each role; matrices whose first rows hold one value each are left out."""
    number = {block: i for i, block in enumerate(model.blocks)}
    found: dict[_Key, list[tuple[int, int]]] = defaultdict(list)
    for row, index in enumerate(model.sampled):
        place = model.places[index]
        block = None if place.layer is None else number.get((place.stack, place.layer))
        if block is not None and model.traces[index, _VARIED] > 1:
            rows = sampled_rows(place.rows, place.columns, secret=model.secret)
            found[place.stack, place.role, rows, place.columns].append((block, row))
    return {key: ([block for block, _ in held], model.sample[[row for _, row in held]]) for key, held in found.items()}


def _unit(samples: NDArray[np.int8]) -> NDArray[np.float64]:
    wide = samples.astype(np.float64)
    unit: NDArray[np.float64] = wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1.0)
    return unit
