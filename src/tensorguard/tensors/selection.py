"""Which weights the paper's fingerprint looks at."""

from collections.abc import Sequence

import numpy as np

from tensorguard.errors import UsageError
from tensorguard.tensors.ordering import LANGUAGE_STACKS
from tensorguard.tensors.roles import CATEGORIES, category
from tensorguard.tensors.weight import Weight


def select(weights: Sequence[Weight], per_category: int | None) -> tuple[Weight, ...]:
    """Choose up to so many weights of each category, evenly spaced (arXiv 2506.01631, III-C.3).

    Only the language model is looked at: `encoder`, `decoder` and `cross` stacks, one after the other as in canonical order, so that an
    encoder-decoder model is sampled as a whole. Vision, audio and projector towers are left out: the same language model with and without
    them is the same. Weights of each category are taken at `floor(linspace(0, n - 1, per_category))`, as the published code does.

    Args:
        weights: Of one model, in canonical order (`View.weights`).
        per_category: How many of attention, ffn, embedding and unknown each; None for all.

    Returns:
        The chosen weights in canonical order.

    Raises:
        UsageError: `per_category` is less than one.
    """
    if per_category is not None and per_category < 1:
        raise UsageError(f"cannot choose {per_category} weights per category", hint="give a number from 1, or none for all")
    places = [place for place, weight in enumerate(weights) if weight.stack in LANGUAGE_STACKS]
    if per_category is None:
        return tuple(weights[place] for place in places)
    chosen: list[int] = []
    for name in CATEGORIES:
        members = [place for place in places if category(weights[place].role) == name]
        if len(members) > per_category:
            members = [members[int(index)] for index in np.linspace(0, len(members) - 1, per_category)]
        chosen.extend(members)
    return tuple(weights[place] for place in sorted(chosen))
