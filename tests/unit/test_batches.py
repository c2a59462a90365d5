"""Batches of what can be held at once."""

from itertools import chain, pairwise

from hypothesis import given
from hypothesis import strategies as st

from tensorguard.engines.batches import batches


@given(st.lists(st.integers(0, 12)), st.integers(0, 20), st.none() | st.integers(1, 4))
def test_batches_are_as_large_as_they_may_be_and_lose_nothing(costs: list[int], most: int, longest: int | None) -> None:
    found = list(batches(costs, int, most, longest=longest))
    assert list(chain.from_iterable(found)) == costs
    assert all(found)
    assert all(sum(batch) <= most or len(batch) == 1 for batch in found)
    assert all(longest is None or len(batch) <= longest for batch in found)
    for batch, following in pairwise(found):
        assert sum(batch) + following[0] > most or len(batch) == longest
