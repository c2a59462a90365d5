"""Many items in batches of which each can be held at once."""

from collections.abc import Callable, Iterable, Iterator

from tensorguard.engines.base import Item


def batches(
    items: Iterable[Item], cost: Callable[[Item], int], most: int, *, longest: int | None = None
) -> Iterator[list[Item]]:
    """Yield the items in order, as many at a time as cost `most` together; one that alone costs more has a batch of its own.

    Args:
        items: The items.
        cost: What one of them takes, such as bytes.
        most: What a batch may take.
        longest: How many items a batch may hold, whatever they take.
    """
    batch: list[Item] = []
    taken = 0
    for item in items:
        more = cost(item)
        if batch and (taken + more > most or len(batch) == longest):
            yield batch
            batch, taken = [], 0
        batch.append(item)
        taken += more
    if batch:
        yield batch
