"""What a tensor does in its model, in canonical order, and the paper's category of it."""

EMBEDDING = ("embed", "position", "token_type")
ATTENTION = ("q", "k", "v", "o", "qkv", "q_a", "q_b", "kv_a", "kv_b", "attention")
FFN = ("gate", "up", "down", "gate_up", "fc_in", "fc_out", "ffn")
SSM = ("ssm_in", "ssm_gates", "ssm_b", "ssm_c", "ssm_step", "ssm_x", "ssm_dt", "ssm_a", "ssm_out")
REST = ("router", "shared_router", "relative", "project_in", "project_out", "conv", "pooler", "head", "lm_head")

MATRIX_ROLES = (*EMBEDDING, *ATTENTION, *FFN, *SSM, *REST, "other")
"""Roles of weights, in canonical order. `attention` and `ffn` are what structure alone can tell; `qkv` and `gate_up` are fused
tensors that could not be split, and so may `ssm_in` be, which is else what enters a state space beside its gates and, in Mamba 2, what
writes to it (b), what asks it (c) and its step; `relative` is T5's table of relative positions; `head` is a head of a task."""

VECTOR_ROLES = ("norm", "bias", "vector")
"""Roles of what is not a matrix: gains, biases, and any other vector (attention sinks, layer scales)."""

_RANK = {role: rank for rank, role in enumerate((*MATRIX_ROLES, *VECTOR_ROLES))}
_CATEGORY = {
    **dict.fromkeys(ATTENTION, "attention"),
    **dict.fromkeys(FFN, "ffn"),
    **dict.fromkeys(EMBEDDING, "embedding"),
}

CATEGORIES = ("attention", "ffn", "embedding", "unknown")
"""The paper's categories (arXiv 2506.01631, III-C.3)."""


def category(role: str) -> str:
    """Return the paper's category of a role: `attention`, `ffn`, `embedding` or `unknown` (lm_head, router and all else)."""
    return _CATEGORY.get(role, "unknown")


def rank(role: str) -> int:
    """Return the place of a role in canonical order.

    Raises:
        KeyError: There is no such role.
    """
    return _RANK[role]
