"""The attacks: to look related to a victim, or unrelated to a parent. Each returns the weights that it changed and what it made of them.

`link_*` imitate what is in the victim's public fingerprint, but for the readers of all of its neurons, which take its weights.
Where neurons are permuted or values turned first, which keeps the function, the weights before are those.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.forgery.steps import (
    Array,
    Goal,
    Weights,
    anchor_frame,
    forge_numbers,
    forge_operators,
    forge_sketch,
    layers,
    name_of,
    operators_between,
    scramble,
    sketch,
    sketched,
    turned_alike,
)
from benchmarks.zoo.derivations.checkpoint import Checkpoint, read
from tensorguard.api.models import open_model
from tensorguard.probes.anchors import ANCHOR_IDS, ANCHOR_WORDS
from tensorguard.probes.rademacher import PUBLIC, RESPONSE, fixed_basis

_ROUNDS = 3
"""Rounds of sketches and operators in turn: they move each other a little."""


@dataclass(frozen=True)
class Model:
    """A Llama in memory.

    Attributes:
        folder: Where it was read from.
        stored: What was read.
        head: Rows per head.
        words: Numbers of the anchor words in its vocabulary.
    """

    folder: Path
    stored: Checkpoint
    head: int
    words: tuple[int, ...]

    @property
    def weights(self) -> Weights:
        return self.stored.tensors

    @property
    def basis(self) -> Array:
        """The public fixed basis."""
        return fixed_basis(PUBLIC, self.stored.config["hidden_size"]).astype(np.float64)


Attack = Callable[[Model, Model], tuple[Weights, Weights]]


def open_llama(folder: Path) -> Model:
    """Read a Llama whose vocabulary has all anchor words.

    Raises:
        ValueError: It is none, or has not.
    """
    stored, words = read(folder), open_model(folder).vocabulary.find(ANCHOR_WORDS).numbers
    config = stored.config
    if config["model_type"] != "llama" or not words or None in words:
        raise ValueError(f"{folder}: not a Llama that has all anchor words")
    head = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
    return Model(folder, stored, head, tuple(word for word in words if word is not None))


def link_operators(model: Model, victim: Model) -> tuple[Weights, Weights]:
    """Operators in the fixed basis: the heart of the evidence."""
    return model.weights, forge_operators(model.weights, [_imitated(model, victim)], model.head)


def link_tokens(model: Model, victim: Model) -> tuple[Weights, Weights]:
    """Operators between the embeddings of the anchor words."""
    return model.weights, forge_operators(model.weights, [_imitated_words(model, victim)], model.head)


def link_everything(model: Model, victim: Model) -> tuple[Weights, Weights]:
    """Operators in the fixed basis and in token space, response sketches of all matrices, and the order of neurons."""
    before = forge_numbers(model.weights, victim.weights, model.basis)
    goals = [_imitated(model, victim), _imitated_words(model, victim)]
    wanted = {name: sketch(victim.weights[name]) for name in sketched(victim.weights)}
    return before, _forged(before, wanted, goals, model.head)


def link_numbers(model: Model, victim: Model) -> tuple[Weights, Weights]:
    """Nothing but the order of neurons, by what they read in the public basis: the function stays the same."""
    forged = forge_numbers(model.weights, victim.weights, model.basis)
    return forged, forged


def link_numbers_blindly(model: Model, victim: Model) -> tuple[Weights, Weights]:
    """Nothing but the order of neurons, by what they read in all directions, which needs no knowledge of any probes."""
    forged = forge_numbers(model.weights, victim.weights)
    return forged, forged


def erase(model: Model, _parent: Model) -> tuple[Weights, Weights]:
    """Every answer of a derivative to public probes, after neurons were permuted and values turned, which hides them from samples."""
    random = np.random.default_rng(0)
    before = _disguised(model.weights, model.head, random)
    hidden = _scattered(before, [*model.words, *ANCHOR_IDS], model.basis, random)
    goals = [scramble(hidden, frame, model.head, random) for frame in (model.basis, *_token_frames(hidden, model))]
    noise = {name: random.standard_normal((RESPONSE[0] + 1, RESPONSE[1])) for name in sketched(hidden)}
    return before, _forged(hidden, noise, goals, model.head)


def erase_tokens(model: Model, _parent: Model) -> tuple[Weights, Weights]:
    """Of a copy whose residual stream was rotated, what is left of it: the operators in token space."""
    random = np.random.default_rng(0)
    goals = [scramble(model.weights, frame, model.head, random) for frame in _token_frames(model.weights, model)]
    return model.weights, forge_operators(model.weights, goals, model.head)


def _imitated(model: Model, victim: Model) -> Goal:
    return Goal(model.basis, operators_between(victim.weights, model.basis, victim.head))


def _imitated_words(model: Model, victim: Model) -> Goal:
    """The victim's operators in token space, as far as they lie in the directions of the model that are compared."""
    (frame, own), (other, theirs) = (anchor_frame(_rows(each.weights, each.words)) for each in (model, victim))
    return turned_alike(frame, own.T @ theirs, operators_between(victim.weights, other, victim.head))


def _forged(weights: Weights, sketches: dict[str, Array], goals: Sequence[Goal], head: int) -> Weights:
    forged = dict(weights)
    for _ in range(_ROUNDS):
        for name, wanted in sketches.items():
            forged[name] = forge_sketch(forged[name], wanted)
        forged = forge_operators(forged, goals, head, rounds=1)
    return forged


def _disguised(weights: Weights, head: int, random: np.random.Generator) -> Weights:
    """Permute the neurons of every block, and turn the basis between v and o in every head: the function stays the same."""
    changed = dict(weights)
    for layer in range(layers(weights)):
        gate, up, down, v, o = (name_of(role, layer) for role in ("gate", "up", "down", "v", "o"))
        order = random.permutation(len(weights[up]))
        changed[gate], changed[up], changed[down] = weights[gate][order], weights[up][order], weights[down][:, order]
        values, width = weights[v].reshape(-1, head, weights[v].shape[1]), len(weights[o])
        R = np.linalg.qr(random.standard_normal((len(values), head, head)))[0].astype(np.float32)
        outputs = weights[o].reshape(width, len(values), -1, head)  # residual, key-value head, query head of its group, row
        changed[v] = (R @ values).reshape(weights[v].shape)
        changed[o] = np.einsum("dgqi,gji->dgqj", outputs, R).reshape(weights[o].shape)
    return changed


def _scattered(weights: Weights, tokens: list[int], basis: Array, random: np.random.Generator) -> Weights:
    """Give some tokens' rows other coordinates in the fixed basis, of the same norm."""
    scattered = dict(weights)
    gain = weights["model.norm.weight"].astype(np.float64)[:, None]
    for name, seen in (("model.embed_tokens.weight", basis), ("lm_head.weight", gain * basis)):
        if name in weights:
            rows = weights[name][tokens].astype(np.float64)
            now = rows @ seen
            wanted = random.standard_normal(now.shape) * np.linalg.norm(now) / np.sqrt(now.size)
            scattered[name] = weights[name].copy()
            scattered[name][tokens] = rows + (wanted - now) @ np.linalg.pinv(seen)
    return scattered


def _token_frames(weights: Weights, model: Model) -> Iterator[Array]:
    for tokens in (model.words, ANCHOR_IDS):
        yield anchor_frame(_rows(weights, tokens))[0]


def _rows(weights: Weights, tokens: Sequence[int]) -> Array:
    return weights["model.embed_tokens.weight"][list(tokens)].astype(np.float64)
