"""Layers dropped, repeated and moved: the function changes, the layers do not."""

import json

from numpy.random import Generator

from benchmarks.zoo.derivations.anatomy import Anatomy
from benchmarks.zoo.derivations.checkpoint import Facts


def reorder(model: Anatomy, order: list[int]) -> Facts:
    """The layers `order`, counted in the parent, become the model's; one may come twice or not at all."""
    model.layers = [model.layers[i] for i in order]
    if "layer_types" in model.config:
        model.config["layer_types"] = [model.config["layer_types"][i] for i in order]
    return Facts(layer_map=[[child, parent] for child, parent in enumerate(order)], notes=json.dumps({"order": order}))


def drop_every_third(model: Anatomy, _random: Generator) -> Facts:
    return reorder(model, [i for i in range(len(model.layers)) if i % 3 != 2])


def drop_last_third(model: Anatomy, _random: Generator) -> Facts:
    count = len(model.layers)
    return reorder(model, list(range(count - max(1, count // 3))))


def duplicate_one(model: Anatomy, _random: Generator) -> Facts:
    """The layer in the middle comes twice."""
    count = len(model.layers)
    return reorder(model, sorted([*range(count), count // 2]))


def swap_two(model: Anatomy, _random: Generator) -> Facts:
    """Two neighbours in the middle change places."""
    order = list(range(len(model.layers)))
    middle = len(order) // 2
    order[middle - 1], order[middle] = order[middle], order[middle - 1]
    return reorder(model, order)


def reverse(model: Anatomy, _random: Generator) -> Facts:
    return reorder(model, list(reversed(range(len(model.layers)))))


def scale_up(model: Anatomy, _random: Generator) -> Facts:
    """The first three quarters, then the last three quarters (SOLAR: Kim et al. 2023)."""
    count = len(model.layers)
    cut = count // 4
    return reorder(model, [*range(count - cut), *range(cut, count)])
