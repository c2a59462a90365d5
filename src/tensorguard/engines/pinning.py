"""BLAS on one thread per worker while several models are computed side by side."""

from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits


@contextmanager
def pinned() -> Iterator[None]:
    """Pin BLAS for the whole process while the block runs, so that no engine's end in it unpins another's."""
    with threadpool_limits(1, user_api="blas"):
        yield
