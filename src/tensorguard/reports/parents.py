"""What `parents` tells: who a model is made of among candidates, how much of each, where, and how sure."""

from collections.abc import Sequence
from functools import partial

from tensorguard.errors import quote
from tensorguard.lineage.blocks import BlockSource
from tensorguard.lineage.mixture import Mixture
from tensorguard.lineage.parents import Part, Weight
from tensorguard.reports.document import Cell, Document, Picture, Table

_WEIGHTS = "Weights are of the models themselves and sum to 1; intervals hold in 95 of 100 cases, rounding included."
_ON_BASE = "Weights of all but the base are those of their task vectors as well; the base has what is left."
_SHARES = "Shares of the model's blocks: these were copied whole."
_PASSTHROUGH = "Difference: to the block that it is a copy of; runner-up: to the closest block of another model."
_HALF = "±: the wider half of the 95 % interval; explained: of the difference to the closest of them."
_BLOCKS = f"{_HALF} Attention and MLP apart: in the picture and in --json."
_COLLINEAR = "Only the sum of their weights can be told."
_CURVES = "The weight of each parent in each block, with 95 % intervals."
_MAP = "Which block of which parent each block comes from."


def report(child: str, found: Mixture) -> Document:
    """Return the document of one model explained as a mixture.

    Args:
        child: Its name.
        found: What it is made of.
    """
    left_out = found.left_out if found.method != "passthrough" else ()  # there blocks need no counterpart of their number
    return Document(
        kind="parents",
        title=f"What {quote(child)} is made of",
        summary=weights_sentence(child, found),
        result={"verdict": found.method, "child": child, "mixture": found},
        settings={"base": found.base},
        inputs=[{"model": name} for name in _names(child, found)],
        skipped=[{"name": name, "reason": "not in every candidate, or of another shape"} for name in left_out],
        notices=found.notices,
        tables=tables(found),
        pictures=pictures(child, found),
    )


def _names(child: str, found: Mixture) -> list[str]:
    base = [found.base] if found.base else []
    others = [weight.name for weight in (*found.parents, *found.kindred)] + [each.name for each in found.excluded]
    return list(dict.fromkeys([child, *base, *others]))


def weights_sentence(child: str, found: Mixture) -> str:
    """Return the answer: who a model is made of, and how much of each."""
    name, parents = quote(child), found.parents
    if found.method == "none" or not parents:
        return f"{name} is no mixture of these candidates."
    if found.method == "passthrough":
        shares = " and ".join(f"{each.weight:.0%} from {quote(each.name)}" for each in parents)
        return f"{name} is put together from whole blocks: {shares}."
    if found.method == "single":
        return f"{name} derives from {quote(parents[0].name)} alone, as far as these candidates tell."
    said = ", ".join(f"{_weight(each)} of {quote(each.name)}" for each in parents)
    base = f" on the base {quote(found.base)} ({_weight(found.base_weight)})" if found.base and found.base_weight else ""
    if found.method == "sparse":
        return f"{name} may be a sparse merge{base}: {said} explain {found.explained:.0%} of it."
    return f"{name} is a merge{base}: {said}, which explains {found.explained:.1%} of its difference to the closest of them."


def tables(found: Mixture) -> list[Table]:
    """Return what a reader is shown of a mixture."""
    made = [_parents(found)] if found.parents else []
    if found.method == "passthrough":
        made.append(_blocks(found.blocks))
    elif len(found.parents) > 1:
        made += [_parts("Role by role", found.roles), _parts("Group by group", found.groups), _layers(found)]
    if found.collinear:
        rows: list[list[Cell]] = [
            [", ".join(map(quote, each.names)), _round(each.weight), _round(each.se)] for each in found.collinear
        ]
        made.append(Table("Cannot be told apart", ("models", "sum of weights", "standard error"), rows, _COLLINEAR))
    if found.excluded:
        dropped: list[list[Cell]] = [[each.name, each.reason, each.p] for each in found.excluded]
        made.append(Table("Not parents", ("candidate", "why", "p"), dropped))
    return made


def _parents(found: Mixture) -> Table:
    if found.method == "passthrough":
        shares: list[list[Cell]] = [[each.name, _round(each.weight)] for each in found.parents]
        return Table("Parents", ("parent", "share of blocks"), shares, _SHARES)
    weights = [*([found.base_weight] if found.base_weight else []), *found.parents]
    factors = found.inflation if len(found.inflation) == len(weights) else (None,) * len(weights)
    rows: list[list[Cell]] = [
        [each.name, *map(_round, (each.weight, each.low, each.high, each.se)), factor and _round(factor)]
        for each, factor in zip(weights, factors, strict=True)
    ]
    note = f"{_WEIGHTS} {_ON_BASE}" if found.base else _WEIGHTS
    return Table("Parents", ("parent", "weight", "from", "to", "standard error", "variance inflation"), rows, note)


def _parts(title: str, parts: Sequence[Part]) -> Table:
    names = [each.name for each in parts[0].weights] if parts else []
    rows: list[list[Cell]] = [
        ["other" if each.part == "unknown" else each.part, *map(_weight, each.weights), f"{each.explained:.1%}"]
        for each in parts
    ]
    return Table(title, ("part", *names, "explained"), rows, _HALF)


def _layers(found: Mixture) -> Table:
    whole = [each for each in found.layers if each.part == "all"]
    names = [each.name for each in whole[0].weights] if whole else []
    rows: list[list[Cell]] = [
        [f"{each.stack} {each.layer}", *map(_weight, each.weights), f"{each.explained:.1%}"] for each in whole
    ]
    return Table("Block by block", ("block", *names, "explained"), rows, _BLOCKS)


def _blocks(blocks: Sequence[BlockSource]) -> Table:
    rows: list[list[Cell]] = []
    start = 0
    while start < len(blocks):
        stop = start + 1
        while stop < len(blocks) and _follows(blocks[stop - 1], blocks[stop]):
            stop += 1
        run = blocks[start:stop]
        ours, theirs = _span(run[0].layer, run[-1].layer), _span(run[0].parent_layer, run[-1].parent_layer)
        rows.append([ours, run[0].parent, theirs, max(each.difference for each in run), min(each.runner_up for each in run)])
        start = stop
    return Table("Block map", ("blocks", "come from", "blocks there", "difference", "runner-up"), rows, _PASSTHROUGH)


def _follows(before: BlockSource, after: BlockSource) -> bool:
    if (before.stack, before.parent) != (after.stack, after.parent):
        return False
    return before.parent_layer is None or after.parent_layer == before.parent_layer + 1


def _span(first: int | None, last: int | None) -> str:
    return "-" if first is None else f"{first}" if first == last else f"{first}-{last}"


def _weight(weight: Weight) -> str:
    half = max(weight.high - weight.weight, weight.weight - weight.low)
    return f"{round(weight.weight, 3) + 0.0:.3f} ± {half:.3f}"


def _round(value: float) -> float:
    """Return a number with four decimals, and no minus before a 0."""
    return round(value, 4) + 0.0


def pictures(child: str, found: Mixture) -> list[Picture]:
    """Return the pictures of a mixture."""
    made = []
    if found.method == "passthrough":
        made.append(Picture("blocks", _MAP, partial(_draw_blocks, child, found)))
    if len(found.parents) > 1 and any(each.part == "all" for each in found.layers):
        made.append(Picture("weights", _CURVES, partial(_draw_weights, child, found)))
    return made


def _draw_weights(child: str, found: Mixture) -> object:
    from tensorguard.reports.figures.weights import draw_weights

    return draw_weights(child, found)


def _draw_blocks(child: str, found: Mixture) -> object:
    from tensorguard.reports.figures.weights import draw_blocks

    return draw_blocks(child, found)
