"""How many bytes this process has read over the network, of files of which size, and who wants to know."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tensorguard.progress import Progress

TASK = "read over the network"


class Traffic:
    """Counts bytes; all methods may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listener: Progress | None = None
        self._told = False
        self._sizes: dict[str, int] = {}
        self.read = 0

    @property
    def offered(self) -> int:
        """Bytes of all files of which something was read."""
        return sum(self._sizes.values())

    def opened(self, name: str, size: int) -> None:
        """Note a file that is read from."""
        with self._lock:
            self._sizes[name] = size

    def received(self, count: int) -> None:
        """Note bytes that came."""
        with self._lock:
            self.read += count
            if self._listener is not None:
                if not self._told:
                    self._listener.start(TASK, 0, "bytes")  # how many there will be is not known
                    self._told = True
                self._listener.advance(TASK, count)

    def reset(self) -> None:
        """Begin anew."""
        with self._lock:
            self.read, self._sizes = 0, {}

    @contextmanager
    def heard_by(self, listener: Progress) -> Iterator[None]:
        """Tell a listener of bytes that come while the block runs."""
        with self._lock:
            self._listener, self._told = listener, False
        try:
            yield
        finally:
            with self._lock:
                told, self._listener = self._told, None
            if told:
                listener.finish(TASK)


TRAFFIC = Traffic()
"""Of this process."""
