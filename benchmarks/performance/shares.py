"""Where the processor time of a full fingerprint goes, step by step: one thread, every call of a step timed.

    python -m benchmarks.performance.shares MODEL

Prints nanoseconds per weight as JSON; times of steps that call one another are told apart.
"""

import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorguard
from tensorguard.api import fingerprints
from tensorguard.api.models import open_model
from tensorguard.engines.inline import Inline
from tensorguard.fingerprint import blocks, sweep_tasks, tasks
from tensorguard.signals.products import NumpyProducts
from tensorguard.signals.traces import Traces
from tensorguard.sources.local import LocalFile
from tensorguard.tensors import storage

STEPS: tuple[tuple[str, Any, str], ...] = (
    ("reading from the page cache", LocalFile, "read_at"),
    ("decoding", storage, "decode"),
    ("BLAKE3", sweep_tasks, "block_digest"),
    ("traces: zeros, squares, few values", sweep_tasks, "_look"),
    ("traces: zeros, squares, few values", Traces, "see_sample"),
    ("products W X and W^T X", NumpyProducts, "forward"),
    ("products W X and W^T X", NumpyProducts, "backward"),
    ("operators and unit tables", blocks.Blocks, "take"),
    ("power sums of the 16 numbers", tasks, "power_sums"),
)
"""What a step is called, and the function that takes it."""

OTHER = "everything else, opening included"


class Stopwatch:
    """Adds up the time of steps, less that of steps within them."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)
        self._running: list[str] = [OTHER]
        self._since = time.thread_time()

    def timing(self, step: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that does the same and is timed."""

        def timed(*arguments: Any, **named: Any) -> Any:
            self.turn()
            self._running.append(step)
            try:
                return function(*arguments, **named)
            finally:
                self.turn()
                self._running.pop()

        return timed

    def turn(self) -> None:
        """Book the time since the last turn."""
        now = time.thread_time()
        self.spent[self._running[-1]] += now - self._since
        self._since = now


def main() -> int:
    watch = Stopwatch()
    for step, place, name in STEPS:
        setattr(place, name, watch.timing(step, getattr(place, name)))
    setattr(fingerprints, "Threads", lambda _: Inline())  # noqa: B010 - one thread, whose clock tells all
    found = tensorguard.fingerprint_model(open_model(Path(sys.argv[1])), workers=1)
    watch.turn()
    print(json.dumps({step: seconds / found.elements * 1e9 for step, seconds in watch.spent.items()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
