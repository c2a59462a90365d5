"""Operators: what a block does to the residual stream, as small matrices M seen through a few directions X: X^T M X.

QK = sum_h Wq_h^T Wk_g, VO = sum_h Wo_h Wv_g, DU = Wdown Wup, DG = Wdown Wgate, GU = Wgate^T Wup; without a gate DU = Wout Win alone.
Sums over heads and neurons make them blind to the order of both; VO to any change of basis between v and o, QK to what rotary
positions allow, DU to a scale between up and down of either sign. DG and GU are not blind to that, but add power.
`operator_evidence` compares them.

A state space (Mamba) has the same two of attention: its values go to the output, and c asks what b wrote (Dao and Gu 2024, section 5); its
gates give DG and GU. Latent attention (`signals.latent`) has both through its compressed keys and values.

All is computed from forward responses W X of matrices that read the stream and backward responses W^T X of those that write to it.
"""

import numpy as np
from numpy.typing import NDArray

from tensorguard.tensors.base import Float32

OPERATORS = ("QK", "VO", "DU", "DG", "GU")
"""The operators, in the order of every array of them."""

READERS = frozenset({"q", "k", "v", "kv_a", "gate", "up", "fc_in", "ssm_in", "ssm_gates", "ssm_b", "ssm_c"})
"""Roles whose forward responses are needed."""

WRITERS = frozenset({"o", "down", "fc_out", "ssm_out"})
"""Roles whose backward responses are needed."""

COMPRESSED = {"q_b": "q_a", "kv_b": "kv_a"}
"""Roles that read what another role made of the stream."""

_Operator = NDArray[np.float64]


def query_key(Q: Float32, K: Float32, head: int) -> _Operator:
    """Return QK between the columns, float64 of shape (columns, columns).

    Args:
        Q: Wq X, float32 of shape (query rows, columns).
        K: Wk X, float32 of shape (key rows, columns).
        head: Rows of a head; the query heads of one group lie side by side.
    """
    return _grouped(Q, K.shape[0], head).T @ K.astype(np.float64)


def value_output(V: Float32, O: Float32, heads: int) -> _Operator:  # noqa: E741
    """Return VO between the columns, float64 of shape (columns, columns).

    Args:
        V: Wv X, float32 of shape (value rows, columns).
        O: Wo^T X, float32 of shape (inner rows, columns).
        heads: How many key-value heads V is made of.
    """
    return _grouped(O, V.shape[0], V.shape[0] // heads).T @ V.astype(np.float64)


def down_up(down: Float32, up: Float32) -> _Operator:
    """Return Wdown Wup between the columns from Wdown^T X and Wup X, both (neurons, columns); DG likewise."""
    return down.T.astype(np.float64) @ up.astype(np.float64)


def gate_up(gate: Float32, up: Float32) -> _Operator:
    """Return Wgate^T Wup between the columns from Wgate X and Wup X, both (neurons, columns)."""
    return gate.T.astype(np.float64) @ up.astype(np.float64)


def without_identity(M: _Operator) -> _Operator:
    """Take the multiple of the identity out: it is the same in every basis, so it carries no direction."""
    size = M.shape[-1]
    without: _Operator = M - np.trace(M, axis1=-2, axis2=-1)[..., None, None] / size * np.eye(size)
    return without


def _grouped(rows: Float32, wanted: int, head: int) -> _Operator:
    """Add up the heads of each group: rows (wanted x ratio, columns) to (wanted, columns)."""
    count, columns = rows.shape
    heads = rows.reshape(wanted // head, count // wanted, head, columns)
    summed: _Operator = heads.sum(1, dtype=np.float64).reshape(wanted, columns)
    return summed
