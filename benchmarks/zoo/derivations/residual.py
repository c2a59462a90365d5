"""Disguises of the residual stream: its coordinates permuted, signed or rotated; and what makes that possible."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.random import Generator

from benchmarks.zoo.derivations.anatomy import Anatomy, Parts
from benchmarks.zoo.derivations.checkpoint import Indices, Tensor

_OUTPUT_NORMS = ("attention_output_norm", "mlp_output_norm")


def readers(model: Anatomy) -> Iterator[tuple[Parts, str, Parts, str]]:
    """Every matrix that reads the residual stream inside a layer, and the norm before it: (parts, name, parts, norm)."""
    for layer in model.layers:
        for name in ("q", "k", "v"):
            yield layer.parts, name, layer.parts, "attention_norm"
        for parts, name in [(layer.parts, "router"), *((mlp, name) for mlp in layer.mlps for name in ("gate", "up"))]:
            if name in parts:
                yield parts, name, layer.parts, "mlp_norm"


def writers(model: Anatomy) -> Iterator[tuple[Parts, str]]:
    for layer in model.layers:
        yield layer.parts, "o"
        for mlp in layer.mlps:
            yield mlp, "down"


def has_output_norms(model: Anatomy) -> bool:
    return _OUTPUT_NORMS[0] in model.layers[0].parts


def untie(model: Anatomy, _random: Generator | None = None) -> None:
    """Give the head a copy of the embedding where it had none of its own."""
    model.top.setdefault("head", model.top["embed"].copy())


def take_hidden(model: Anatomy, chosen: Indices) -> None:
    """Keep these coordinates of the residual stream, in this order."""
    _reshape(model, lambda rows: rows[:, chosen])
    norms = [(model.top, "final_norm")]
    norms += [(layer.parts, name) for layer in model.layers for name in ("attention_norm", "mlp_norm", *_OUTPUT_NORMS)]
    for parts, name in norms:
        for each in (name, f"{name}.bias"):
            if each in parts:
                parts[each] = parts[each][chosen]


def permute(model: Anatomy, random: Generator) -> None:
    take_hidden(model, random.permutation(model.hidden))


def permute_and_sign(model: Anatomy, random: Generator) -> None:
    """As `permute`, and a sign on each coordinate: an RMSNorm does not see it."""
    permute(model, random)
    signs = random.choice([-1.0, 1.0], model.hidden)
    _reshape(model, lambda rows: rows * signs)


def fold_gains(model: Anatomy, _random: Generator | None = None) -> None:
    """Move what every pre-norm multiplies and adds into the matrices that read it; the head gets its own copy first.

    The head has no bias to take the final LayerNorm's, which stays, divided by the gain.
    """
    offset = model.layout.gain_offset
    for parts, name, holder, norm in readers(model):
        if f"{norm}.bias" in holder:
            bias = f"{name}.bias"
            parts[bias] = parts.get(bias, 0) + parts[name] @ holder[f"{norm}.bias"]
        if norm in holder:
            parts[name] = parts[name] * (offset + holder[norm])
    for layer in model.layers:
        for norm in ("attention_norm", "mlp_norm"):
            if norm in layer.parts:
                layer.parts[norm] = np.full(model.hidden, 1.0 - offset)
            if f"{norm}.bias" in layer.parts:
                layer.parts[f"{norm}.bias"] = np.zeros(model.hidden)
    untie(model)
    gain = offset + model.top["final_norm"]
    model.top["head"] = model.top["head"] * gain
    model.top["final_norm"] = np.full(model.hidden, 1.0 - offset)
    if "final_norm.bias" in model.top:
        model.top["final_norm.bias"] = model.top["final_norm.bias"] / gain


def rotate(model: Anatomy, random: Generator) -> None:
    """Turn the residual stream by a random rotation, after folding.

    An RMSNorm without gain commutes with every rotation; a LayerNorm only with those that fix the direction 1, and then what
    is written may as well be centred first, since every reader subtracts the mean.

    Raises:
        ValueError: if the model has output norms: their gains come after the rotation and cannot be folded away.
    """
    if has_output_norms(model):
        raise ValueError("the gain of an output norm does not commute with a rotation")
    fold_gains(model)
    size = model.hidden
    if model.layout.layer_norm:
        _centre(model)
        ones = np.full((size, 1), size**-0.5)
        frame = np.linalg.qr(np.hstack([ones, random.standard_normal((size, size - 1))]))[0]
        inner = np.eye(size)
        inner[1:, 1:] = _rotation(size - 1, random)
        rotation = frame @ inner @ frame.T
    else:
        rotation = _rotation(size, random)
    _reshape(model, lambda rows: rows @ rotation.T)
    if "final_norm.bias" in model.top:
        model.top["final_norm.bias"] = rotation @ model.top["final_norm.bias"]


def _rotation(size: int, random: Generator) -> Tensor:
    turned, triangle = np.linalg.qr(random.standard_normal((size, size)))
    rotation: Tensor = turned * np.sign(np.diag(triangle))
    return rotation


def _centre(model: Anatomy) -> None:
    for name in ("embed", "positions"):
        model.top[name] = model.top[name] - model.top[name].mean(1, keepdims=True)
    for parts, name in writers(model):
        for each in (name, f"{name}.bias"):
            parts[each] = parts[each] - parts[each].mean(0)


def _reshape(model: Anatomy, on_rows: Callable[[Tensor], Tensor]) -> None:
    """Apply a map of vectors of the residual stream (one a row) to all that reads or writes it; norms are left alone."""
    for name in ("embed", "positions", "head"):
        if name in model.top:
            model.top[name] = on_rows(model.top[name])
    for parts, name, _holder, _norm in readers(model):
        parts[name] = on_rows(parts[name])
    for parts, name in writers(model):
        parts[name] = on_rows(parts[name].T).T
        if f"{name}.bias" in parts:
            parts[f"{name}.bias"] = on_rows(parts[f"{name}.bias"][None])[0]
