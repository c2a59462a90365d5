"""A simulated line between client and server: a round trip before every answer, and one bandwidth that all connections share."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

_PIECE = 1 << 17


@dataclass
class Link:
    """All times are in seconds.

    Attributes:
        round_trip: Of a packet there and back.
        bandwidth: Bytes a second.
        handshakes: Round trips that a new connection costs: one of TCP, one of TLS 1.3.
    """

    round_trip: float
    bandwidth: float
    handshakes: int = 2
    _free: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def connected(self) -> None:
        """Wait as long as a connection takes to be made."""
        time.sleep(self.handshakes * self.round_trip)

    def asked(self) -> None:
        """Wait as long as a request and the beginning of its answer are under way."""
        time.sleep(self.round_trip)

    def paced(self, piece: bytes) -> Iterator[memoryview]:
        """Yield parts of what is sent, each when the line has carried it."""
        for start in range(0, len(piece), _PIECE):
            part = memoryview(piece)[start : start + _PIECE]
            with self._lock:
                self._free = max(self._free, time.monotonic()) + len(part) / self.bandwidth
                due = self._free
            time.sleep(max(0.0, due - time.monotonic()))
            yield part
