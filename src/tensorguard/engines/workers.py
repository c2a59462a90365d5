"""Manners of a worker process: it ends when it is interrupted or when its parent is no more, and leaves nothing half-written."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable

from threadpoolctl import threadpool_limits

from tensorguard.engines.base import Item, Result

INTERRUPTED = 130
"""Exit code of an interrupted process."""


def prepare() -> None:
    """Set a fresh worker up; it starts with interrupts held back, so that Ctrl-C while it imports things shows no traceback."""
    if signal.SIGINT in signal.sigpending():
        os._exit(INTERRUPTED)
    signal.signal(signal.SIGINT, lambda *_: sys.exit(INTERRUPTED))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_end_with_parent, daemon=True).start()


def run(function: Callable[[Item], Result], item: Item) -> Result:
    """Run one task with BLAS on one thread (here and not in `prepare`, because only what is loaded can be pinned).

    An interrupt unwinds the task, so that half-written files are removed, and then ends the worker: the pool would go on.
    """
    try:
        with threadpool_limits(1, user_api="blas"):
            return function(item)
    except SystemExit:
        os._exit(INTERRUPTED)


def _end_with_parent() -> None:
    """Wait for the parent's end, whatever its cause: a pool's worker whose parent was killed would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
