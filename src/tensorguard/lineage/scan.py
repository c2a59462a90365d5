"""A model against a registry: from candidates to ranked relatives, with p-values that pay for the whole registry."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from math import log10

from tensorguard.engines.base import Engine
from tensorguard.errors import InputError
from tensorguard.fingerprint.base import Coverage, Fingerprint
from tensorguard.fingerprint.sketches import Sketches
from tensorguard.lineage.corrections import holm
from tensorguard.lineage.distances import distance
from tensorguard.lineage.identity import compare_identity
from tensorguard.lineage.mixture import Mixture, mixture
from tensorguard.lineage.sampled import is_sampled, sampled_blocks
from tensorguard.lineage.screening import Screen
from tensorguard.lineage.verdict import LINKED, Lineage, Verdict, compare_lineage
from tensorguard.registry.entry import Entry, Hit

COMPARED = 4
"""Candidates that are compared in full."""

_PARENTS = 8
"""Of a merge, at most so many are tried."""

_MERGED = 0.5
"""A sum that explains less of the difference to the closest relative is no merge: merges of models that are all known explain 0.84 to 1
(spherical ones least); a fine-tune beside merges that it went into itself up to 0.24."""

_BLIND = 0.9
"""A relative difference from which on matrices were permuted rather than changed."""

_CLOSE = 0.5
"""A mean cosine of operators from which on two models are close kin."""

_RANK: dict[Verdict, int] = {"identical": 0, "same-weights": 1, "derived": 2, "related": 4, "shares-components": 5}
"""Descendants come after everything that may be a parent, at 3."""

_DESCENDANT = 3


@dataclass(frozen=True, slots=True)
class Relative:
    """A known model that was compared with the one in question.

    Attributes:
        entry: The known model.
        lineage: Evidence of the model in question (the first) against it (the second). Its p-values pay for the whole registry.
        log10_p: log10 of the smallest p-value, corrected for all tests of the pair and all models searched (Bonferroni).
        holm: The same stepped down over all models searched (Holm); those not compared count as p = 1.
        distance: Relative difference of the weights, from 0 to 1; None if they cannot be compared.
        confirmed: Whether fingerprints under the secret key say the same; None if there is none of this entry.
    """

    entry: Entry
    lineage: Lineage
    log10_p: float
    holm: float
    distance: float | None
    confirmed: bool | None = None

    @property
    def descends(self) -> bool:
        """Whether the known model was made from the one in question, rather than the other way round."""
        return self.lineage.direction == "second from first"

    @property
    def linked(self) -> bool:
        """Whether they are relatives, or share components."""
        return self.lineage.verdict in _RANK


@dataclass(frozen=True, slots=True)
class Scan:
    """What a model is derived from, as far as a registry knows.

    Attributes:
        name: The model in question.
        key: Whose probes: `public`, or which secret key confirmed it.
        verdict: Of the best relative; of the most alike candidate without one; `inconclusive` if there was none to compare with.
        relatives: Candidates that are linked or share components, the most telling first: the copy or the likeliest parent.
        others: Candidates that were compared in full and are not linked, the most alike first.
        searched: How many known models the search covered.
        screened: How many of them the search gave to a first look at their operators.
        parents: What it is a merge of, where several relatives explain it better than one.
        notices: Things to know, a sentence each.
        coverage: How much of the model in question was read; None: all.
    """

    name: str
    key: str
    verdict: Verdict
    relatives: tuple[Relative, ...]
    others: tuple[Relative, ...]
    searched: int
    screened: int
    parents: Mixture | None = None
    notices: tuple[str, ...] = ()
    coverage: Coverage | None = None

    @property
    def best(self) -> Relative | None:
        """The relative that the answer names."""
        return self.relatives[0] if self.relatives else None


@dataclass(frozen=True, slots=True)
class _Candidate:
    entry: Entry
    fingerprint: Fingerprint
    equal: float
    alike: float


class _FirstLook:
    """Says how alike a known model and the one in question are, at little cost."""

    def __init__(self, model: Fingerprint, load: Callable[[Entry], Fingerprint]) -> None:
        self._model, self._load = model, load
        self._screen = Screen(model.sketches) if model.sketches else None

    def __call__(self, entry: Entry) -> _Candidate | InputError:
        """Return the candidate, or what is wrong with its stored fingerprint."""
        try:
            known = self._load(entry)
        except InputError as error:
            return error
        identity = compare_identity(self._model, known) if self._model.digests and known.digests else None
        equal = identity.equal / max(identity.comparable, 1) if identity else 0.0
        ours, theirs = self._model.sketches, known.sketches
        if ours and theirs and is_sampled(ours, theirs):
            rows = sampled_blocks(ours, theirs)
            return _Candidate(entry, known, max(equal, rows.equal), max(rows.likeness, self._screened(theirs)))
        alike = self._screened(theirs) if theirs else 0.0
        # Among close kin, operators hardly differ: the closest is told by the weights, and those that were rearranged come after.
        apart = distance(ours, theirs) if ours and theirs and alike > _CLOSE else None
        return _Candidate(entry, known, equal, alike if apart is None or apart >= _BLIND else 2.0 - apart)

    def _screened(self, theirs: Sketches) -> float:
        return self._screen(theirs) if self._screen else 0.0


def scan(
    model: Fingerprint,
    hits: Sequence[Hit],
    load: Callable[[Entry], Fingerprint],
    searched: int,
    *,
    engine: Engine,
    compared: int = COMPARED,
    also: Collection[str] = (),
) -> Scan:
    """Compare a model with what a search found.

    Args:
        model: The model in question.
        hits: What the search found, best first.
        load: Gives the fingerprint of an entry.
        searched: How many known models were searched: every p-value is multiplied by it.
        engine: Who compares.
        compared: How many candidates are compared in full, the most alike ones; the others were only screened.
        also: Names of entries that are compared in full, too.

    Raises:
        UsageError: The fingerprints were made with different keys.
    """
    look = _FirstLook(model, load)
    looked = list(engine.map(look, [hit.entry for hit in hits]))
    notices = [f"{each}; it was left out" for each in looked if isinstance(each, InputError)]
    candidates = [each for each in looked if isinstance(each, _Candidate)]
    candidates.sort(key=lambda each: (-each.equal, -each.alike, each.entry.name))
    chosen = candidates[:compared] + [each for each in candidates[compared:] if each.entry.name in also]
    found = _relatives(model, chosen, max(searched, 1), engine)
    relatives = tuple(sorted((each for each in found if each.linked), key=_rank))
    others = tuple(each for each in found if not each.linked)
    prints = {each.entry.name: each.fingerprint for each in chosen}
    return Scan(
        name=model.name,
        key=model.sketches.key if model.sketches else "public",
        verdict=relatives[0].lineage.verdict if relatives else others[0].lineage.verdict if others else "inconclusive",
        relatives=relatives,
        others=others,
        searched=searched,
        screened=len(candidates),
        parents=_merge(model, relatives, prints),
        notices=tuple(notices),
        coverage=model.coverage,
    )


def confirmed(public: Scan, keyed: Scan) -> Scan:
    """Return a scan whose relatives say whether fingerprints under a secret key agree; relatives found under the key alone join them.

    Public probes can be forged and evaded; whoever does not know the key can do neither (`docs/method.md`).
    """
    under = {each.entry.name: each for each in (*keyed.relatives, *keyed.others)}
    named = {each.entry.name for each in public.relatives}
    relatives = [
        replace(each, confirmed=under[each.entry.name].linked) if each.entry.name in under else each
        for each in public.relatives
    ]
    relatives += [replace(each, confirmed=True) for each in keyed.relatives if each.entry.name not in named]
    relatives.sort(key=lambda each: (each.confirmed is False, *_rank(each)))
    best = next((each for each in relatives if each.confirmed is not False), None)
    denied: Verdict = "inconclusive" if relatives else keyed.verdict if keyed.others else public.verdict
    others = tuple(each for each in public.others if each.entry.name not in {one.entry.name for one in relatives})
    return replace(
        public,
        key=keyed.key,
        verdict=best.lineage.verdict if best else denied,
        relatives=tuple(relatives),
        others=others,
        notices=tuple(dict.fromkeys((*public.notices, *keyed.notices))),
    )


def _relatives(model: Fingerprint, chosen: Sequence[_Candidate], searched: int, engine: Engine) -> list[Relative]:
    tasks = [(model, each.fingerprint, searched) for each in chosen]
    lineages = list(engine.map(_compare, tasks))
    stepped = holm([min(0.0, each.log10_p - log10(searched)) for each, _ in lineages], searched)
    return [
        Relative(candidate.entry, lineage, lineage.log10_p, adjusted, apart)
        for candidate, (lineage, apart), adjusted in zip(chosen, lineages, stepped, strict=True)
    ]


def _compare(task: tuple[Fingerprint, Fingerprint, int]) -> tuple[Lineage, float | None]:
    first, second, searched = task
    lineage = compare_lineage(first, second, searched)
    if lineage.verdict not in LINKED or first.sketches is None or second.sketches is None:
        return lineage, None
    if is_sampled(first.sketches, second.sketches):
        return lineage, sampled_blocks(first.sketches, second.sketches).distance
    return lineage, distance(first.sketches, second.sketches)


def _rank(each: Relative) -> tuple[float, bool, float, bool, str, float, str]:
    """Sort copies first, then possible parents by closeness, then descendants, then what is only related.

    A model whose matrices had to be rearranged comes after those that agree in place, however well its blocks act alike: that is one
    thing more that must have been done. Of the equally close, published and older ones come first.
    """
    kind = _DESCENDANT if each.descends else _RANK.get(each.lineage.verdict, len(_RANK) + 1)
    effect = min(max(each.lineage.effect or 0.0, 0.0), 1.0)
    moved = each.distance is None or each.distance >= _BLIND
    apart = (1.0 - effect**2) ** 0.5 if moved or each.distance is None else each.distance
    facts = each.entry.facts
    return kind, moved, round(apart, 2), not facts.repository, facts.released or "9", apart, each.entry.name


def _merge(model: Fingerprint, relatives: Sequence[Relative], prints: dict[str, Fingerprint]) -> Mixture | None:
    """Return what the model is a merge of; None unless several of its relatives explain it."""
    if model.sketches is None or (relatives and relatives[0].lineage.verdict in ("identical", "same-weights")):
        return None
    if is_sampled(model.sketches):  # responses of all matrices are what tells
        return None
    candidates: dict[str, Sketches] = {}
    for each in relatives:
        sketches = prints[each.entry.name].sketches
        if each.lineage.verdict == "derived" and not each.descends and sketches is not None and not is_sampled(sketches):
            candidates[each.entry.name] = sketches
    if len(candidates) < 2:
        return None
    found = mixture(model.sketches, dict(list(candidates.items())[:_PARENTS]))
    if len(found.parents) < 2 or (found.method == "linear" and found.explained < _MERGED):
        return None
    return found if found.method in ("passthrough", "linear", "sparse") else None
