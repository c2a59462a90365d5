"""Progress bars on stderr, by rich; none where stderr is not a terminal."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tensorguard.progress import Progress as Listener
from tensorguard.progress import Silent

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class _Bars:
    """Shows every task that reports as a bar."""

    def __init__(self, bars: "Progress") -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def start(self, task: str, total: int, unit: str) -> None:
        """Show a new bar."""
        self._tasks[task] = self._bars.add_task(f"{task} ({unit})", total=total)

    def advance(self, task: str, amount: int) -> None:
        """Move a bar."""
        self._bars.advance(self._tasks[task], amount)

    def finish(self, task: str) -> None:
        """Take a bar away."""
        self._bars.remove_task(self._tasks.pop(task))


@contextmanager
def progress(*, quiet: bool = False) -> Iterator[Listener]:
    """Give a listener for long work, shown while the block runs."""
    if quiet or not sys.stderr.isatty():
        yield Silent()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        yield _Bars(bars)
