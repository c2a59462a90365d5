"""A worker process: it takes tasks from a pipe, ends when it is interrupted or its parent is no more, and leaves nothing half-written."""

import contextlib
import multiprocessing
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from types import FrameType
from typing import Any

from threadpoolctl import threadpool_limits

INTERRUPTED = 130
"""Exit code of an interrupted process."""

READY = "ready"
"""A worker's first word."""

Answer = tuple[Any, Exception | None]


def serve(pipe: "Connection[Any, Any]", packed: bytes) -> None:
    """Answer tasks until the pipe is closed.

    An interrupt unwinds the task, so that half-written files are removed, and then ends the process.

    Args:
        pipe: Gives an item and a number of threads; takes READY first, and then a result or an error for each.
        packed: The function, pickled.
    """
    threading.Thread(target=_end_with_parent, daemon=True).start()
    function: Callable[[Any, int], Any] = pickle.loads(packed)  # noqa: S301 - from our own parent
    _listen_to_interrupts()
    with contextlib.suppress(EOFError, OSError):  # the parent wants no more, or is no more
        pipe.send(READY)
        while True:
            item, threads = pipe.recv()
            pipe.send_bytes(_answer(function, item, threads))


def _answer(function: Callable[[Any, int], Any], item: object, threads: int) -> bytes:
    """Return the pickled answer; BLAS is pinned here and not before, because only what is loaded can be."""
    try:
        with threadpool_limits(1, user_api="blas"):
            return pickle.dumps((function(item, threads), None))
    except Exception as error:  # told where results are taken
        return pickle.dumps((None, portable(error)))
    except SystemExit:
        os._exit(INTERRUPTED)


def portable(error: Exception) -> Exception:
    """Return an error that another process can unpickle: this one, or one that says the same."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - what was pickled here
    except Exception:  # pickling runs code of the error's own class, which may raise whatever it likes
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _listen_to_interrupts() -> None:
    """Let an interrupt end this worker; it starts with them held back, so that Ctrl-C while it imports things shows no traceback."""
    if signal.SIGINT in signal.sigpending():
        os._exit(INTERRUPTED)
    signal.signal(signal.SIGINT, _interrupted)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _interrupted(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # nothing interrupts the clearing up
    sys.exit(INTERRUPTED)


def _end_with_parent() -> None:
    """Wait for the parent's end, whatever its cause: a worker in the middle of a long task would go on for nobody."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
