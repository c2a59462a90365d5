"""Progress bars on stderr, by rich; none where stderr is not a terminal."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tensorguard.cli.crowd import Crowd
from tensorguard.cli.watching import WATCH
from tensorguard.progress import Fact, Silent
from tensorguard.progress import Progress as Listener
from tensorguard.sources.traffic import TRAFFIC

if TYPE_CHECKING:
    from rich.progress import Progress, Task, TaskID

_WORTH_TELLING = 5_000
"""Bytes over the network: fewer, such as a shared registry's list of changes, would be told as 0.00 MB."""


class _Bars:
    """Shows every task that reports as a bar, and what models are under way where there are many."""

    def __init__(self, bars: "Progress", crowd: Crowd) -> None:
        self._bars, self._crowd = bars, crowd
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
        """Tell the crowd of models."""
        self._crowd.event(name, facts)


@contextmanager
def progress(*, quiet: bool = False) -> Iterator[Listener]:
    """Give a listener for long work, shown while the block runs."""
    if quiet or not sys.stderr.isatty():
        yield WATCH.heard(Silent())
        return
    from rich.console import Console, RenderableType
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
    from rich.text import Text

    crowd = Crowd()

    class Shown(Progress):
        """Bars, and the crowd below them."""

        def get_renderables(self) -> Iterator[RenderableType]:
            """See `rich.progress.Progress`; there may be no crowd."""
            yield from super().get_renderables()
            if crowd.total:
                yield Text("\n".join(crowd.lines()), no_wrap=True, overflow="ellipsis")

    class Left(TimeRemainingColumn):
        """The time left, unless the crowd says it."""

        def render(self, task: "Task") -> Text:
            """See `rich.progress.ProgressColumn`."""
            return Text() if crowd.total else super().render(task)

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"), Left())
    with Shown(*columns, console=Console(stderr=True), transient=True) as bars:
        listener = _Bars(bars, crowd)
        with TRAFFIC.heard_by(listener):
            yield WATCH.heard(listener)


def tell_traffic(*, quiet: bool = False) -> None:
    """Say how much was read over the network, if anything was."""
    read, offered = TRAFFIC.read, TRAFFIC.offered
    if read >= _WORTH_TELLING and not quiet:
        print(f"read over the network: {read / 1e6:.2f} MB of files that hold {offered / 1e6:.2f} MB", file=sys.stderr)
