"""Which pairs of the zoo and of the real models are compared, and the truth about each."""

import itertools
import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.rivals.tokenised import tokenised
from benchmarks.zoo.manifest import Entry, load

DERIVED, SIBLINGS = "derived", "same base"
TWIN, TWIN_DERIVED, OTHER, DISTILLED = "twin", "twin's derivative", "other base", "distilled"
TWINS = (TWIN, TWIN_DERIVED)
REAL = "real"
SIBLINGS_PER_BASE = 20
_FAMILIES = Path(__file__).with_name("real_families.json")


@dataclass(frozen=True)
class Pair:
    """Two models and what is true of them.

    Attributes:
        a: The suspect.
        b: The candidate.
        linked: Whether they share trained weights; None where only a part or only the initialisation is shared (no right answer).
        group: Why they were paired.
        transformation: What was done to the suspect, in a `derived` pair.
        bases: Every base that the two come from.
    """

    a: Path
    b: Path
    linked: bool | None
    group: str
    transformation: str
    bases: tuple[str, ...]


def zoo_pairs(out: Path, split: str, seed: int = 0) -> list[Pair]:
    """The pairs of one split.

    Linked: each derived model with each of its bases, and a sample of pairs derived from one base. Not linked: all bases with each
    other, each derived model with its base's twins and one other base, and each distilled student with its teacher and its twins.
    """
    entries = [each for each in load(out) if each.split == split]
    draw = random.Random(seed)
    bases = [each for each in entries if each.relation == "base"]
    shapes = {each.name: _shape(out / each.name) for each in bases}
    found = [_pair(out, a, b) for a, b in itertools.combinations(bases, 2)]
    for entry in entries:
        if entry.relation == "base":
            continue
        kin = _origins(entry) | {name for name in (entry.shared_with, entry.teacher) if name}
        found += [_pair(out, entry, base) for base in bases if base.name in kin]
        strangers = [base for base in bases if base.name not in kin]
        twins = [base for base in strangers if shapes[base.name] in {shapes.get(name) for name in kin}]
        others = [base for base in strangers if base not in twins]
        found += [_pair(out, entry, base) for base in twins + draw.sample(others, min(1, len(others)))]
    for base in bases:
        family = [each for each in entries if each.relation == "derived" and each.bases == [base.name]]
        siblings = list(itertools.combinations(family, 2))
        found += [_pair(out, a, b) for a, b in draw.sample(siblings, min(SIBLINGS_PER_BASE, len(siblings)))]
    return [_named_twin(pair, shapes) for pair in found]


def real_pairs(folder: Path, out: Path) -> list[Pair]:
    """All pairs of the known real models in a folder: linked if they are of one family.

    Args:
        folder: Of models.
        out: Where models without a tokenizer are put together with one, see `tokenised`.
    """
    facts = json.loads(_FAMILIES.read_text("utf-8"))
    known = {folder / name: family for family, names in facts["families"].items() for name in names}
    there = tokenised({path: family for path, family in known.items() if path.is_dir()}, facts["tokenizers"], out).items()
    return [
        Pair(a, b, ours == theirs, REAL, "", tuple(dict.fromkeys((ours, theirs))))
        for (b, theirs), (a, ours) in itertools.combinations(there, 2)
    ]


def limited(pairs: Sequence[Pair], most: int, seed: int = 0) -> list[Pair]:
    """At most `most` pairs of each group, drawn at random, in their order."""
    draw = random.Random(seed)
    kept: set[Pair] = set()
    for group in dict.fromkeys(pair.group for pair in pairs):
        members = [pair for pair in pairs if pair.group == group]
        kept.update(draw.sample(members, min(most, len(members))))
    return [pair for pair in pairs if pair in kept]


def models(pairs: Iterable[Pair]) -> list[Path]:
    """Every model of the pairs, each once."""
    return sorted({model for pair in pairs for model in (pair.a, pair.b)})


def _pair(out: Path, a: Entry, b: Entry) -> Pair:
    ours, theirs = _origins(a), _origins(b)
    bases = tuple(sorted(ours | theirs))
    if a.relation == "distilled" and a.teacher in theirs:
        linked, group = False, DISTILLED
    elif a.shared_with in theirs:
        linked, group = None, a.relation
    elif ours & theirs:
        linked, group = True, DERIVED if b.relation == "base" else SIBLINGS
    else:
        linked, group = False, OTHER
    return Pair(out / a.name, out / b.name, linked, group, a.transformation if group == DERIVED else "", bases)


def _named_twin(pair: Pair, shapes: dict[str, str]) -> Pair:
    """Of two bases, or a derived model and a base, of one shape: they are (descended from) twins."""
    shape = shapes.get(pair.b.name)
    kin = [base for base in pair.bases if base != pair.b.name and shapes.get(base) == shape]
    if pair.group != OTHER or not kin:
        return pair
    group = TWIN if pair.a.name in shapes else TWIN_DERIVED
    return Pair(pair.a, pair.b, pair.linked, group, pair.transformation, pair.bases)


def _origins(entry: Entry) -> set[str]:
    """The bases it comes from; itself, if it was trained from scratch."""
    return set(entry.bases) or {entry.name}


def _shape(folder: Path) -> str:
    """What twins have in common: the configuration, without where it lay."""
    facts = json.loads((folder / "config.json").read_text("utf-8"))
    facts.pop("_name_or_path", None)
    return json.dumps(facts, sort_keys=True)
