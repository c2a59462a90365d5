"""Where a model's blocks come from: for each block the other model's block that it is, if any.

Blocks of one model resemble each other in its own residual basis, so a high cosine alone says "same basis". A block *is* another where
their cosine stands out from the others of its row and its column: a ridge. A flat matrix is a shared basis with different blocks.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tensorguard.lineage.alignment import Pairs
from tensorguard.lineage.calibration import RIDGE

Origins = tuple[int | None, ...]
"""For each block of the first model, the block of the second."""


@dataclass(frozen=True, slots=True)
class LayerMap:
    """Where the first model's blocks come from, if it derives from the second.

    Attributes:
        origins: The second model's block for each of the first's, or None.
        changes: What happened to the order: `same`, or any of `partial` (blocks that come from elsewhere), `dropped`, `duplicated` (in
            place), `up-scaled` (runs of blocks repeated), `reordered`. Empty if no block comes from the second model.
        contrast: Mean over the best pairs of how far its cosines lie above what others of their row and column reach.
    """

    origins: Origins
    changes: tuple[str, ...]
    contrast: float


def layer_map(matrix: NDArray[np.float64], pairs: Pairs, noticeable: float, noise: float) -> LayerMap:
    """Map blocks by a matrix of mean cosines.

    Args:
        matrix: Of shape (LA, LB).
        pairs: The best pairs of blocks, at least one.
        noticeable: Cosines below are no evidence.
        noise: Standard deviation of a cosine under the null: others cannot be known to vary less.
    """
    background = np.maximum(_background(matrix), noise)
    ridge = (matrix > noticeable) & (_odds(matrix) > RIDGE * _odds(background))
    origins = tuple(int(b) if ridge[a, b] else None for a, b in enumerate(matrix.argmax(1)))
    contrast = float(np.mean([matrix[a, b] - background[a, b] for a, b in pairs]))
    return LayerMap(origins, changes(origins, matrix.shape[1]), contrast)


def changes(origins: Origins, blocks: int) -> tuple[str, ...]:
    """Name what happened to the order of blocks; see `LayerMap.changes`.

    Args:
        origins: For each block of the child, the parent's.
        blocks: How many the parent has.
    """
    known = [each for each in origins if each is not None]
    if not known:
        return ()
    steps = np.diff(known)
    back = bool((steps < 0).any())
    repeated = len(set(known)) < len(known)
    found = {
        "partial": len(known) < len(origins),
        "dropped": len(set(known)) < blocks,
        "duplicated": bool((steps == 0).any()),
        "up-scaled": back and repeated,
        "reordered": back and not repeated,
    }
    return tuple(name for name, so in found.items() if so) or ("same",)


def _odds(cosine: NDArray[np.float64]) -> NDArray[np.float64]:
    bounded = np.clip(cosine, 0.0, 1 - 1e-9)
    return bounded / (1 - bounded)


def _background(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return for each entry the larger of what the others of its row and of its column reach, -inf where there are none.

    What others reach is the second largest of them: the largest may be a copy of the same block. Of one alone, that one.
    """
    return np.maximum(_others(matrix), _others(matrix.T).T)


def _others(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    count = matrix.shape[1]
    if count == 1:
        return np.full(matrix.shape, -np.inf)
    descending = np.argsort(-matrix, axis=1, kind="stable")
    rank = np.argsort(descending, axis=1, kind="stable")
    second = min(1, count - 2)
    return np.take_along_axis(np.take_along_axis(matrix, descending, 1), second + (rank <= second), 1)
