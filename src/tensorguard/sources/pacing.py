"""How fast a hub is asked, and how long it is waited for: nothing is held back unless somebody says so."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

PATIENCE = 120.0
"""Seconds that a server may ask to wait (Retry-After); of more we rather tell the user."""

sleep = time.sleep


class Pace:
    """Gives every request its turn; all methods may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._interval = self._free = 0.0
        self.patience = PATIENCE

    def turn(self) -> None:
        """Wait until one more request may be made."""
        with self._lock:
            now = time.monotonic()
            start = max(now, self._free)
            if self._interval:
                self._free = start + self._interval
        if start > now:
            sleep(start - now)

    def busy(self, seconds: float) -> None:
        """Note that a server asks to be left alone for a while: nobody's turn comes before that."""
        with self._lock:
            if self._interval:
                self._free = max(self._free, time.monotonic() + seconds)

    @contextmanager
    def of(self, rate: float, patience: float) -> Iterator[None]:
        """Make at most `rate` requests a second while the block runs, and wait as long as `patience` seconds for a busy server."""
        with self._lock:
            self._interval, self._free, self.patience = 1 / rate, 0.0, patience
        try:
            yield
        finally:
            with self._lock:
                self._interval, self._free, self.patience = 0.0, 0.0, PATIENCE


PACE = Pace()
"""Of this process, for requests to the hub itself; files come from elsewhere."""
