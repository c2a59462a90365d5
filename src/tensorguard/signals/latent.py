"""Latent attention (MLA, DeepSeek-V2, arXiv 2405.04434, 2.1): QK and VO through compressed keys and values.

One matrix compresses the stream to c numbers and r more that are rotated; a second one makes the keys without positions and the values of
every head from the c. A head's query has n numbers for the former and r for the latter, which all heads share.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tensorguard.tensors.base import Float32

_Operator = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LatentSizes:
    """How wide the parts are.

    Attributes:
        heads: Number of heads.
        plain: Rows of a head's query and key without positions.
        rotary: Rows of a head's query with positions, and of the one key that goes with them.
        value: Rows of a head's value.
    """

    heads: int
    plain: int
    rotary: int
    value: int

    @staticmethod
    def of(queries: int, compressed: int, latent: int, expanded: int, values: int) -> "LatentSizes | None":
        """Tell the sizes from shapes alone.

        Args:
            queries: Rows of all queries.
            compressed: Rows of what compresses keys and values: c + r.
            latent: Columns of what expands them: c.
            expanded: Rows of what expands them.
            values: Columns of the output matrix.

        Returns:
            The sizes; None where the shapes do not fit each other.
        """
        rotary, keys = compressed - latent, expanded - values
        if rotary <= 0 or keys <= 0 or queries <= keys or (queries - keys) % rotary:
            return None
        heads = (queries - keys) // rotary
        return None if keys % heads or values % heads else LatentSizes(heads, keys // heads, rotary, values // heads)


def latent_query_key(queries: Float32, compressed: Float32, expanded: Float32, sizes: LatentSizes) -> _Operator:
    """Return QK between the columns, float64 of shape (columns, columns).

    Args:
        queries: Wq X, of shape (heads x (plain + rotary), columns).
        compressed: Wkv_a X, the rotary rows last.
        expanded: Wkv_b of the normed compressed, of shape (heads x (plain + value), columns).
        sizes: What is how wide.
    """
    columns = queries.shape[1]
    asked = queries.reshape(sizes.heads, -1, columns).astype(np.float64)
    keys = expanded.reshape(sizes.heads, -1, columns)[:, : sizes.plain].reshape(-1, columns)
    found: _Operator = asked[:, : sizes.plain].reshape(-1, columns).T @ keys
    found += asked[:, sizes.plain :].sum(0).T @ compressed[len(compressed) - sizes.rotary :]
    return found


def latent_value_output(expanded: Float32, outputs: Float32, sizes: LatentSizes) -> _Operator:
    """Return VO between the columns, float64 of shape (columns, columns).

    Args:
        expanded: See `latent_query_key`.
        outputs: Wo^T X, of shape (heads x value, columns).
        sizes: What is how wide.
    """
    columns = outputs.shape[1]
    values = expanded.reshape(sizes.heads, -1, columns)[:, sizes.plain :].reshape(-1, columns)
    found: _Operator = outputs.astype(np.float64).T @ values
    return found
