"""Whether the model comes from where it says it comes from: TG101 to TG104, TG107 to TG111, and what cannot be known of it."""

import itertools
from collections.abc import Iterator, Sequence

from tensorguard.errors import quote
from tensorguard.licences.audit import Finding, Severity
from tensorguard.licences.bases import Base, called, is_itself, kin_of_record, origins
from tensorguard.licences.claims import Claims
from tensorguard.licences.declared import Names, means
from tensorguard.licences.rules import broken
from tensorguard.lineage.scan import Relative, Scan
from tensorguard.lineage.verdict import LINKED

_CLOSER = 0.5
"""A known model is much closer if its weights differ by less than so many times what those of the declared base differ."""

_NONE = "no known model is a relative; distillation into fresh weights leaves no trace, and disguises may hide one"
"""What is shown if nothing is."""

_COMPARED_FILES = ("README.md", "adapter_config.json", "mergekit_config.yml")
"""Files that should name the same base; GGUF files may name their source's base."""


def descent(claims: Claims, scan: Scan, found: Sequence[Base], known: Names) -> Iterator[Finding]:
    """Yield what is wrong with the declared descent."""
    for base in found:
        yield from _of_base(base, scan)
    yield from _origins(claims, scan, found, known)
    relative = _parent(scan)
    if relative is not None and not is_itself(relative, claims):
        yield from _undeclared(relative, claims, scan, found, known)
    elif relative is None and not any(each.status == "confirmed" for each in found):
        yield from _parts(claims, scan, found, known)
        yield _nothing_known(scan)
    yield from _differing(claims)


def strength(relative: Relative) -> str:
    """Return how sure a link is: `derived, p < 1e-300`, `same-weights, certain`."""
    lineage = relative.lineage
    if lineage.how == "certain" and lineage.verdict in ("identical", "same-weights"):
        return f"{lineage.verdict}, certain"
    p = f"p < 1e{int(relative.log10_p)}" if relative.log10_p <= -3 else f"p = {10**relative.log10_p:.2g}"
    return f"{lineage.verdict}, {p}"


def _of_base(base: Base, scan: Scan) -> Iterator[Finding]:
    declared = base.declared
    name, where = quote(declared.name), declared.sources[0].partition(": ")[0]
    claimed = f"{declared.sources[0]} names {name}"
    if base.status == "contradicted" and base.relative is not None:
        shown = _instead(scan)
        adapter = declared.sources[0].startswith("adapter_config.json")
        rule, means_it = ("TG110", "the adapter names") if adapter else ("TG101", "the declared base is")
        entry = called(base.relative.entry)
        message = f"{means_it} {name}, and the weights are independent of {'it' if entry == name else entry}"
        yield broken(rule, message, shown=shown, claimed=claimed, where=where)
    elif base.status == "components" and base.relative is not None:
        message = f"only parts come from the declared base {name}: {_shared(base.relative)}"
        yield broken("TG109", message, shown=_instead(scan), claimed=claimed, where=where)
    elif base.status == "inconclusive":
        yield broken("TG902", f"whether the model comes from {name} cannot be told", claimed=claimed, where=where)
    elif base.status == "unknown":
        yield broken(
            "TG901", f"{name} is not in the registry: that it is the base cannot be verified", claimed=claimed, where=where
        )


def _origins(claims: Claims, scan: Scan, found: Sequence[Base], known: Names) -> Iterator[Finding]:
    """Yield what the configuration lets slip and the weights contradict, if that is not declared as well."""
    for each in origins(claims, scan, known):
        name, source = each.declared.name, each.declared.sources[0]
        if each.status == "contradicted" and not any(means(name, base.declared.name) for base in found):
            message = f"the model was saved from {quote(name)} by its own account, and the weights are independent of it"
            claimed = f"{source}: {quote(name)}"
            yield broken("TG111", message, shown=_instead(scan), claimed=claimed, where=source.partition(": ")[0])


def _undeclared(relative: Relative, claims: Claims, scan: Scan, found: Sequence[Base], known: Names) -> Iterator[Finding]:
    """Yield what is wrong if the best relative is not declared."""
    name, shown = called(relative.entry), _instead(scan)
    related: Severity | None = "warning" if relative.lineage.verdict == "related" else None
    scratch = claims.of("scratch")
    confirmed = [each for each in found if each.status == "confirmed" and each.relative is not None]
    if not confirmed and _descendant(relative, claims):
        message = f"{name} is recorded as made of a model of this name, and which of the two came first cannot be told"
        yield broken("TG902", message, shown=shown)
        return
    if scratch and not confirmed:
        claimed = f"{scratch[0].source}: {quote(scratch[0].value)}"
        message = f"the card says that the model was trained from scratch, and its weights come from {name}"
        yield broken("TG103", message, severity=related, shown=shown, claimed=claimed, where=scratch[0].file)
    if confirmed:
        closest = min((each.relative for each in confirmed if each.relative), key=_distance)
        if _distance(relative) < _CLOSER * _distance(closest):
            message = f"{name} is much closer to the model than the declared base {called(closest.entry)}"
            numbers = f"weights differ by {_distance(relative):.1%} and {_distance(closest):.1%}"
            yield broken("TG108", message, shown=f"{shown}; {numbers}")
    elif not kin_of_record(relative, found, known):
        if not found and not scratch:
            message = f"no base is declared, and the weights come from {name} or a relative of it"
            yield broken("TG102", message, severity=related, shown=shown, claimed=_hint(claims, relative), where=_card(claims))
        elif any(each.status == "unknown" for each in found):
            names = ", ".join(quote(each.declared.name) for each in found if each.status == "unknown")
            yield broken(
                "TG104",
                f"the declared base {names} is not known here, and the weights come from {name}",
                shown=shown,
                where=_card(claims),
            )


def _descendant(relative: Relative, claims: Claims) -> bool:
    """Say whether the relative is recorded as made of a model of this name; names can be borrowed, so that excuses nothing."""
    return any(means(name, parent) for name in claims.values("name") for parent in relative.entry.facts.parents)


def _card(claims: Claims) -> str:
    """Return the file in which a base would be declared, if it is there."""
    return next((each.file for each in claims.claims if each.file == "README.md"), "")


def _hint(claims: Claims, relative: Relative) -> str:
    """Return what the configuration lets slip."""
    for each in claims.of("origin"):
        if means(each.value, relative.entry.facts.repository or relative.entry.name):
            return f"{each.source} says {quote(each.value)}"
    return "no file names a base"


def _parts(claims: Claims, scan: Scan, found: Sequence[Base], known: Names) -> Iterator[Finding]:
    """Yield the best of the models that only share components, if that is not declared."""
    sharing = [each for each in scan.relatives if each.lineage.verdict == "shares-components" and each.confirmed is not False]
    if sharing and not any(each.status == "components" for each in found) and not kin_of_record(sharing[0], found, known):
        message = f"parts come from {called(sharing[0].entry)}, which is not declared: {_shared(sharing[0])}"
        yield broken("TG109", message, shown=strength(sharing[0]), where=_card(claims))


def _shared(relative: Relative) -> str:
    parts = [each.name for each in relative.lineage.components if each.status in ("same", "linked")]
    return ", ".join(parts) or "some tensors"


def _nothing_known(scan: Scan) -> Finding:
    compared = bool(scan.relatives or scan.others)
    searched = f"{scan.searched:,} known model{'s were' if scan.searched != 1 else ' was'} searched"
    later = [called(each.entry) for each in scan.relatives if each.descends and each.lineage.verdict in LINKED]
    said = (
        f"{later[0]} was made of it; {searched}" if later else searched if compared else "there is nothing to compare it with"
    )
    undecided = scan.verdict == "inconclusive" and scan.others
    message = "whether a known model is a relative cannot be told" if undecided else "no known model is shown to be an ancestor"
    return broken("TG903", message, shown=f"{said}; what is not in the registry cannot be excluded")


def _differing(claims: Claims) -> Iterator[Finding]:
    """Yield a finding if two files name bases of which none is the same."""
    said: dict[str, list[str]] = {}
    for each in (*claims.of("base_model"), *claims.of("merge_parent")):
        if each.file in _COMPARED_FILES:
            said.setdefault(each.file, []).append(each.value)
    files = list(said)
    for one, other in itertools.pairwise(files):
        if not any(means(a, b) for a in said[one] for b in said[other]):
            told = " and ".join(f"{file} names {quote(said[file][0])}" for file in (one, other))
            yield broken("TG107", "two files name different bases", claimed=told, where=one)


def _parent(scan: Scan) -> Relative | None:
    """Return the best relative that may be an ancestor or a copy."""
    found = (each for each in scan.relatives if each.lineage.verdict in LINKED and each.confirmed is not False)
    return next((each for each in found if not each.descends), None)


def _instead(scan: Scan) -> str:
    relative = _parent(scan)
    return f"the weights show {called(relative.entry)} ({strength(relative)})" if relative else _NONE


def _distance(relative: Relative) -> float:
    return 1.0 if relative.distance is None else relative.distance
