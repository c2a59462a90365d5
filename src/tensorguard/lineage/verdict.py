"""From evidence to one word, and the components it rests on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tensorguard.fingerprint.base import Fingerprint
from tensorguard.lineage.calibration import ALARM, OPERATOR_EXCESS, OWN_BLOCKS, SHARED_BASIS, SMALLEST_DERIVED
from tensorguard.lineage.component_tests import CORRELATED, TOWERS
from tensorguard.lineage.evidence import Evidence, NamedTest, evidence
from tensorguard.lineage.grids import packed_as
from tensorguard.lineage.identity import Identity, RoleShare, compare_identity
from tensorguard.lineage.kinds import Direction, Kind, direction, kinds

Verdict = Literal["identical", "same-weights", "derived", "related", "shares-components", "independent", "inconclusive"]
Status = Literal["same", "linked", "independent", "inconclusive"]

LINKED: tuple[Verdict, ...] = ("identical", "same-weights", "derived", "related")
"""Verdicts of models that belong to one family."""

COMPONENTS = ("embeddings", "attention", "mlp", "head")
_BODY = ("operators", "reordered")
_BEYOND = 1.5
"""An effect is excluded where its bound lies below so many times what independent models may show."""
_MAPPED = 0.25
"""Share of the shallower model's blocks that must be found in the other to speak of derivation."""


@dataclass(frozen=True, slots=True)
class Component:
    """What is known about one component.

    Attributes:
        name: `embeddings`, `attention`, `mlp` or `head` of the language model, or `towers`: all else that sees, hears or joins.
        status: `same`: all its trained matrices are equal; `linked`: not independent; `independent`: every effect tested lies below
            the smallest that counts; else `inconclusive`.
        effect: The largest excess over the null of its tests, all bases; None if none could be made.
        log10_p: The smallest corrected p-value of its tests.
        how: How that p-value was come by.
    """

    name: str
    status: Status
    effect: float | None
    log10_p: float
    how: str


@dataclass(frozen=True, slots=True)
class Lineage:
    """How two models are related.

    Attributes:
        verdict: `identical`: the same tensors; `same-weights`: the same trained weights, repackaged; `derived`: blocks of one come
            from the other, or those of both from one parent; `related`: a common basis without common blocks; `shares-components`:
            only some components are common; `independent`: every effect tested lies below the smallest that counts as derived; else
            `inconclusive`.
        kinds: What distinguishes them, the most drastic first; only of `derived` and `related` models.
        direction: Which came first, as far as that can be told.
        log10_p: log10 of the smallest p-value, corrected for all tests of this pair (and all models searched); -inf is never
            given.
        how: How it was come by; `certain` where equal values decide.
        effect: The largest of the operators' excesses, over all bases, and of models that were only sampled of their rows'; None if
            blocks could not be compared.
        components: Component by component.
        evidence: What the sketches say; None if one of the models has none.
        identity: What the digests say; None if one of the models has none.
    """

    verdict: Verdict
    kinds: tuple[Kind, ...]
    direction: Direction
    log10_p: float
    how: str
    effect: float | None
    components: tuple[Component, ...]
    evidence: Evidence | None
    identity: Identity | None


def compare_lineage(first: Fingerprint, second: Fingerprint, searched: int = 1) -> Lineage:
    """Tell how two models are related, from their fingerprints.

    Args:
        first: A model.
        second: Another.
        searched: Among how many models the second was found; p-values are corrected for all of them.

    Raises:
        UsageError: The fingerprints were made with different keys.
    """
    identity = compare_identity(first, second) if first.digests and second.digests else None
    if first.sketches is None or second.sketches is None:
        verdict = _of_digests(first, second, identity) or "inconclusive"
        certain = identity is not None and identity.equal > 0
        return Lineage(verdict, (), "unknown", 0.0, "certain" if certain else "none", None, (), None, identity)
    found = evidence(first.sketches, second.sketches, searched)
    towers = any(each.component == TOWERS for each in found.tests) or any(
        each.first and each.second for each in _roles(TOWERS, identity)
    )
    components = tuple(_component(name, found, identity) for name in (*COMPONENTS, *((TOWERS,) if towers else ())))
    effect = max(_effects(found), default=None)
    verdict = _verdict(first, second, identity, found, components)
    packed = (_packed_as(first), _packed_as(second))
    named = kinds(first.sketches, second.sketches, found, packed) if verdict in ("derived", "related") else ()
    smallest = min(found.tests, key=lambda each: each.corrected)
    certain = identity is not None and identity.equal > 0
    return Lineage(
        verdict=verdict,
        kinds=named,
        direction=direction(named),
        log10_p=smallest.corrected,
        how="certain" if certain else smallest.test.how,
        effect=effect,
        components=components,
        evidence=found,
        identity=identity,
    )


def _packed_as(model: Fingerprint) -> str:
    return packed_as({each.dtype: each.elements for each in model.stored})


def _of_digests(first: Fingerprint, second: Fingerprint, identity: Identity | None) -> Verdict | None:
    """Return what digests alone say, None if that is nothing."""
    if identity is None or identity.verdict == "inconclusive":
        return None
    same = identity.verdict == "same-weights" and first.header_digest == second.header_digest
    return "identical" if same else identity.verdict


def _verdict(
    first: Fingerprint, second: Fingerprint, identity: Identity | None, found: Evidence, components: tuple[Component, ...]
) -> Verdict:
    certain = _of_digests(first, second, identity)
    if certain in ("identical", "same-weights") and not found.sampled:
        return certain
    signals = (*_BODY, "sample") if found.sampled else _BODY
    body = any(each.signal in signals and each.corrected <= ALARM for each in found.tests)
    mapped = sum(origin is not None for origin in found.layers.origins)
    shallower = min((int(model.sketches.blocks_read.sum()) for model in (first, second) if model.sketches), default=0)
    effect = max(_effects(found), default=0.0)
    ridge = mapped >= max(1, _MAPPED * shallower)
    linked = {each.name for each in components if each.status in ("same", "linked")}
    own = _copied(found.tests) or (ridge and (effect >= OWN_BLOCKS or "embeddings" not in linked))
    if body and own and effect >= SMALLEST_DERIVED:
        return "derived"
    if body and effect >= SHARED_BASIS:
        return "related"
    if certain or linked & {"embeddings", "head", TOWERS}:
        return "shares-components"
    # Neurons can be sorted and narrow models leak between bases: where one signal speaks and the operators do not, nothing is certain.
    silent = all(each.corrected > ALARM for each in found.tests if each.component != TOWERS)
    return "independent" if silent and _excludes(found.tests, "all") else "inconclusive"


def _effects(found: Evidence) -> list[float]:
    """Return the effects that are judged: the operators' excesses, and of models that were only sampled that of their rows."""
    rows = found.test("sample", "rows") if found.sampled else None
    return [*found.excess.values(), *([rows.excess] if rows else [])]


def _copied(tests: Sequence[NamedTest]) -> bool:
    """Say whether matrices of blocks agree number by number, which sharing embeddings cannot bring about."""
    return any(
        each.corrected <= ALARM
        and (each.signal in ("units", "sample") or (each.signal == "correlation" and each.component in ("attention", "mlp")))
        for each in tests
    )


def _component(name: str, found: Evidence, identity: Identity | None) -> Component:
    tests = [each for each in found.tests if each.component == name]
    roles = [each for each in _roles(name, identity) if each.first]
    if roles and not found.sampled and all(each.equal == each.first == each.second for each in roles):
        return Component(name, "same", _effect(tests), min((t.corrected for t in tests), default=0.0), "certain")
    if not tests:
        return Component(name, "inconclusive", None, 0.0, "none")
    smallest = min(tests, key=lambda each: each.corrected)
    linked = smallest.corrected <= ALARM
    status: Status = "linked" if linked else "independent" if _excludes(tests, name) else "inconclusive"
    return Component(name, status, _effect(tests), smallest.corrected, smallest.test.how)


def _roles(component: str, identity: Identity | None) -> list[RoleShare]:
    """Return what digests say of a component; roles of other towers have the tower's name before them."""
    found = identity.roles if identity else ()
    return [each for each in found if (" " in each.role if component == TOWERS else each.role in CORRELATED[component])]


def _effect(tests: Sequence[NamedTest]) -> float | None:
    return max((each.test.excess for each in tests if each.signal != "units"), default=None)


def _excludes(tests: Sequence[NamedTest], component: str) -> bool:
    """Say whether every effect that was tested lies below the smallest that counts, in more than the fixed basis alone."""
    bounded = [each for each in tests if each.signal in ("operators", "anchors") and each.component == component]
    limit = max(SMALLEST_DERIVED, _BEYOND * OPERATOR_EXCESS.get(component, 0.0))
    return any(each.basis != "fixed" for each in bounded) and all(each.test.upper < limit for each in bounded)
