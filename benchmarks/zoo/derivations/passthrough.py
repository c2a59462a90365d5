"""Passthrough merges: layers of several fine-tunes of one base, one after the other, none of them averaged."""

import json

from benchmarks.zoo.derivations.anatomy import Anatomy
from benchmarks.zoo.derivations.checkpoint import Facts


def halves(first: Anatomy, second: Anatomy) -> tuple[Anatomy, Facts]:
    """The first half of one's layers, then the second half of the other's: as deep as they are."""
    count = len(first.layers)
    return stack(
        first, second, [(0, layer) for layer in range(count // 2)] + [(1, layer) for layer in range(count // 2, count)]
    )


def overlapping(first: Anatomy, second: Anatomy) -> tuple[Anatomy, Facts]:
    """The first three quarters of one's layers, then the last three quarters of the other's: deeper than they are."""
    count = len(first.layers)
    cut = count // 4
    return stack(first, second, [(0, layer) for layer in range(count - cut)] + [(1, layer) for layer in range(cut, count)])


def stack(first: Anatomy, second: Anatomy, order: list[tuple[int, int]]) -> tuple[Anatomy, Facts]:
    """Layers in `order`, each as (parent, layer of it); embeddings of the first parent, final norm and head of the second."""
    parents = (first, second)
    types = [parent.config.get("layer_types", []) for parent in parents]
    merged = first
    merged.top |= {name: second.top[name] for name in ("final_norm", "final_norm.bias", "head") if name in second.top}
    merged.layers = [parents[parent].layers[layer] for parent, layer in order]
    if all(types):
        merged.config["layer_types"] = [types[parent][layer] for parent, layer in order]
    facts = Facts(
        layer_map=[[child, layer] for child, (_parent, layer) in enumerate(order)],
        notes=json.dumps({"layer_parents": [parent for parent, _layer in order], "embeddings": 0, "head": 1}),
    )
    return merged, facts
