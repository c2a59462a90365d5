"""Which weights the paper's fingerprint looks at."""

import numpy as np
import pytest

from support.memory import MemoryTensor
from support.models import tiny, view_of
from tensorguard.errors import UsageError
from tensorguard.tensors.roles import category
from tensorguard.tensors.selection import select
from tensorguard.tensors.weight import Weight


def weight(role: str, layer: int | None, stack: str = "decoder") -> Weight:
    return Weight(role, layer, (2, 2), MemoryTensor(f"{role}{layer}", np.zeros((2, 2), np.float32)), stack=stack)


def test_evenly_spaced_from_first_to_last() -> None:
    weights = [weight("q", layer) for layer in range(10)]
    assert [w.layer for w in select(weights, 3)] == [0, 4, 9]
    assert [w.layer for w in select(weights, 4)] == [0, 3, 6, 9]


def test_up_to_three_of_each_category() -> None:
    view = view_of(tiny("llama"))
    chosen = select(view.weights, 3)
    counts = {name: sum(category(w.role) == name for w in chosen) for name in ("attention", "ffn", "embedding", "unknown")}
    assert counts == {"attention": 3, "ffn": 3, "embedding": 1, "unknown": 1}
    assert [w.name for w in chosen] == [w.name for w in view.weights if w in chosen], "canonical order"


def test_all_of_them() -> None:
    view = view_of(tiny("llama"))
    assert select(view.weights, None) == view.weights
    assert select([], 3) == ()


def test_towers_that_do_not_carry_language_are_left_out() -> None:
    language = [weight("q", layer) for layer in range(3)]
    assert select([*language, *(weight("q", layer, "vision") for layer in range(9))], 3) == tuple(language)
    both = [weight("q", 0, "encoder"), weight("q", 0, "decoder"), weight("q", 0, "cross")]
    assert select(both, 3) == tuple(both)


@pytest.mark.parametrize("count", [0, -1])
def test_none_at_all_is_a_usage_error(count: int) -> None:
    with pytest.raises(UsageError, match="per category"):
        select([weight("q", 0)], count)
