"""How two models are related, in one sentence."""

import math

from tensorguard.errors import quote
from tensorguard.fingerprint.base import Coverage
from tensorguard.fingerprint.plan import LOOKS
from tensorguard.lineage.calibration import ALARM, SMALLEST_DERIVED
from tensorguard.lineage.evidence import Evidence
from tensorguard.lineage.pair import Pair
from tensorguard.lineage.verdict import Lineage

_DONE = {
    "upcycled": "up-cycled to a mixture of experts",
    "width": "of another width",
    "vocabulary": "another vocabulary",
    "cast": "cast to 16 bits",
    "adapter": "changed in few directions or parts (adapter)",
    "continued": "trained on for long",
}
"""What was done, for kinds whose own name does not say it; `layers` say it by their reason."""


def sentence(pair: Pair) -> str:
    """Return the answer: how two models are related, how strongly, and how sure that is."""
    first, second, lineage = quote(pair.first), quote(pair.second), pair.lineage
    match lineage.verdict:
        case "identical":
            return f"{first} and {second} are identical: every tensor has the same name, shape and values{_equal(lineage)}."
        case "same-weights":
            return f"{first} and {second} hold the same weights{_equal(lineage)}."
        case "derived":
            return f"{_descent(first, second, lineage)}: {done(lineage)}; {_evidence(lineage)}."
        case "related":
            said = "their blocks act in one residual basis, but are not each other's: most likely different parts of one parent"
            return f"{first} and {second} are related: {said}; {_evidence(lineage)}."
        case "shares-components":
            return f"{first} and {second} share components: {components_sentence(lineage)}."
        case "independent":
            return f"{first} and {second} are independent as far as weights tell: {_bound(lineage)}."
        case _:
            return f"whether {first} and {second} are related cannot be told: {_unknown(lineage)}."


def done(lineage: Lineage) -> str:
    """Return what was done to one model to make the other, in words."""
    said = [kind.reason if kind.name == "layers" else _DONE.get(kind.name, kind.name) for kind in lineage.kinds]
    sampled = lineage.evidence.sampled if lineage.evidence else None
    if sampled is not None and sampled.equal == 1:
        said.append("no difference in the rows that were read")
    return ", ".join(said) or "what was done is not known"


def coverage(name: str, found: Coverage) -> str:
    """Return how much of a model was read, and what that leaves open."""
    share = found.elements / max(1, found.of)
    parts = [f"the first rows of {found.rows}"] if found.rows else []
    parts += [f"all of {found.whole}"] if found.whole else []
    return (
        f"of {quote(name)} only a sample was read, {' and '.join(parts)} of {found.matrices} matrices ({share:.2%} of its numbers): "
        "whether all values are equal, what exactly was done, and merges take reading all of it (--full)"
    )


def p_value(log10_p: float) -> str:
    """Return a p-value from its logarithm: `p < 1e-298`, `p = 0.02`."""
    return f"p < 1e{math.ceil(log10_p):d}" if log10_p <= -3 else f"p = {10**log10_p:.2g}"


def child(pair: Pair) -> str:
    """Return which of two models was made from the other: `first`, `second`, `?`."""
    return {"first from second": "first", "second from first": "second", "unknown": "?"}[pair.lineage.direction]


def _descent(first: str, second: str, lineage: Lineage) -> str:
    match lineage.direction:
        case "first from second":
            return f"{first} derives from {second} or a relative of it"
        case "second from first":
            return f"{second} derives from {first} or a relative of it"
        case _:
            return f"one of {first} and {second} derives from the other, or both from a third"


def _equal(lineage: Lineage) -> str:
    return f": all {lineage.identity.equal} trained matrices are equal (certain)" if lineage.identity else ""


def _evidence(lineage: Lineage) -> str:
    """Return the effect, its p-value, and equal matrices where there are some."""
    said, found, identity = [], lineage.evidence, lineage.identity
    if lineage.verdict == "derived" and found is not None and found.log10_p > ALARM:
        return f"a deep comparison shows it, fingerprints alone do not: {_surely(found)}"
    if found is not None and found.sampled is not None and found.sampled.likeness >= SMALLEST_DERIVED:
        said.append(f"the first rows of matrices agree (mean cosine {found.sampled.likeness:.2f})")
    if found is not None and found.basis is not None and lineage.effect is not None:
        alike = max(test.statistic for signal in ("operators", "reordered") if (test := found.test(signal, found.basis)))
        far = lineage.effect >= SMALLEST_DERIVED
        said.append(
            f"blocks act alike (mean cosine {alike:.2f})" if far else f"blocks hardly act alike (mean cosine {alike:.2f})"
        )
    if found is not None and (lineage.effect or 0.0) < SMALLEST_DERIVED and found.units.log10_p <= ALARM:
        units = found.units
        said.append(
            f"{units.same} of {units.matched} neurons that read alike have the same number (by chance {units.expected:.3g})"
        )
    if found is not None:
        said.append(_surely(found))
    if identity is not None and identity.equal:
        moved = f", {identity.moved} of them in another block" if identity.moved else ""
        said.append(f"{identity.equal} of {identity.comparable} trained matrices are equal{moved} (certain)")
    return ", ".join(said)


def _surely(found: Evidence) -> str:
    how = min(found.tests, key=lambda each: each.corrected).test.how
    tests = f"{len(found.tests)} test{'s' if len(found.tests) != 1 else ''}" + (f" and {LOOKS} looks" if found.sampled else "")
    return f"{p_value(found.log10_p)} ({how}, corrected for {tests})"


def components_sentence(lineage: Lineage) -> str:
    """Return which components are shared and which are not."""
    identity = lineage.identity
    parts = [
        f"{_named(each.name)} ({'all matrices equal, certain' if each.status == 'same' else f'{p_value(each.log10_p)}, {each.how}'})"
        for each in lineage.components
        if each.status in ("same", "linked")
    ]
    others = [f"{_named(each.name)} {each.status}" for each in lineage.components if each.status not in ("same", "linked")]
    said = [", ".join(parts), ", ".join(others)]
    if identity is not None and identity.equal:
        moved = f", {identity.moved} of them in another block" if identity.moved else ""
        said.insert(0, f"{identity.equal} of {identity.comparable} trained matrices are equal{moved} (certain)")
    return "; ".join(each for each in said if each)


def _named(component: str) -> str:
    return "MLP" if component == "mlp" else component


def _bound(lineage: Lineage) -> str:
    tests = lineage.evidence.tests if lineage.evidence else ()
    upper = max((each.test.upper for each in tests if (each.signal, each.component) == ("operators", "all")), default=0.0)
    least = f"below {SMALLEST_DERIVED:g}, the least that counts as derived"
    return f"{len(tests)} tests find nothing, and the agreement of blocks is at most {upper:.2g} (99 % bound), {least}"


def _unknown(lineage: Lineage) -> str:
    if lineage.evidence is None:
        return "no trained matrix is equal, and one of the fingerprints holds no sketches"
    said = f"{_surely(lineage.evidence)} is no proof of it"
    if lineage.effect is None:
        return f"{said}, and blocks could not be compared"
    if lineage.evidence.excess.keys() == {"fixed"}:
        return f"{said}, and without common tokens a change of basis would hide it"
    return f"{said}, and an agreement of blocks from which on models count as derived is not excluded"
