"""Which matrices of two models are compared with each other."""

from collections import Counter

from tensorguard.fingerprint.sketches import Place, Sketches
from tensorguard.lineage.alignment import Pairs


def paired_places(a: Sketches, b: Sketches, blocks: Pairs) -> tuple[tuple[int, int], ...]:
    """Return pairs of indices into `places`: matrices of one role, of one input width, in paired blocks or outside any block.

    Args:
        a: The first model.
        b: The second.
        blocks: Paired blocks of the language models; blocks of other towers are paired by their number.

    Returns:
        In the order of the first model's. Where several matrices share a place (roles no table knows) none is paired.
    """
    partner = {a.blocks[first]: b.blocks[second] for first, second in blocks}
    aligned = set(a.blocks)
    theirs = _alone(b)
    found = []
    for (role, stack, layer), index in _alone(a).items():
        here = (stack, layer)
        there = partner.get((stack, layer)) if layer is not None and here in aligned else here
        other = None if there is None else theirs.get((role, *there))
        if other is not None and a.places[index].columns == b.places[other].columns:
            found.append((index, other))
    return tuple(found)


def _alone(model: Sketches) -> dict[tuple[str, str, int | None], int]:
    keys = [_key(place) for place in model.places]
    count = Counter(keys)
    return {key: index for index, key in enumerate(keys) if count[key] == 1}


def _key(place: Place) -> tuple[str, str, int | None]:
    return place.role, place.stack, place.layer
