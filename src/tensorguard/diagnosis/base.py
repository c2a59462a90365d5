"""What a diagnosis finds, as plain data. Rates are per second; bytes are those of bfloat16 weights unless they are a file's."""

from dataclasses import dataclass
from typing import Literal

Bound = Literal["disk", "hash", "product", "decoding", "rest"]
"""What a fingerprint waits for: bytes of the disk, or the part of the processors' work that takes most of their time."""

Level = Literal["good", "slow", "missing"]
"""Nothing to do; can be put right; something does not work without it."""


@dataclass(frozen=True, slots=True)
class Blas:
    """A library of matrix products that numpy uses.

    Attributes:
        name: openblas, mkl, blis, ...; as numpy was built where it cannot be asked.
        version: Its own, empty if it does not tell.
        architecture: For which processors its kernels were written, such as Haswell; empty if it does not tell.
    """

    name: str
    version: str
    architecture: str


@dataclass(frozen=True, slots=True)
class Machine:
    """What the work runs on.

    Attributes:
        tensorguard: Version.
        python: Version.
        numpy: Version.
        system: Operating system and kind of processor.
        processor: Its name, empty if the system does not tell.
        vectors: The widest vector instructions of it: avx512, avx2, avx, neon; empty if the system does not tell.
        blas: Of numpy.
        processors: How many this process may use.
        installed: How many there are.
        quota: How many processors' time a container may take; None without a limit.
        memory: Bytes of memory.
        available: Bytes that can be taken without swapping, within the container's limit.
        limit: The container's limit in bytes; None without one.
    """

    tensorguard: str
    python: str
    numpy: str
    system: str
    processor: str
    vectors: str
    blas: Blas
    processors: int
    installed: int
    quota: float | None
    memory: int
    available: int
    limit: int | None


@dataclass(frozen=True, slots=True)
class Rate:
    """How fast something goes, per second.

    Attributes:
        one: With one thread.
        all: With as many as there are processors.
    """

    one: float
    all: float


@dataclass(frozen=True, slots=True)
class Work:
    """How fast the processors do each part of a fingerprint.

    Attributes:
        copy: Bytes copied in memory: the floor of everything that reads weights.
        hash: Bytes digested (BLAKE3).
        decode: Bytes of bfloat16 widened to float32.
        product: Floating-point operations of W X (two per number and column) on tiles as a fingerprint has them.
        columns: Columns per number of a typical model, over which `product` turns into time.
        sweep: Bytes through everything that the lineage fingerprint does with them, reading apart.
        sixteen: Bytes through the paper's 16 numbers, reading apart.
        given: Share of the processors' time that this process got while all were wanted; less than 1 where others use them too.
    """

    copy: Rate
    hash: Rate
    decode: Rate
    product: Rate
    columns: float
    sweep: Rate
    sixteen: Rate
    given: float


@dataclass(frozen=True, slots=True)
class Disk:
    """How fast files of a folder are read.

    Attributes:
        folder: Which.
        file: What was read: a file that was there, or empty for one that was made for it and removed.
        bytes: How much of it.
        cold: Bytes per second that the cache does not hold; None where that could not be made so.
        warm: Bytes per second out of the cache; None where nothing was read.
        free: Bytes free on that disk.
        notice: What went otherwise than wanted; may be empty.
    """

    folder: str
    file: str
    bytes: int
    cold: float | None
    warm: float | None
    free: int
    notice: str


@dataclass(frozen=True, slots=True)
class Card:
    """A card, and whether products are better done on it.

    Attributes:
        name: What it is called; empty without one.
        memory: Its bytes of memory.
        chosen: What `--device auto` takes: `cpu` or `cuda`.
        why: For what reason.
        here: Bytes of weights per second that all processors multiply.
        there: Bytes per second that the card multiplies, transfers included; None where it was not tried.
        unpinned: The same without page-locked memory.
        error: Largest relative difference between both; None where it was not tried.
    """

    name: str
    memory: int
    chosen: str
    why: str
    here: float | None = None
    there: float | None = None
    unpinned: float | None = None
    error: float | None = None


@dataclass(frozen=True, slots=True)
class Extra:
    """Optional packages.

    Attributes:
        name: What `pip install 'tensorguard-llm[NAME]'` calls them.
        adds: What they are for.
        missing: Which of them are not installed.
    """

    name: str
    adds: str
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Store:
    """A folder that TensorGuard keeps things in, or reads what others keep.

    Attributes:
        what: `registry`, `hub cache` or `temporary files`.
        folder: Where.
        exists: Whether it is there.
        free: Bytes free on its disk; None where it cannot be told.
        says: What else there is to know.
    """

    what: str
    folder: str
    exists: bool
    free: int | None
    says: str


@dataclass(frozen=True, slots=True)
class Reach:
    """How the hub answers.

    Attributes:
        endpoint: Its address.
        first: Seconds to the first answer, its name resolved and a connection made; None where none came.
        again: Seconds to the next answer over the same connection.
        error: Why there was none; may be empty.
    """

    endpoint: str
    first: float | None
    again: float | None
    error: str


@dataclass(frozen=True, slots=True)
class Forecast:
    """How long a full fingerprint would take here.

    Attributes:
        model: Of which model: a size, or the model that was named.
        parameters: How many it has.
        bytes: What its files hold.
        warm: Seconds with its files in the cache.
        cold: Seconds with none of it there; None where the disk was not measured.
        rate: Bytes of its files per second, cold where that is known.
        bound: What it waits for.
    """

    model: str
    parameters: int
    bytes: int
    warm: float
    cold: float | None
    rate: float
    bound: Bound


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that can be said of the machine.

    Attributes:
        level: `good`: nothing to do; `slow`: can be put right; `missing`: something does not work without it.
        what: Two or three words.
        says: What was found.
        change: What to do; empty where nothing can be done.
    """

    level: Level
    what: str
    says: str
    change: str = ""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All of it.

    Attributes:
        machine: What the work runs on.
        work: How fast its parts are.
        shares: Which share of the processors' time of a sweep each part takes.
        disk: How fast files are read.
        card: A card, if there is one.
        forecasts: How long fingerprints take.
        extras: Optional packages.
        stores: Folders.
        hub: How the hub answers; None if nobody asked.
        findings: What bounds the work and what to change, the most important first.
    """

    machine: Machine
    work: Work
    shares: dict[Bound, float]
    disk: Disk
    card: Card
    forecasts: tuple[Forecast, ...]
    extras: tuple[Extra, ...]
    stores: tuple[Store, ...]
    hub: Reach | None
    findings: tuple[Finding, ...]
