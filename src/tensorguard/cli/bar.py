"""Progress bars on stderr, by rich; none where stderr is not a terminal."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tensorguard.progress import Fact, Silent
from tensorguard.progress import Progress as Listener
from tensorguard.sources.traffic import TRAFFIC

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class _Bars:
    """Shows every task that reports as a bar."""

    def __init__(self, bars: "Progress") -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def start(self, task: str, total: int, unit: str) -> None:
        """Show a new bar."""
        self._tasks[task] = self._bars.add_task(f"{task} ({unit})", total=total or None)

    def advance(self, task: str, amount: int) -> None:
        """Move a bar; one without an end shows how far it is."""
        bar = self._tasks[task]
        self._bars.advance(bar, amount)
        shown = self._bars.tasks[self._bars.task_ids.index(bar)]
        if shown.total is None:
            self._bars.update(bar, description=f"{task}: {shown.completed / 1e6:.1f} MB")

    def finish(self, task: str) -> None:
        """Take a bar away."""
        self._bars.remove_task(self._tasks.pop(task))

    def event(self, name: str, **facts: Fact) -> None:
        """Bars tell of tasks alone."""


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
        listener = _Bars(bars)
        with TRAFFIC.heard_by(listener):
            yield listener


def tell_traffic(*, quiet: bool = False) -> None:
    """Say how much was read over the network, if anything was."""
    read, offered = TRAFFIC.read, TRAFFIC.offered
    TRAFFIC.reset()
    if read and not quiet:
        print(f"read over the network: {read / 1e6:.2f} MB of files that hold {offered / 1e6:.2f} MB", file=sys.stderr)
