"""Certain evidence: tensors of two models that hold equal values.

Two models that were trained independently share no trained tensor bit for bit; a collision of two 128-bit digests apart, one equal
trained tensor proves that it was copied. What is equal without training proves nothing and is left out: constant tensors (norms
still at 1, biases still at 0), position tables (often a formula), and vectors.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tensorguard.errors import UsageError
from tensorguard.fingerprint.base import Fingerprint, TensorDigest
from tensorguard.tensors.ordering import LANGUAGE_STACKS

Verdict = Literal["same-weights", "shares-components", "inconclusive"]

FORMULA_ROLES = frozenset({"position", "token_type", "relative"})
"""Tables that may be filled by a formula, or are so small that they say little."""

SMALLEST = 1024
"""Fewer elements are no evidence."""

_Place = tuple[str, str, int | None, int | None]


@dataclass(frozen=True, slots=True)
class RoleShare:
    """How much of one role is equal.

    Attributes:
        role: The role; that of a vision, audio or other tower has the tower's name before it.
        equal: Weights of the first model that are in the second too.
        first: Weights of this role in the first model.
        second: In the second model.
    """

    role: str
    equal: int
    first: int
    second: int


@dataclass(frozen=True, slots=True)
class Identity:
    """What the digests of two models prove.

    Attributes:
        verdict: `same-weights`: both hold the same trained weights in the same places, and nothing that both hold differs, norms
            and biases included; `shares-components`: some trained weights are equal; `inconclusive`: none is, so digests cannot
            tell whether one model derives from the other.
        equal: Trained weights of the first model that the second holds too, wherever.
        comparable: Trained weights of the first model.
        moved: How many of the equal ones lie in another block.
        roles: The same per role.
    """

    verdict: Verdict
    equal: int
    comparable: int
    moved: int
    roles: tuple[RoleShare, ...]


def compare_identity(first: Fingerprint, second: Fingerprint) -> Identity:
    """Compare two models' digests.

    Raises:
        UsageError: One of them has none.
    """
    for model in (first, second):
        if not model.digests:
            raise UsageError("the fingerprint holds no digests", where=model.name, hint="make it again without --no-lineage")
    ours, theirs = _evidence(first.digests), _evidence(second.digests)
    found = Counter(each.digest for each in theirs)
    equal: list[TensorDigest] = []
    for each in ours:
        if found[each.digest] > 0:
            found[each.digest] -= 1
            equal.append(each)
    places = {(each.digest, each.layer) for each in theirs}
    roles = dict.fromkeys(_role(each) for each in (*ours, *theirs))
    return Identity(
        verdict=_verdict(first, second, equal),
        equal=len(equal),
        comparable=len(ours),
        moved=sum((each.digest, each.layer) not in places for each in equal),
        roles=tuple(RoleShare(role, _count(equal, role), _count(ours, role), _count(theirs, role)) for role in roles),
    )


def _verdict(first: Fingerprint, second: Fingerprint, equal: Sequence[TensorDigest]) -> Verdict:
    if not equal:
        return "inconclusive"
    ours, theirs = (_by_place(each.digests) for each in (first, second))
    trained = [_by_place(_evidence(each.digests)).keys() for each in (first, second)]
    same = trained[0] == trained[1] and all(theirs.get(place, held) == held for place, held in ours.items())
    return "same-weights" if same else "shares-components"


def _by_place(digests: Sequence[TensorDigest]) -> dict[_Place, list[str]]:
    """Return what each place holds, sorted: tensors that no table knows may share a place (`other`), in no order of their own."""
    found: dict[_Place, list[str]] = {}
    for each in digests:
        found.setdefault((each.stack, each.role, each.layer, each.expert), []).append(each.digest)
    return {place: sorted(held) for place, held in found.items()}


def _evidence(digests: Sequence[TensorDigest]) -> list[TensorDigest]:
    """Return the trained weights; roles of vectors hold a colon."""
    return [
        d for d in digests if not d.constant and d.elements >= SMALLEST and ":" not in d.role and d.role not in FORMULA_ROLES
    ]


def _count(digests: Sequence[TensorDigest], role: str) -> int:
    return sum(_role(each) == role for each in digests)


def _role(each: TensorDigest) -> str:
    return each.role if each.stack in LANGUAGE_STACKS else f"{each.stack} {each.role}"
