"""Disguises of attention: order of the heads, basis of values and outputs, basis of queries and keys."""

import numpy as np
from numpy.random import Generator

from benchmarks.zoo.derivations.anatomy import Anatomy, Parts
from benchmarks.zoo.derivations.checkpoint import Indices, Tensor


def take(model: Anatomy, groups: Indices, members: Indices) -> None:
    """Keep some key/value groups and, in each of them, some query heads, in that order, in every layer.

    Args:
        model: Changed in place.
        groups: layers x kept groups, indices.
        members: layers x kept groups x kept heads of a group, indices inside the group.
    """
    width, share = model.head_dim, model.heads // model.groups
    for layer, kept, inside in zip(model.layers, groups, members, strict=True):
        queries = _rows(kept[:, None] * share + inside, width)
        keys = _rows(kept, width)
        parts = layer.parts
        for names, rows in ((("q", "q.bias", "q_norm"), queries), (("k", "k.bias", "k_norm", "v", "v.bias"), keys)):
            parts.update({name: parts[name][rows] for name in names if name in parts})
        parts["o"] = parts["o"][:, queries]


def permute(model: Anatomy, random: Generator) -> None:
    """Key/value groups in another order, and the query heads inside each group."""
    layers, groups, share = len(model.layers), model.groups, model.heads // model.groups
    order = random.permuted(np.tile(np.arange(groups), (layers, 1)), axis=1)
    take(model, order, random.permuted(np.tile(np.arange(share), (layers, groups, 1)), axis=2))


def change_value_basis(model: Anatomy, random: Generator) -> None:
    """An invertible matrix on each group's values, its inverse on the outputs of the group's heads."""
    for layer in model.layers:
        bases = [_invertible(model.head_dim, random) for _ in range(model.groups)]
        _on_rows(layer.parts, "v", np.stack(bases))
        inverse = np.repeat(np.linalg.inv(bases), model.heads // model.groups, axis=0)
        outputs = layer.parts["o"].reshape(-1, model.heads, model.head_dim)
        layer.parts["o"] = np.einsum("dhi,hij->dhj", outputs, inverse).reshape(len(outputs), -1)


def change_key_basis(model: Anatomy, random: Generator) -> None:
    """A matrix on each group's keys, its inverse transpose on the group's queries.

    Any invertible one where positions are learnt; under rotary embeddings, a rotation and a scale per frequency pair. A norm of
    queries and keys leaves quarter turns, which only move its gains, and scales of these gains.
    """
    for layer in model.layers:
        normed = "q_norm" in layer.parts
        share = model.heads // model.groups
        if not model.layout.rotary:
            keys = np.stack([_invertible(model.head_dim, random) for _ in range(model.groups)])
            scales = np.ones((model.groups, model.head_dim))
        else:
            pairs = (model.groups, model.head_dim // 2)
            angles = random.integers(0, 4, pairs) * np.pi / 2 if normed else random.uniform(0, 2 * np.pi, pairs)
            keys = _turns(np.cos(angles), np.sin(angles))
            scales = np.tile(np.exp(random.normal(0, 0.4, pairs)), 2)
        if normed:
            keys = np.round(keys)
            gains = np.abs(keys)
            _on_rows(layer.parts, "k_norm", scales[:, :, None] * gains)
            _on_rows(layer.parts, "q_norm", np.repeat(gains / scales[:, :, None], share, axis=0))
        else:
            keys = keys * scales[:, :, None]
        _on_rows(layer.parts, "k", keys)
        _on_rows(layer.parts, "q", np.repeat(np.linalg.inv(keys).transpose(0, 2, 1), share, axis=0))


def _rows(heads: Indices, width: int) -> Indices:
    return (heads.reshape(-1)[:, None] * width + np.arange(width)).ravel()


def _on_rows(parts: Parts, name: str, matrices: Tensor) -> None:
    """Multiply each head's rows (and bias) by its matrix."""
    for each in (name, f"{name}.bias"):
        if each in parts:
            values = parts[each]
            heads = values.reshape(len(matrices), matrices.shape[2], -1)
            parts[each] = (matrices @ heads).reshape(values.shape)


def _turns(cosines: Tensor, sines: Tensor) -> Tensor:
    """groups x pairs -> groups x 2 pairs x 2 pairs: coordinate i is paired with i + pairs, as transformers does."""
    count = cosines.shape[1]
    first, second = np.arange(count), np.arange(count) + count
    matrices = np.zeros((len(cosines), 2 * count, 2 * count))
    matrices[:, first, first] = matrices[:, second, second] = cosines
    matrices[:, first, second], matrices[:, second, first] = -sines, sines
    return matrices


def _invertible(size: int, random: Generator) -> Tensor:
    """A rotation, a stretch of each axis and a rotation: as far from orthogonal as float32 stays exact with."""
    left, right = (np.linalg.qr(random.standard_normal((size, size)))[0] for _ in range(2))
    basis: Tensor = left * np.exp(random.normal(0, 0.4, size)) @ right
    return basis
