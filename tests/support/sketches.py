"""Lineage fingerprints made up number by number: small random residual streams, and models that are or are not related."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tensorguard.fingerprint.sketches import Place, Sketches
from tensorguard.probes.anchors import ANCHOR_IDS, ANCHOR_WORDS
from tensorguard.probes.rademacher import FIXED, RESPONSE, Key, fixed_basis, response_inputs, response_rows
from tensorguard.signals.operators import without_identity
from tensorguard.signals.sample import SAMPLED, first_row, row_sample, sample_rows
from tensorguard.signals.traces import Traces
from tensorguard.signals.unit_table import UNITS

Array = NDArray[np.float64]
WIDTH, NEURONS, VOCABULARY = 64, 160, 400
WORDS, IDS = len(ANCHOR_WORDS), len(ANCHOR_IDS)
ROLES = ("q", "k", "v", "o", "gate", "up", "down")


@dataclass(frozen=True)
class ToyModel:
    """Weights of a toy model: embeddings, output head, and per block a matrix per role."""

    embed: Array
    head: Array
    blocks: tuple[dict[str, Array], ...]


def toy_model(seed: int, depth: int = 4, *, width: int = WIDTH, common: float = 0.0) -> ToyModel:
    """Independent models for different seeds; `common` is how much of the token similarities all of them share."""
    rng, shared = np.random.default_rng([seed, 1]), np.random.default_rng(99)
    meaning = shared.standard_normal((VOCABULARY, width)) @ np.linalg.qr(rng.standard_normal((width, width)))[0]
    embed = np.sqrt(1 - common) * rng.standard_normal((VOCABULARY, width)) + np.sqrt(common) * meaning
    shapes = (
        dict.fromkeys("qkvo", (width, width)) | dict.fromkeys(("gate", "up"), (NEURONS, width)) | {"down": (width, NEURONS)}
    )
    blocks = tuple({role: rng.standard_normal(shapes[role]) for role in ROLES} for _ in range(depth))
    return ToyModel(embed, rng.standard_normal((VOCABULARY, width)), blocks)


def tuned(model: ToyModel, seed: int, amount: float) -> ToyModel:
    """The model with noise of `amount` times its own size added to every weight."""
    rng = np.random.default_rng([seed, 2])

    def noisy(W: Array) -> Array:
        return W + amount * W.std() * rng.standard_normal(W.shape)

    return ToyModel(noisy(model.embed), noisy(model.head), tuple({r: noisy(W) for r, W in b.items()} for b in model.blocks))


def rotated(model: ToyModel, seed: int) -> ToyModel:
    """The same function in another basis of the residual stream."""
    width = model.embed.shape[1]
    Q = np.linalg.qr(np.random.default_rng([seed, 3]).standard_normal((width, width)))[0]
    blocks = tuple({role: Q.T @ W if role in ("o", "down") else W @ Q for role, W in block.items()} for block in model.blocks)
    return ToyModel(model.embed @ Q, model.head @ Q, blocks)


def neurons_permuted(model: ToyModel, seed: int) -> ToyModel:
    """The same function with the neurons of every block in another order."""
    rng = np.random.default_rng([seed, 4])
    blocks = []
    for block in model.blocks:
        order = rng.permutation(len(block["up"]))
        moved = {"gate": block["gate"][order], "up": block["up"][order], "down": block["down"][:, order]}
        blocks.append({**block, **moved})
    return replace(model, blocks=tuple(blocks))


def layers(model: ToyModel, order: list[int]) -> ToyModel:
    """The model's blocks in another order, some twice or not at all."""
    return replace(model, blocks=tuple(model.blocks[i] for i in order))


def sketches(
    model: ToyModel, *, missing_words: tuple[int, ...] = (), without: tuple[str, ...] = (), tied: bool = False
) -> Sketches:
    """What the lineage fingerprint keeps of it, computed directly from whole matrices.

    Args:
        model: The weights.
        missing_words: Anchor words that its vocabulary lacks.
        without: Operators left out.
        tied: Whether the head is the embeddings.
    """
    width = model.embed.shape[1]
    key, X = Key(), fixed_basis(Key(), width).astype(np.float64)
    words, ids = (_unit(rows) for rows in (model.embed[:WORDS], model.embed[100 : 100 + IDS]))
    words[list(missing_words)] = 0
    H = model.embed if tied else model.head
    head_words, head_ids = np.where(words.any(1, keepdims=True), H[:WORDS], 0), H[100 : 100 + IDS]
    matrices = [("embed", None, model.embed)]
    matrices += [(role, layer, block[role]) for layer, block in enumerate(model.blocks) for role in ROLES]
    matrices += [] if tied else [("lm_head", None, model.head)]
    strongest = [np.argsort(-np.linalg.norm(block["gate"], axis=1))[:UNITS] for block in model.blocks]
    return Sketches(
        key=key.identity(),
        width=width,
        blocks=tuple(("decoder", layer) for layer in range(len(model.blocks))),
        places=tuple(Place(role, layer, "decoder", *W.shape) for role, layer, W in matrices),
        sampled=tuple(at for at, (role, *_) in enumerate(matrices) if role in SAMPLED),
        fixed=_stack([_int8(without_identity(_operators(block, X, without))) for block in model.blocks]),
        words=_stack([_half(_operators(block, words.T, without)) for block in model.blocks]),
        ids=_stack([_half(_operators(block, ids.T, without)) for block in model.blocks]),
        word_rows=_single(words @ X),
        id_rows=_single(ids @ X),
        word_gram=_single(words @ words.T),
        id_gram=_single(ids @ ids.T),
        head_word_rows=_single(head_words @ X),
        head_id_rows=_single(head_ids @ X),
        head_word_gram=_single(head_words @ words.T),
        head_id_gram=_single(head_ids @ ids.T),
        unit_index=_stack([each.astype(np.int32) for each in strongest]),
        unit_vectors=_stack([_int8(b["gate"][each] @ X) for b, each in zip(model.blocks, strongest, strict=True)]),
        unit_count=np.array([len(block["gate"]) for block in model.blocks], np.int32),
        response=_stack(
            [_single(response_rows(key, 0, len(W)).T @ W @ response_inputs(key, W.shape[1])) for *_, W in matrices]
        ),
        row_mean=_stack([_single(W.mean(0) @ response_inputs(key, W.shape[1])) for *_, W in matrices]),
        traces=_stack([_traces(W) for *_, W in matrices]),
        sample=_stack([row_sample(key, _single(_rows(key, role, W))) for role, _, W in matrices if role in SAMPLED]),
    )


def _rows(key: Key, role: str, W: Array) -> Array:
    start = first_row(key, role, *W.shape)
    return W[start : start + sample_rows(W.shape[1])]


def _operators(block: dict[str, Array], X: Array, without: tuple[str, ...]) -> Array:
    found = {
        "QK": block["q"].T @ block["k"],
        "VO": block["o"] @ block["v"],
        "DU": block["down"] @ block["up"],
        "DG": block["down"] @ block["gate"],
        "GU": block["gate"].T @ block["up"],
    }
    return np.stack([X.T @ M @ X * (name not in without) for name, M in found.items()])


def _traces(W: Array) -> NDArray[np.float32]:
    seen = Traces()
    seen.see(_single(W), float((W**2).sum()))
    seen.see_sample(_single(W))
    return seen.numbers()


def _unit(rows: Array) -> Array:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _int8(values: Array) -> NDArray[np.int8]:
    axes = (-2, -1) if values.ndim == 3 else (-1,)
    largest = np.abs(values).max(axes, keepdims=True)
    return np.round(127 * values / np.maximum(largest, 1e-30)).astype(np.int8)


def _half(values: Array) -> NDArray[np.float16]:
    return (values / np.maximum(np.abs(values).max((-2, -1), keepdims=True), 1e-30)).astype(np.float16)


def _single(values: Array) -> NDArray[np.float32]:
    return values.astype(np.float32)


def _stack(arrays: list) -> NDArray:
    return np.stack(arrays)


assert FIXED <= WIDTH
assert RESPONSE == (64, 16)
