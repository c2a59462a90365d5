"""Keeps a file of metrics fresh while work goes on: no progress, no new file, and its age tells that the run hangs."""

from tensorguard.monitoring.exposition import MetricsFile
from tensorguard.progress import Fact


class Refreshing:
    """Writes the file when it is old, whenever something is heard."""

    def __init__(self, file: MetricsFile) -> None:
        self._file = file

    def start(self, task: str, total: int, unit: str) -> None:  # noqa: ARG002
        """Write it if it is old."""
        self._file.refresh()

    def advance(self, task: str, amount: int) -> None:  # noqa: ARG002
        """Write it if it is old."""
        self._file.refresh()

    def finish(self, task: str) -> None:  # noqa: ARG002
        """Write it if it is old."""
        self._file.refresh()

    def event(self, name: str, **facts: Fact) -> None:  # noqa: ARG002
        """Write it if it is old."""
        self._file.refresh()
