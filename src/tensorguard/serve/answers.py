"""What the API answers and takes, as its OpenAPI document describes it."""

from dataclasses import dataclass
from typing import Literal

from tensorguard.registry.entry import Entry

Kind = Literal["scan", "check"]
Status = Literal["queued", "running", "done", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class Problem:
    """An error: a stable word for machines, what is wrong, where, and what to do next."""

    kind: str
    message: str
    where: str
    hint: str


@dataclass(frozen=True, slots=True)
class Failure:
    """The body of every answer that is an error."""

    error: Problem


@dataclass(frozen=True, slots=True)
class Health:
    """That the server is there."""

    status: Literal["ok"]


@dataclass(frozen=True, slots=True)
class About:
    """What this server is and reads: version, entries under the public key, roots, longest upload in bytes, rules of the queue."""

    version: str
    registry: str
    entries: int
    roots: list[str]
    max_upload: int
    max_queue: int


@dataclass(frozen=True, slots=True)
class Entries:
    """A page of the registry by name and key; `next` is what to pass as `after` for the page that follows, null at the end."""

    entries: list[Entry]
    next: list[str] | None


@dataclass(frozen=True, slots=True)
class Holds:
    """What an entry's fingerprint holds."""

    architecture: str
    parameters: int
    tensors: int
    blocks: int
    width: int


@dataclass(frozen=True, slots=True)
class Parent:
    """A parent that an entry's facts name, and whether the registry has an entry of it."""

    name: str
    known: bool


@dataclass(frozen=True, slots=True)
class Known:
    """An entry, what its fingerprint holds (null if it cannot be read, `damage` says why), its parents and children by hearsay."""

    entry: Entry
    holds: Holds | None
    damage: str
    parents: list[Parent]
    children: list[str]


@dataclass(frozen=True, slots=True)
class FamilyNode:
    """A model of a family graph and where it stands, in pixels; `key` is null where the registry has no entry of it."""

    name: str
    key: str | None
    tone: str
    tag: str
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class FamilyEdge:
    """A link: places of parent and child among the nodes, what is known of it, and its outline as SVG path data."""

    parent: int
    child: int
    note: str
    outline: str


@dataclass(frozen=True, slots=True)
class Family:
    """A family graph, laid out; `complete` is false where more is known than is shown."""

    nodes: list[FamilyNode]
    edges: list[FamilyEdge]
    width: int
    height: int
    complete: bool


@dataclass(frozen=True, slots=True)
class Similar:
    """An entry that a search found, with the cosine of its search vectors and how many of the digests kept for search are equal."""

    entry: Entry
    similarity: float
    basis: str
    digests: int


@dataclass(frozen=True, slots=True)
class Order:
    """What to do with a model under a root. `base` is an adapter's, under a root too; `name` is what a check takes as published name."""

    path: str
    kind: Kind = "scan"
    base: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """A part of a job that is under way: `done` of `total` units."""

    name: str
    done: int
    total: int
    unit: str


@dataclass(frozen=True, slots=True)
class JobState:
    """A job.

    Times are UTC, ISO 8601. `ahead` is how many jobs run or wait before it. Of a finished one `summary` is the answer, `word` and
    `tone` the answer in a word and its colour, `forms` those of its report; of a failed one `error` says why.
    """

    id: str
    kind: Kind
    subject: str
    status: Status
    ahead: int
    created: str
    started: str | None
    finished: str | None
    tasks: list[Task]
    summary: str
    word: str
    tone: str
    forms: list[str]
    error: Problem | None
