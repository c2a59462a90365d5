"""What kind of derivation links two models, and which of them came first, as far as their fingerprints tell."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from tensorguard.fingerprint.sketches import Sketches
from tensorguard.lineage.evidence import Evidence
from tensorguard.lineage.grids import bits_of, noise_of
from tensorguard.lineage.sampled import SampledBlocks
from tensorguard.lineage.values import Values, compare_rows, compare_values

Direction = Literal["first from second", "second from first", "unknown"]

FIRST, SECOND, UNKNOWN = 0, 1, None
_CHILD: dict[int | None, Direction] = {FIRST: "first from second", SECOND: "second from first", UNKNOWN: "unknown"}

KINDS = (
    "upcycled", "width", "layers", "vocabulary", "disguised", "quantised", "cast", "pruned", "adapter", "fine-tuned", "continued",
)  # fmt: skip
"""Everything that `kinds` can name, the most drastic first."""

_RESHAPING = frozenset({"upcycled", "width", "disguised", "pruned"})
"""After these the amount by which values differ says nothing."""

_MADE_OF = {"QK": ("q", "k"), "VO": ("v", "o"), "DU": ("up", "down", "fc_in", "fc_out")}
"""Which matrices make an operator that does not change when they are rearranged or rescaled together."""

_SEEN = 0.3
"""Excess in a basis from which on the models agree in it."""
_PADDED = 0.995
"""Cosine of down x up from which on more neurons cannot come from pruning the fewer."""
_CONTINUED = 0.5
"""Relative difference from which on a training is called continued rather than fine-tuning."""
_UNRELATED = 1.3
"""Relative difference from which on matrices are not the same ones trained further (independent ones: the square root of 2)."""
_AGAIN = 0.5
"""A block of the longer model that none maps to stands there twice if its cosines reach this share of what mapped blocks reach."""
_ROUNDED = 0.03
"""Relative difference of row samples that their own rounding to 8 bits can make."""
_ROWS_ALIKE = 0.875
"""Mean cosine of row samples up to which it is not said by how much rows differ (half of their size): some may have been moved."""
_TURNED = "the residual stream is in another basis: permuted, rotated, or sign-flipped"
_UNEXPLAINED = (4.0, 0.02)
"""A relative difference more than this many times (and by this much more than) what the operators show is a disguise."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One thing that was done.

    Attributes:
        name: One of `KINDS`.
        child: 0 if it was done to the second model to make the first, 1 the other way round, None if that cannot be told.
        reason: What shows it, in words.
    """

    name: str
    child: int | None
    reason: str


def kinds(a: Sketches, b: Sketches, evidence: Evidence, packed: tuple[str, str] = ("", "")) -> tuple[Kind, ...]:
    """Name what distinguishes two linked models, the most drastic first; empty if nothing does.

    Of models that were only sampled, shapes tell, and the first rows of their matrices.

    Args:
        a: The first model.
        b: The second.
        evidence: What links them.
        packed: As what most numbers of each are packed into few bits (`grids.packed_as`), or nothing. It decides where values do not.
    """
    if evidence.sampled:
        found = [*_shapes(a, b, evidence), *_in_rows(evidence, evidence.sampled, compare_rows(a, b, evidence.sampled), packed)]
        return tuple({kind.name: kind for kind in sorted(found, key=lambda kind: KINDS.index(kind.name))}.values())
    values = compare_values(a, b, evidence)
    found = list(_shapes(a, b, evidence))
    if not {kind.name for kind in found} & {"upcycled", "width", "pruned"}:
        found += _disguises(evidence, values)
    found += _values(values, packed, reshaped=any(kind.name in _RESHAPING for kind in found))
    unique = {kind.name: kind for kind in reversed(found)}
    return tuple(unique[name] for name in KINDS if name in unique)


def direction(found: tuple[Kind, ...]) -> Direction:
    """Return which model came first, where all kinds that tell it agree."""
    told = {kind.child for kind in found} - {UNKNOWN}
    return _CHILD[told.pop() if len(told) == 1 else UNKNOWN]


def _shapes(a: Sketches, b: Sketches, evidence: Evidence) -> Iterator[Kind]:
    parts = [any(p.parts > 1 and p.role in ("up", "fc_in") for p in model.places) for model in (a, b)]
    if parts[0] != parts[1]:
        yield Kind("upcycled", FIRST if parts[0] else SECOND, "a mixture of experts against a dense model")
    if a.width != b.width:
        yield Kind("width", FIRST if a.width < b.width else SECOND, f"the residual stream is {a.width} against {b.width} wide")
    elif not parts[0] and not parts[1]:
        yield from _neurons(a, b, evidence)
    yield from _blocks(evidence, len(a.blocks), len(b.blocks))
    yield from _vocabulary(a, b, evidence)


def _neurons(a: Sketches, b: Sketches, evidence: Evidence) -> Iterator[Kind]:
    rows = [{(p.stack, p.layer): p.rows for p in model.places if p.role in ("up", "fc_in")} for model in (a, b)]
    paired = [(rows[0].get(a.blocks[i], 0), rows[1].get(b.blocks[j], 0)) for i, j in evidence.blocks]
    ours, theirs = (sum(each[side] for each in paired if all(each)) for side in (0, 1))
    if ours != theirs:
        alike = max((each.get("DU", 0.0) for each in evidence.effects.values()), default=0.0)
        counts = f"{ours} against {theirs} neurons in paired blocks"
        if alike > _PADDED:
            yield Kind("disguised", FIRST if ours > theirs else SECOND, f"{counts}, but the same function: padded")
        else:
            yield Kind("pruned", FIRST if ours < theirs else SECOND, counts)
    heads = [{(p.stack, p.layer): p.rows for p in model.places if p.role == "q"} for model in (a, b)]
    paired = [(heads[0].get(a.blocks[i], 0), heads[1].get(b.blocks[j], 0)) for i, j in evidence.blocks]
    fewer = [p for p in paired if 0 < min(p) < max(p)]
    if fewer:
        yield Kind("pruned", FIRST if fewer[0][0] < fewer[0][1] else SECOND, f"{fewer[0][0]} against {fewer[0][1]} query rows")


def _blocks(evidence: Evidence, ours: int, theirs: int) -> Iterator[Kind]:
    changes, origins = evidence.layers.changes, evidence.layers.origins
    if not changes and ours != theirs:
        yield Kind("layers", UNKNOWN, f"{ours} against {theirs} blocks")
    if not changes or changes == ("same",):
        return
    matrix = evidence.similarity[evidence.basis] if evidence.basis else ()
    child = UNKNOWN
    if "duplicated" in changes or "up-scaled" in changes:
        child = FIRST
    elif theirs > ours:
        used = {each for each in origins if each is not None}
        typical = sum(max(row) for row in matrix) / max(ours, 1)
        spare = [max(row[b] for row in matrix) for b in range(theirs) if b not in used]
        child = SECOND if spare and min(spare) > _AGAIN * typical else FIRST
    elif ours > theirs:  # each of the first's blocks that is in the second is there once, so the others were left out of it
        child = SECOND
    yield Kind("layers", child, f"blocks {', '.join(changes)}")


def _vocabulary(a: Sketches, b: Sketches, evidence: Evidence) -> Iterator[Kind]:
    rows = [_rows(model, "embed") for model in (a, b)]
    if all(rows) and rows[0] != rows[1]:
        # Vocabularies are extended as well as cut, so their length tells no direction.
        yield Kind("vocabulary", UNKNOWN, f"{rows[0]} against {rows[1]} tokens")
    fixed, words, ids = (evidence.excess.get(basis) for basis in ("fixed", "words", "ids"))
    if words is not None and ids is not None and ids < _SEEN < words - ids:
        yield Kind("vocabulary", UNKNOWN, "the same words have other numbers: tokens in another order")
    token = [each for each in (words, ids) if each is not None]
    if fixed is not None and fixed > _SEEN and token and max(token) < fixed / 3:
        yield Kind(
            "vocabulary", UNKNOWN, "blocks act alike in one residual basis, between other embeddings: these were replaced"
        )


def _in_rows(evidence: Evidence, sampled: SampledBlocks, values: Values, packed: tuple[str, str]) -> Iterator[Kind]:
    """What a sample shows of the values: how far they are apart, unless that is within the samples' own rounding."""
    acts_alike = max(evidence.excess.values(), default=0.0) > _SEEN
    if _turned(evidence):
        yield Kind("disguised", UNKNOWN, _TURNED)
    elif acts_alike and sampled.pairs and sampled.likeness < _SEEN:
        yield Kind("disguised", UNKNOWN, "blocks act alike although their rows differ: heads or neurons were rearranged")
    elif sampled.likeness > _ROWS_ALIKE and values.changed:
        yield from _values(values, packed, reshaped=values.difference < _ROUNDED)


def _turned(evidence: Evidence) -> bool:
    """Say whether blocks act alike in token space alone."""
    fixed = evidence.excess.get("fixed", 0.0)
    token = max((evidence.excess.get(basis, 0.0) for basis in ("words", "ids")), default=0.0)
    return token > _SEEN and fixed < token / 3


def _disguises(evidence: Evidence, values: Values) -> Iterator[Kind]:
    if _turned(evidence):
        yield Kind("disguised", UNKNOWN, _TURNED)
        return
    effects = evidence.effects[evidence.basis] if evidence.basis else {}
    if "DU" in effects and "DG" in effects and effects["DU"] > _SEEN and effects["DG"] < effects["DU"] / 2:
        yield Kind("disguised", UNKNOWN, "neurons were rescaled, or their signs flipped")
        return
    for operator, roles in _MADE_OF.items():
        differences = [values.roles[role] for role in roles if role in values.roles]
        if operator in effects and differences:
            shown = (2 * max(0.0, 1 - effects[operator])) ** 0.5
            factor, more = _UNEXPLAINED
            if max(differences) > max(factor * shown, shown + more):
                yield Kind("disguised", UNKNOWN, f"{' and '.join(roles[:2])} differ although together they act alike")


def _values(values: Values, packed: tuple[str, str], *, reshaped: bool) -> Iterator[Kind]:
    quantised, pruned, cast = values.quantised(), values.pruned(), values.cast()
    if cast is not None:
        yield Kind("cast", cast, "the same values rounded to 16 bits")
    elif quantised is not None:
        as_what = f", stored as {packed[quantised]}" if packed[quantised] else ""
        yield Kind("quantised", quantised, f"fewer distinct values{as_what}")
    elif not reshaped and values.changed and (rounded := _packed(packed, values.difference)) is not None:
        yield rounded
    elif pruned is not None:
        yield Kind("pruned", pruned, "many more zeros")
    elif reshaped or not values.changed or values.difference >= _UNRELATED:
        return
    elif values.two_grids():
        yield Kind("quantised", UNKNOWN, "few distinct values in both, but not the same")
    else:
        yield _trained(values)


def _packed(packed: tuple[str, str], difference: float) -> Kind | None:
    """Return that one model is the other packed into few bits, if one alone is, and they differ by as much as that takes."""
    which = FIRST if packed[FIRST] else SECOND
    if bool(packed[FIRST]) == bool(packed[SECOND]) or not noise_of(bits_of(packed[which])) < difference < _UNRELATED:
        return None
    return Kind("quantised", which, f"stored as {packed[which]}, and the values differ by {difference:.1%}")


def _trained(values: Values) -> Kind:
    amount = f"weights differ by {values.difference:.1%}"
    if values.low_rank:
        return Kind("adapter", UNKNOWN, f"{amount}, by a few directions: {', '.join(values.changed)}")
    if values.unchanged:
        alone = "alone of those that were looked at" if values.rows else "alone"
        return Kind("adapter", UNKNOWN, f"{amount}, in {', '.join(values.changed)} {alone}")
    left = values.left_grid()
    grid = "" if left is None else ", which takes them off a grid that they lay on"
    return Kind("continued" if values.difference > _CONTINUED else "fine-tuned", left, f"{amount}{grid}")


def _rows(model: Sketches, role: str) -> int:
    """Return the rows of the one matrix of a role outside blocks; 0 if there is none."""
    found = [
        p for p in model.places if p.role == role and p.layer is None and p.stack in ("encoder", "decoder") and not p.parts
    ]
    return found[0].rows if len(found) == 1 else 0
