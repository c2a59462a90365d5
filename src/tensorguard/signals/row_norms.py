"""Row norms of W itself: the only features here that no probe has a part in."""

import numpy as np
from numpy.typing import NDArray

QUANTILES = (5, 50, 95)
"""Percentiles of ||w_i|| over the rows."""


def row_norm_features(row_norms: NDArray[np.float64]) -> dict[str, float]:
    """Return the 5th, 50th and 95th percentile of the row norms and their coefficient of variation.

    Args:
        row_norms: ||w_i||, float64 of shape (m,), not all zero.
    """
    found = {f"weight_row_norm_p{q:02d}": float(np.percentile(row_norms, q)) for q in QUANTILES}
    return found | {"weight_row_norm_variation": float(row_norms.std() / row_norms.mean())}
