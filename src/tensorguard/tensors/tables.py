"""Which of two tables of one shape is the embedding and which the output head, told from the weights.

All rows of a head are pushed along the mean of the last hidden state, so they have much in common; rows of an embedding do not.
"""

import numpy as np

from tensorguard.tensors.base import Float32, Stored

_RATIO = 4.0
"""How much more of its energy a head has in the mean of its rows."""
_RUNS, _RUN = 32, 64


def head_of(first: Stored, second: Stored) -> Stored | None:
    """Return the output head among two tables, or None if it is not evident.

    Args:
        first: A table of vocabulary x width.
        second: Another.

    Raises:
        InputError: The bytes cannot be read.
    """
    shares = [_shared(table) for table in (first, second)]
    if max(shares) < _RATIO * min(shares):
        return None
    return second if shares[1] > shares[0] else first


def rows_across(table: Stored) -> Float32:
    """Return up to 2,048 rows from all over a table, float32 of shape (rows, width)."""
    rows, columns = table.shape
    step = max(rows // _RUNS, 1)
    starts = range(0, rows, max(step, _RUN))
    return np.nan_to_num(np.vstack([table.read(slice(at, min(at + _RUN, rows)), slice(0, columns)) for at in starts]))


def _shared(table: Stored) -> float:
    """Return the share of the rows' energy that lies in their mean."""
    found = rows_across(table).astype(np.float64)
    return float(np.square(found.mean(0)).sum() / max(np.square(found).sum(1).mean(), 1e-300))
