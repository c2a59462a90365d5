"""How much of each parent is in a merge: weights, their uncertainty, where they differ, and what a linear merge leaves unexplained.

The method is in `lineage.regression`; see `docs/method.md`, "Merges". Weights are of the models themselves and sum to 1. Seen from
a base among the candidates they are those of the task vectors as well: the base has what is left, whatever their sum.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from tensorguard.errors import UsageError, quote
from tensorguard.fingerprint.sketches import Place, Sketches
from tensorguard.lineage import regression
from tensorguard.lineage.blocks import BlockSource, block_sources, common
from tensorguard.lineage.collinearity import Collinear, collinear, inflation
from tensorguard.lineage.matching import Matching, match
from tensorguard.lineage.parents import Fit, Part, Weight
from tensorguard.tensors.roles import category

LEAST = 0.05
"""Share of the otherwise unexplained difference that a candidate has to explain; siblings' task vectors correlate."""

LEVEL = 1e-3
"""Corrected p-value above which a candidate counts as contributing nothing."""

LINEAR = 0.9
"""Share of the difference to the closest model from which on a sum is the explanation."""

SPARSE, SPARSE_WEIGHTS = 0.2, (0.05, 1.1)
"""Share from which on a sum may be a sparse merge, and the weights that its parents then have."""

STEP = (0.7, 1.4)
"""Weight that a fine-tune has in what was trained on from it; siblings' weights lie anywhere."""

WIDE = 0.01
"""Intervals that rounding widens by more get a notice."""

VARIED = 3.0
"""The pooled standard error is so many times that of a block if weights vary over the blocks."""

UNRELATED = 0.9
"""What is left, relative to the weights, from which on the candidates explain nothing."""

_WHOLE = 0.1
"""A block is one parent's alone if its weight there is this close to 1."""


@dataclass(frozen=True, slots=True)
class Excluded:
    """A candidate that contributes nothing: its weight is 0.

    Attributes:
        name: The candidate.
        p: Corrected p-value of its contribution when it was dropped; None if it could not take part.
        reason: In words.
    """

    name: str
    p: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class Mixture:
    """A child as a mixture of candidates.

    Attributes:
        method: `passthrough`: whole blocks of several parents, or blocks moved; `linear`: a sum of several; `sparse`: a sum of several
            explains part of it, as it does after a sparse merge (TIES, DARE), a merge that was trained on, or training on like data;
            `single`: one parent explains it best; `none`: no candidate.
        base: The base whose weight is what is left, if one was named.
        base_weight: Its weight in a sum.
        parents: Who contributes, largest weight first; with `passthrough` the shares of blocks.
        kindred: With `single`, the sum that would explain some more, but not as a merge does.
        excluded: Who does not.
        explained: Share of the child's difference to the closest single model that a linear merge explains.
        varied: The same if every block and category of roles has weights of its own.
        residual: What one set of weights leaves, relative to the child's weights.
        scale: Median factor per matrix between the child and the sum; 1 but for spherical merges and missing parents.
        roles: Weights per role.
        groups: Weights per category of roles (attention, ffn, embedding), and per third of the depth.
        layers: Weights per block, whole and by category.
        blocks: Where each block of the child was found; where blocks moved, `explained` is what they explain of the weights, and
            there are no weights per role, group and layer.
        collinear: Parents and candidates that cannot be told apart.
        condition: Condition number of the parents' differences, scaled to length 1.
        inflation: By how much the variance of each weight grows because of the others: of the base if there is one, then of the
            parents of the linear fit.
        widened: How far rounding widens the intervals at most.
        matrices: How many matrices took part.
        left_out: Matrices of the child that did not, and why.
        notices: What a reader has to know.
    """

    method: str
    base: str | None
    base_weight: Weight | None = None
    parents: tuple[Weight, ...] = ()
    kindred: tuple[Weight, ...] = ()
    excluded: tuple[Excluded, ...] = ()
    explained: float = 0.0
    varied: float = 0.0
    residual: float = 1.0
    scale: float = 1.0
    roles: tuple[Part, ...] = ()
    groups: tuple[Part, ...] = ()
    layers: tuple[Part, ...] = ()
    blocks: tuple[BlockSource, ...] = ()
    collinear: tuple[Collinear, ...] = ()
    condition: float = 1.0
    inflation: tuple[float, ...] = ()
    widened: float = 0.0
    matrices: int = 0
    left_out: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()


def mixture(child: Sketches, candidates: Mapping[str, Sketches], base: str | None = None) -> Mixture:
    """Explain a model as a mixture of others.

    Args:
        child: The model to be explained.
        candidates: Models it may be made of; ancestors only, for a copy or a descendant of the child explains it as well.
        base: Which of them is the common base of the others, if known: weights are then those of the task vectors.

    Raises:
        UsageError: There are no candidates, the base is not one of them, or they were made with another key.
    """
    if not candidates:
        raise UsageError("there are no candidates to explain the model with")
    if any(model.key != child.key for model in candidates.values()):
        raise UsageError("fingerprints of different keys say nothing about each other", hint="make them again under one key")
    if base is not None and base not in candidates:
        raise UsageError(f"the base {quote(base)} is not among the candidates")
    blocks = block_sources(child, candidates)
    matching = match(child, candidates, base)
    strangers = tuple(Excluded(name, None, "its matrices have other shapes or places") for name in matching.strangers)
    if matching.rows:
        found = _fitted(child, candidates, base, matching, blocks)
    else:
        found = Mixture("none", base, blocks=blocks, left_out=matching.left_out)
    shared = common(blocks)
    if shared is not None:
        found = _alone(found, shared[1])
    elif _passthrough(found):
        found = _copied(found)
    named = {each.name for each in found.parents}
    found = replace(found, excluded=tuple(each for each in (*found.excluded, *strangers) if each.name not in named))
    return replace(found, notices=tuple(_notices(found)))


def _fitted(
    child: Sketches, candidates: Mapping[str, Sketches], base: str | None, matching: Matching, blocks: tuple[BlockSource, ...]
) -> Mixture:
    names = matching.names
    equations = regression.equations(child, {name: candidates[name] for name in names}, matching.rows)
    places = tuple(child.places[row[0]] for row in matching.rows)
    fit = Fit(equations, places, tuple(range(len(names))), 0 if base in names else None)
    gram = fit.blocks()
    chosen, dropped = regression.eliminate(gram, len(places), fit.base, LEAST, LEVEL)
    pooled = dict(zip(chosen, regression.weights(gram.sum(axis=0), chosen), strict=True))
    fit = replace(fit, chosen=tuple(sorted(chosen, key=lambda each: (each != fit.base, -pooled[each]))))
    columns = [0, *(1 + each for each in fit.chosen)]
    rows = [[row[at] for at in columns] for row in matching.rows]
    extra = fit.widening(child, [candidates[names[each]] for each in fit.chosen], rows)
    whole = fit.part("all", None, None, range(len(places)), extra)
    parents = whole.weights if fit.base is None else whole.weights[1:]
    varied = fit.varied()
    method = _method(whole, parents, varied)
    if method == "single":
        parents = (Weight(_single(fit, whole), 1.0, 0.0, 1.0, 1.0),)
    elif method == "none":
        parents = ()
    condition, factors = inflation(gram.sum(axis=0), fit.chosen, fit.base)
    return Mixture(
        method=method,
        base=None if fit.base is None else names[fit.base],
        base_weight=None if fit.base is None or method == "single" else whole.weights[0],
        parents=parents,
        kindred=whole.weights if method == "single" and len(whole.weights) > 1 else (),
        excluded=tuple(Excluded(names[each], p, "contributes nothing") for each, p in dropped.items()),
        explained=whole.explained,
        varied=varied,
        residual=whole.residual,
        scale=float(np.median(fit.equations.scale)),
        roles=fit.parts(lambda place: place.role, extra, blockwise=False),
        groups=(*fit.parts(_component, extra, blockwise=False), *fit.parts(_third(child), extra, blockwise=False)),
        layers=(*fit.parts(lambda _: "all", extra, blockwise=True), *fit.parts(_component, extra, blockwise=True)),
        blocks=blocks,
        collinear=collinear(gram, names, fit.chosen, fit.base, LEAST, regression.floor(len(places))),
        condition=condition,
        inflation=factors,
        widened=float(extra.max()),
        matrices=len(places),
        left_out=matching.left_out,
    )


def _copied(found: Mixture) -> Mixture:
    """Return a mixture of whole blocks; where blocks moved, fits in place mean nothing."""
    found = replace(found, method="passthrough", parents=_shares(found.blocks))
    if not any(block.parent_layer != block.layer for block in found.blocks):
        return found
    left = float(np.mean([block.difference**2 for block in found.blocks]))
    return replace(found, base=None, base_weight=None, explained=1.0 - left, residual=float(np.sqrt(left)), scale=1.0,
                   roles=(), groups=(), layers=(),
                   collinear=(), condition=1.0, inflation=(), widened=0.0)  # fmt: skip


def _alone(found: Mixture, name: str) -> Mixture:
    """Return a mixture of one parent, where another model only has some of the same blocks."""
    return replace(found, method="single", base=None, base_weight=None, parents=(Weight(name, 1.0, 0.0, 1.0, 1.0),), kindred=())


def _single(fit: Fit, whole: Part) -> str:
    """Return the one parent: the closest, but the base if a fine-tune of it only shows where training moves it."""
    names = fit.equations.models
    closest = names[fit.closest()]
    weights = {each.name: each.weight for each in whole.weights}
    if fit.base is not None and not STEP[0] < weights[closest] < STEP[1]:
        return names[fit.base]
    return closest


def _method(whole: Part, parents: tuple[Weight, ...], varied: float) -> str:
    if whole.residual > UNRELATED:
        return "none"
    if len(whole.weights) > 1 and varied >= LINEAR:
        return "linear"
    mixed = [each for each in parents if SPARSE_WEIGHTS[0] < each.weight < SPARSE_WEIGHTS[1]]
    several = len(mixed) > 1 and all(each.weight < SPARSE_WEIGHTS[1] for each in parents)
    return "sparse" if several and whole.explained >= SPARSE else "single"


def _passthrough(found: Mixture) -> bool:
    """Return whether every block is a parent's own: of several parents, or not in its place."""
    blocks = found.blocks
    if not blocks or not all(block.clear for block in blocks):
        return False
    fitted = {(part.stack, part.layer): {w.name: w.weight for w in part.weights} for part in found.layers if part.part == "all"}
    for block in blocks:
        shared = fitted.get((block.stack, block.layer), {})
        if block.parent in shared and block.parent_layer == block.layer and abs(shared[block.parent] - 1.0) > _WHOLE:
            return False
    return len({block.parent for block in blocks}) > 1 or any(block.parent_layer != block.layer for block in blocks)


def _shares(blocks: tuple[BlockSource, ...]) -> tuple[Weight, ...]:
    counts = Counter(block.parent for block in blocks if block.parent is not None)
    shares = {name: count / len(blocks) for name, count in counts.most_common()}
    return tuple(Weight(name, share, 0.0, share, share) for name, share in shares.items())


def _component(place: Place) -> str:
    return category(place.role)


def _third(child: Sketches) -> Callable[[Place], str | None]:
    names = ("first third", "middle third", "last third")
    order = {block: names[3 * at // len(child.blocks)] for at, block in enumerate(child.blocks)}
    return lambda place: None if place.layer is None else order.get((place.stack, place.layer))


def _notices(found: Mixture) -> Iterator[str]:
    if not found.matrices:
        yield "no matrix has the place and the shape of one of every candidate"
    shown = ", ".join(f"{quote(each.name)} {each.weight:.3f}" for each in (found.kindred or found.parents))
    if found.method == "none":
        yield "none of the candidates contributes: the model is no mixture of them"
        return
    if found.method == "passthrough":
        yield "blocks were copied whole: the weights are shares of blocks"
    elif found.method == "single":
        yield f"{quote(found.parents[0].name)} explains the model best; a copy or a descendant of the model would, too"
        if found.kindred:
            yield f"{found.explained:.0%} of the difference lies along {shown}: training on like data does that, a merge would explain more"
    else:
        yield f"a linear merge of {shown} explains {found.explained:.1%} of the difference to the closest of them"
        if found.method == "sparse":
            yield "what is left may be a sparse merge (TIES, DARE) or later training; fine-tunes on like data look the same from here"
        pooled = max((each.se for each in found.parents), default=0.0)
        blocks = [each.se for part in found.layers if part.part == "all" for each in part.weights]
        if blocks and pooled > VARIED * float(np.median(blocks)) and pooled > WIDE:
            yield "the weights differ from block to block: see the weights of each"
    if abs(found.scale - 1.0) > _WHOLE / 2:
        yield f"matrices are {found.scale:.2f} times the sum: parents are missing, or the merge was spherical"
    if found.method in ("linear", "sparse") and found.widened > WIDE:
        yield f"the parents differ by little more than rounding does: intervals are up to {found.widened:.2f} wider for it"
    shared = common(found.blocks)
    if shared is not None:
        layers = ", ".join(str(block.layer) for block in found.blocks if block.parent == shared[0])
        yield f"blocks {layers} are those of {quote(shared[0])}, unchanged: one of the two models took them from the other"
    for group in found.collinear:
        told = ", ".join(quote(name) for name in group.names)
        yield f"{told} cannot be told apart: together {group.weight:.3f} ± {group.se:.3f}"
