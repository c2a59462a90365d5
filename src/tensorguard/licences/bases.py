"""What a scan says of each declared base: confirmed, contradicted, or not to be known."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from tensorguard.errors import quote
from tensorguard.licences.claims import Claims
from tensorguard.licences.declared import Declared, Directory, Names, declared_bases, means, recorded_origins
from tensorguard.lineage.scan import Relative, Scan
from tensorguard.lineage.verdict import LINKED
from tensorguard.registry.catalogue import known as of_catalogue
from tensorguard.registry.entry import Entry

Status = Literal["confirmed", "components", "contradicted", "inconclusive", "unknown"]

_LONGEST_CHAIN = 16


@dataclass(frozen=True, slots=True)
class Base:
    """A declared base and what the weights say of it.

    Attributes:
        declared: As the model declares it.
        status: `confirmed`: the model is related to it; `components`: only parts are; `contradicted`: it is known, and the two are
            independent; `inconclusive`: it is known, and that cannot be told; `unknown`: it is not in the registry.
        relative: What the comparison with it says; None if it was not compared.
    """

    declared: Declared
    status: Status
    relative: Relative | None


def bases(claims: Claims, scan: Scan, known: Names) -> tuple[Base, ...]:
    """Return what the weights say of every declared base, in the model's own order."""
    return tuple(_judged(each, scan) for each in declared_bases(claims, known))


def origins(claims: Claims, scan: Scan, known: Names) -> tuple[Base, ...]:
    """Return what the weights say of the known models that the model is recorded to be saved from."""
    return tuple(_judged(each, scan) for each in recorded_origins(claims, known))


def _judged(declared: Declared, scan: Scan) -> Base:
    if not declared.entries:
        return Base(declared, "unknown", None)
    names = {each.name for each in declared.entries}
    compared = [each for each in (*scan.relatives, *scan.others) if each.entry.name in names]
    for each in compared:
        if each.lineage.verdict in LINKED and each.confirmed is not False:
            return Base(declared, "confirmed", each)
    for each in compared:
        if each.lineage.verdict == "shares-components":
            return Base(declared, "components", each)
    if not declared.exact:
        return Base(declared, "unknown", None)  # it may be another model of a similar name
    independent = [each for each in compared if each.lineage.verdict == "independent"]
    if independent and len(independent) == len(compared):
        return Base(declared, "contradicted", independent[0])
    return Base(declared, "inconclusive", compared[0] if compared else None)


def is_itself(relative: Relative, claims: Claims) -> bool:
    """Say whether a known model is the one in question: under one of its names, with the same weights."""
    same = relative.lineage.verdict in ("identical", "same-weights")
    return same and any(Directory([relative.entry]).matching(name)[0] for name in claims.values("name"))


def kin_of_record(relative: Relative, found: Sequence[Base], known: Names) -> bool:
    """Say whether what is recorded of descents explains a relative: it is an ancestor or a descendant of a declared base.

    Facts of registry and catalogue count here, which is what people say: they can only explain a link that was measured.
    """
    declared = [each.declared.name for each in found]
    itself = {relative.entry.name, relative.entry.facts.repository} - {""}
    ancestors = [name for each in itself for name in lineage_of(each, known)]
    of_declared = [name for each in declared for name in lineage_of(each, known)]
    return any(means(a, b) for a in declared for b in (*itself, *ancestors)) or any(
        means(a, b) for a in of_declared for b in itself
    )


def doubtful(scan: Scan, found: Sequence[Base], known: Names) -> frozenset[str]:
    """Return the names of relatives that may be siblings rather than ancestors, where weights do not tell which came first.

    These are undeclared ones that are only `related`, or that are recorded as made of a declared base, or parents of what may be a sparse
    merge, or training on like data; the best relative is surely none of the latter.
    """
    declared = {entry.name for each in found for entry in each.declared.entries}
    unsure = [each for each in scan.relatives if each.entry.name not in declared and each.lineage.direction == "unknown"]
    best = scan.best.entry.name if scan.best else ""
    sparse = {each.name for each in scan.parents.parents} if scan.parents and scan.parents.method == "sparse" else set()
    names = []
    for each in unsure:
        ancestors = [*lineage_of(each.entry.name, known), *lineage_of(each.entry.facts.repository, known)]
        sibling = any(means(base.declared.name, name) for base in found for name in ancestors)
        if sibling or each.lineage.verdict == "related" or each.entry.name in sparse - {best}:
            names.append(each.entry.name)
    return frozenset(names)


def lineage_of(name: str, known: Names) -> Iterator[str]:
    """Yield the names of a model's known ancestors, nearest first, as registry and catalogue have them."""
    seen, next_ones = {name}, [name]
    for _ in range(_LONGEST_CHAIN):
        next_ones = [parent for each in next_ones for parent in _parents(each, known) if parent not in seen]
        seen.update(next_ones)
        yield from dict.fromkeys(next_ones)


def _parents(name: str, known: Names) -> tuple[str, ...]:
    found, exact = known.matching(name)
    parents = [parent for each in found if exact for parent in each.facts.parents]
    facts = of_catalogue(name)
    return tuple(dict.fromkeys([*parents, *(facts.parents if facts else ())]))


def called(entry: Entry) -> str:
    """Return a known model's repository or name, quoted."""
    return quote(entry.facts.repository or entry.name)
