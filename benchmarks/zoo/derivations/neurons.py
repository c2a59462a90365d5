"""Disguises of an MLP: its neurons may be put in any order, scaled and padded without changing what it computes."""

import numpy as np
from numpy.random import Generator

from benchmarks.zoo.derivations.anatomy import Anatomy, Parts
from benchmarks.zoo.derivations.checkpoint import Indices, Tensor

_READERS = ("gate", "gate.bias", "up", "up.bias")


def take(mlp: Parts, chosen: Indices) -> None:
    """Keep the neurons `chosen`, in that order; a neuron may be taken twice."""
    mlp.update({name: mlp[name][chosen] for name in _READERS if name in mlp})
    mlp["down"] = mlp["down"][:, chosen]


def permute(model: Anatomy, random: Generator) -> None:
    for mlp in model.mlps:
        take(mlp, random.permutation(model.intermediate))


def flip_signs(model: Anatomy, random: Generator) -> None:
    """A sign on each neuron's up row and down column; the activation sees only the gate."""
    for mlp in model.mlps:
        _scale(mlp, random.choice([-1.0, 1.0], model.intermediate))


def rescale(model: Anatomy, random: Generator) -> None:
    """A positive factor on each up row, divided out of the down column."""
    for mlp in model.mlps:
        _scale(mlp, np.exp(random.normal(0, 0.5, model.intermediate)))


def rescale_either_sign(model: Anatomy, random: Generator) -> None:
    rescale(model, random)
    flip_signs(model, random)


def rescale_gate(model: Anatomy, random: Generator) -> None:
    """A positive factor on each gate row, divided out of the down column: legal for homogeneous activations (ReLU) only."""
    for mlp in model.mlps:
        _scale(mlp, np.exp(random.normal(0, 0.5, model.intermediate)), "gate" if "gate" in mlp else "up")


def pad(model: Anatomy, random: Generator) -> None:
    """Append neurons that add nothing: an eighth as many with a random reader and no writer, and an eighth halved in two."""
    size = model.intermediate
    count = size // 8
    for mlp in model.mlps:
        halved = random.choice(size, count, replace=False)
        take(mlp, np.concatenate([np.arange(size), halved, random.choice(size, count)]))
        mlp["down"][:, halved] /= 2
        mlp["down"][:, size : size + count] /= 2
        mlp["down"][:, size + count :] = 0
        for name in _READERS:
            if name in mlp:
                mlp[name][size + count :] = mlp[name].std() * random.standard_normal(mlp[name][size + count :].shape)


def _scale(mlp: Parts, factors: Tensor, reader: str = "up") -> None:
    mlp[reader] = mlp[reader] * factors[:, None]
    if f"{reader}.bias" in mlp:
        mlp[f"{reader}.bias"] = mlp[f"{reader}.bias"] * factors
    mlp["down"] = mlp["down"] / factors
