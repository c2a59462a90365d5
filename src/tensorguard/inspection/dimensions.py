"""What the shapes of a model say of it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tensorguard.inspection.base import Dimensions
from tensorguard.tensors.grouping import HeadDimensions
from tensorguard.tensors.ordering import LANGUAGE_STACKS
from tensorguard.tensors.view import View
from tensorguard.tensors.weight import Weight

_SHOWN = 3
_COLUMNS = frozenset({"q", "k", "v", "qkv", "gate", "up", "gate_up", "fc_in", "embed"})
"""Roles whose matrices have the width of the residual stream as columns."""


def dimensions(view: View, config: Mapping[str, Any], container: str, used: int | None) -> Dimensions:
    """Measure the language model.

    Args:
        view: The canonical view.
        config: Its own configuration: a hint for the heads, checked against the shapes.
        container: What it was read from.
        used: Experts per token, by the configuration.
    """
    weights = [w for w in view.weights if w.stack in LANGUAGE_STACKS]
    width = _commonest([w.shape[1] for w in weights if w.role in _COLUMNS and w.layer is not None])
    width = width or _commonest([w.shape[1] for w in weights if w.role in _COLUMNS])
    inner = Counter(w.shape[0] for w in weights if w.role in ("up", "gate", "fc_in"))
    queries, keys = ([w for w in weights if w.role == role and w.layer is not None] for role in "qk")
    query, key = (_commonest([w.shape[0] for w in each]) for each in (queries, keys))
    experts = max((w.expert + 1 for w in weights if w.expert is not None), default=0)
    head = None
    if query and key:
        layer = next(w.layer for w in queries if w.shape[0] == query)
        head = HeadDimensions(view, config, container).head_dimension(layer, query, key, queries[0].stack)
    return Dimensions(
        width=width,
        vocabulary=next((w.shape[0] for w in weights if w.role == "embed"), None),
        feed_forward=tuple(rows for rows, _ in inner.most_common(_SHOWN)),
        query=query,
        key=key,
        head=head,
        latent=_commonest([w.shape[0] for w in weights if w.role == "kv_a"]),
        experts=experts,
        used=used if used and used <= experts else None,
        active=_active(view, weights, experts, used),
        output=_output(view, weights),
    )


def _active(view: View, weights: Sequence[Weight], experts: int, used: int | None) -> int | None:
    """Return the parameters that a token goes through: of the experts of each block so many as are used."""
    if not used or not used <= experts:
        return None
    idle = 0.0
    counts = Counter((w.stack, w.layer, w.role) for w in weights if w.expert is not None)
    for weight in weights:
        if weight.expert is not None:
            there = counts[weight.stack, weight.layer, weight.role]
            idle += weight.shape[0] * weight.shape[1] * (1 - min(used, there) / there)
    return view.parameters - round(idle)


def _output(view: View, weights: Sequence[Weight]) -> str:
    if any(w.role == "lm_head" for w in weights):
        return "its own"
    twice = any(reason.startswith("same values as") for _, reason in view.excluded)
    return "equal to the embedding, stored twice" if twice else "none stored"


def _commonest(numbers: Sequence[int]) -> int | None:
    return max(Counter(numbers).items(), key=lambda item: (item[1], item[0]))[0] if numbers else None
