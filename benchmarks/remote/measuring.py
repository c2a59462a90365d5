"""Every tool on every pair of models, one after the other, over one line."""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.remote.models import RELATIONS
from benchmarks.remote.repository import Repository
from benchmarks.remote.running import Run, run
from benchmarks.remote.server import Client, Counts
from benchmarks.remote.tools import Answer, Tool


@dataclass(frozen=True)
class Measured:
    """One command of one tool.

    Attributes:
        size: Of the models.
        command: `compare`, `scan` or `add`.
        relation: Of the suspect to the base; empty where there is no suspect.
        tool: Whose.
        offered: Bytes of all files of the models that it was told of.
        answer: What it said.
        seconds: From start to end of the process.
        computing: Seconds of processors.
        memory: Its peak resident memory, in bytes.
        counts: What went over the line.
    """

    size: str
    command: str
    relation: str
    tool: str
    offered: int
    answer: Answer
    seconds: float
    computing: float
    memory: int
    counts: Counts

    @property
    def outcome(self) -> str:
        """Whether the answer is right."""
        if not self.relation:
            return ""
        if self.answer.linked is None:
            return "no answer"
        return "right" if self.answer.linked == RELATIONS[self.relation] else "WRONG"


@dataclass(frozen=True)
class Bench:
    """Where and how long tools run.

    Attributes:
        hub: Counts what they read.
        patience: Seconds that a command may take.
        told: Hears of every command that is done.
    """

    hub: Client
    patience: float
    told: Callable[[Measured], None]

    def comparisons(
        self, size: str, those: Mapping[str, Repository], relations: Sequence[str], tools: Sequence[Tool]
    ) -> Iterator[Measured]:
        """Compare suspects with the base."""
        for relation in relations:
            for tool in tools:
                with tempfile.TemporaryDirectory() as home:
                    given = [those[relation], those["base"]]
                    yield self._one(size, "compare", relation, tool, tool.compare, given, Path(home))

    def scans(
        self, size: str, those: Mapping[str, Repository], relations: Sequence[str], tools: Sequence[Tool]
    ) -> Iterator[Measured]:
        """Make the base known, and look for suspects' origin."""
        for tool in tools:
            with tempfile.TemporaryDirectory() as home:
                yield self._one(size, "add", "", tool, tool.add, [those["base"]], Path(home))
                for relation in relations:
                    yield self._one(size, "scan", relation, tool, tool.scan, [those[relation]], Path(home))

    def _one(
        self, size: str, command: str, relation: str, tool: Tool, start: Sequence[str], given: Sequence[Repository], home: Path
    ) -> Measured:
        self.hub.counts()
        done = run([*start, *(each.name for each in given)], self.hub.url, home, self.patience)
        offered = sum(each.size for each in given)
        answer = _added(done) if command == "add" else tool.answer(done)
        found = Measured(
            size, command, relation, tool.name, offered, answer, done.seconds, done.computing, done.memory, self.hub.counts()
        )
        self.told(found)
        return found


def _added(done: Run) -> Answer:
    return Answer(done.complaint or "added")
