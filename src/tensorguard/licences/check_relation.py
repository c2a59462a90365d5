"""Whether what is said to have been done is what was done: TG105 and TG106."""

from collections.abc import Iterator, Sequence

from tensorguard.errors import quote, quote_some
from tensorguard.formats.adapter import CONFIG as ADAPTER
from tensorguard.licences.audit import Finding
from tensorguard.licences.bases import Base, called
from tensorguard.licences.check_descent import strength
from tensorguard.licences.claims import Claims
from tensorguard.licences.obligations import SLIGHT
from tensorguard.licences.rules import broken
from tensorguard.lineage.mixture import Mixture
from tensorguard.lineage.scan import Relative, Scan

_SAME = ("identical", "same-weights")
_TRAINED = frozenset({"fine-tuned", "continued", "adapter", "pruned", "layers", "width", "upcycled"})
"""Kinds that no quantisation is."""

_EIGHT_BITS = 0.0075
"""Relative difference up to which rounding to 8 bits explains all (0.0052 to 0.0066 on the zoo). Under that to 4 bits, 0.08 and more, a
training can hide, which takes the weights 0.005 and more away."""

_CERTAIN = ("linear", "passthrough")
"""Mixtures that are surely merges; a sparse one may be training on like data."""

_TOLERANCE = 0.02
"""By how much a weight may lie outside its interval: mergekit's configurations are rounded."""


def relation(claims: Claims, scan: Scan, found: Sequence[Base]) -> Iterator[Finding]:
    """Yield what is wrong with the declared relation, and with the parents of a declared merge."""
    confirmed = [each for each in found if each.status == "confirmed" and each.relative is not None]
    for claim in claims.of("relation"):
        said = claim.value.casefold()
        shown = next(filter(None, (_contradiction(said, each.relative) for each in confirmed if each.relative)), "")
        if not shown and said == "adapter" and not _is_adapter(claims):
            shown = "the files hold whole weights, and no adapter"
        if not shown and said != "merge" and _merged(scan.parents):
            shown = f"the weights show a merge of {_parents(scan.parents)}"
        if not shown and said == "merge" and len(confirmed) > 1 and scan.parents is None:
            shown = "one known model explains the weights as well as several do"
        if shown:
            message = f"the model is said to be a {quote(claim.value)} of its base, and it is not"
            yield broken("TG105", message, shown=shown, claimed=f"{claim.source}: {quote(claim.value)}", where=claim.file)
    if claims.of("merge_parent") and _merged(scan.parents):
        yield from _merge(claims, scan.parents, found)


def _is_adapter(claims: Claims) -> bool:
    return any(each.file == ADAPTER for each in claims.claims)


def _contradiction(said: str, relative: Relative) -> str:
    """Return what the weights show against a relation, or nothing."""
    lineage, name = relative.lineage, called(relative.entry)
    kinds = {each.name for each in lineage.kinds}
    if said in ("finetune", "adapter", "merge") and lineage.verdict in _SAME:
        return f"the weights are those of {name}, unchanged ({strength(relative)})"
    if said in ("finetune", "adapter", "merge") and kinds == {"cast"}:
        return f"the weights are those of {name}, rounded to 16 bits"
    apart = relative.distance
    if said in ("finetune", "adapter", "merge") and kinds == {"quantised"} and apart is not None and apart <= _EIGHT_BITS:
        return f"the weights are those of {name}, quantised: they differ by {apart:.1%}, which rounding to 8 bits does"
    if said == "quantized" and kinds & _TRAINED and not kinds & {"quantised", "cast"}:
        reasons = ", ".join(each.reason for each in lineage.kinds if each.name in _TRAINED)
        return f"the weights of {name} were changed, not quantised: {reasons}"
    return ""


def _merged(parents: Mixture | None) -> bool:
    return parents is not None and parents.method in _CERTAIN and len(parents.parents) > 1


def _parents(parents: Mixture | None) -> str:
    return quote_some([each.name for each in parents.parents]) if parents else ""


def _merge(claims: Claims, shown: Mixture | None, found: Sequence[Base]) -> Iterator[Finding]:
    if shown is None:
        return
    claim = claims.of("merge_parent")[0]
    declared = {entry.name: each.declared.name for each in found for entry in each.declared.entries}
    told = f"the weights show a {shown.method} merge of {_parents(shown)}"
    for each in shown.parents:
        if each.name not in declared and abs(each.weight) > SLIGHT:
            message = f"{quote(each.name)} is a parent of the merge (weight {each.weight:.2f}), and is not named"
            yield broken("TG106", message, shown=told, claimed=claim.source, where=claim.file)
    for out in shown.excluded:
        if out.p is not None and out.name in declared and not _is_base(declared[out.name], claims):
            message = f"{quote(declared[out.name])} is named as a parent of the merge, and contributes nothing"
            yield broken("TG106", message, shown=told, claimed=claim.source, where=claim.file)
    yield from _weights(claims, shown, declared)


def _is_base(name: str, claims: Claims) -> bool:
    return any(each.value == name for each in claims.of("base_model"))


def _weights(claims: Claims, shown: Mixture, declared: dict[str, str]) -> Iterator[Finding]:
    """Yield weights of a linear merge that lie outside what was measured."""
    said = {parent: float(weight) for weight, _, parent in (each.partition(" ") for each in claims.values("merge_weight"))}
    total = sum(said.values())
    parents = {each.name for each in shown.parents}
    if "linear" not in claims.values("merge_method") or shown.method != "linear" or not total:
        return
    if set(said) != {declared[name] for name in parents if name in declared}:
        return
    for each in shown.parents:
        expected = said[declared[each.name]] / total if each.name in declared else None
        if expected is not None and not each.low - _TOLERANCE <= expected <= each.high + _TOLERANCE:
            message = f"{quote(declared[each.name])} is said to have weight {expected:.2f} in the merge"
            measured = f"the weights show {each.weight:.2f} (from {each.low:.2f} to {each.high:.2f})"
            yield broken(
                "TG106", message, shown=measured, claimed=claims.of("merge_weight")[0].source, where="mergekit_config.yml"
            )
