"""Kinds of derivation, each made from the same made-up model, named from either side."""

from collections.abc import Callable
from dataclasses import replace

import ml_dtypes
import numpy as np
import pytest
from numpy.typing import NDArray

from support.sketches import ROLES, ToyModel, layers, neurons_permuted, rotated, sketches, toy_model, tuned
from tensorguard.fingerprint.sketches import Sketches
from tensorguard.lineage.evidence import evidence
from tensorguard.lineage.kinds import FIRST, KINDS, SECOND, Kind, direction, kinds

Array = NDArray[np.float64]
NEURONS = ("gate", "up", "down")


def each_matrix(model: ToyModel, change: Callable[[str, Array], Array], roles: tuple[str, ...] = ROLES) -> ToyModel:
    blocks = tuple({r: change(r, W) if r in roles else W for r, W in block.items()} for block in model.blocks)
    return replace(model, blocks=blocks)


def single(model: ToyModel) -> ToyModel:
    """Stored with 32 bits, as base models here are."""
    return each_matrix(model, lambda _, W: W.astype(np.float32).astype(np.float64))


def bfloat16(_: str, W: Array) -> Array:
    return W.astype(ml_dtypes.bfloat16).astype(np.float64)


def four_bits(_: str, W: Array) -> Array:
    scale = np.abs(W).max(axis=1, keepdims=True) / 7
    return np.round(W / scale) * scale


def on_grid(_: str, W: Array) -> Array:
    """4 bits, asymmetric, 32 neighbours of a row to a scale: as Q4_1 of GGUF."""
    groups = W.reshape(len(W), -1, 32)
    low = groups.min(axis=-1, keepdims=True)
    step = (groups.max(axis=-1, keepdims=True) - low) / 15
    return (np.round((groups - low) / step) * step + low).reshape(W.shape)


def other_grid(_: str, W: Array) -> Array:
    """4 bits, asymmetric, with an integer as zero point, so that zero is a level: as GPTQ and AWQ."""
    groups = W.reshape(len(W), -1, 32)
    low = groups.min(axis=-1, keepdims=True)
    step = (groups.max(axis=-1, keepdims=True) - low) / 15
    return ((np.round(groups / step + np.round(-low / step)) - np.round(-low / step)) * step).reshape(W.shape)


def eight_bits(_: str, W: Array) -> Array:
    scale = np.abs(W).max(axis=1, keepdims=True) / 127
    return np.round(W / scale) * scale


def by_column(_: str, W: Array) -> Array:
    """4 bits, each column with a scale of its own: as HQQ along the other axis, few values in no row."""
    return on_grid("", W.T).T


def float16(_: str, W: Array) -> Array:
    return W.astype(np.float16).astype(np.float64)


def sparse(_: str, W: Array) -> Array:
    return np.where(np.abs(W) < np.median(np.abs(W)), 0, W)


def neurons(keep: list[int]) -> Callable[[str, Array], Array]:
    return lambda role, W: W[:, keep] if role == "down" else W[keep]


def padding(role: str, W: Array) -> Array:
    return np.concatenate([W, 0 * W[:, :8]], 1) if role == "down" else np.concatenate([W, W[:8]])


def low_rank(_: str, W: Array) -> Array:
    rng = np.random.default_rng(W.shape)
    return W + 0.5 * np.outer(rng.standard_normal(len(W)), rng.standard_normal(W.shape[1])) / 4


def rescaled(role: str, W: Array) -> Array:
    scale = np.exp(np.random.default_rng(3).standard_normal(160))
    return W * scale[:, None] if role == "up" else W / scale if role == "down" else W


def flipped(role: str, W: Array) -> Array:
    sign = np.random.default_rng(3).choice([-1.0, 1.0], 160)
    return W * sign[:, None] if role == "up" else W * sign if role == "down" else W


def trained(role: str, W: Array) -> Array:
    return W + 0.1 * W.std() * np.random.default_rng(len(role)).standard_normal(W.shape)


def longer(model: ToyModel) -> ToyModel:
    more = np.random.default_rng(8).standard_normal((30, model.embed.shape[1]))
    return replace(model, embed=np.concatenate([model.embed, more]), head=np.concatenate([model.head, more]))


BASE = single(toy_model(1))
PARENT = sketches(BASE)

MADE: dict[str, tuple[ToyModel, str, int | None]] = {
    "a little training": (single(tuned(BASE, 5, 0.1)), "fine-tuned", None),
    "long training": (single(tuned(BASE, 5, 0.6)), "continued", None),
    "an adapter": (single(each_matrix(BASE, low_rank, ("q", "v"))), "adapter", None),
    "training of attention alone": (single(each_matrix(BASE, trained, ("q", "o"))), "adapter", None),
    "a cast": (each_matrix(BASE, bfloat16), "cast", FIRST),
    "four bits": (single(each_matrix(BASE, four_bits)), "quantised", FIRST),
    "half of the weights": (single(each_matrix(BASE, sparse)), "pruned", FIRST),
    "fewer neurons": (each_matrix(BASE, neurons([*range(0, 160, 2)]), NEURONS), "pruned", FIRST),
    "padding": (each_matrix(BASE, padding, NEURONS), "disguised", FIRST),
    "another basis": (single(rotated(BASE, 3)), "disguised", None),
    "another order of neurons": (neurons_permuted(BASE, 3), "disguised", None),
    "other scales": (single(each_matrix(BASE, rescaled, NEURONS)), "disguised", None),
    "other signs": (each_matrix(BASE, flipped, NEURONS), "disguised", None),
    "a block left out": (layers(BASE, [0, 2, 3]), "layers", FIRST),
    "the last block left out": (layers(BASE, [0, 1, 2]), "layers", FIRST),
    "a block twice": (layers(BASE, [0, 1, 1, 2, 3]), "layers", FIRST),
    "up-scaled": (layers(BASE, [0, 1, 2, 1, 2, 3]), "layers", FIRST),
    "another order": (layers(BASE, [1, 0, 2, 3]), "layers", None),
    "more tokens": (longer(BASE), "vocabulary", None),
    "new embeddings": (replace(BASE, embed=toy_model(9).embed, head=toy_model(9).head), "vocabulary", None),
}


def named(first: Sketches, second: Sketches) -> tuple[Kind, ...]:
    return kinds(first, second, evidence(first, second))


@pytest.mark.parametrize(("child", "kind", "which"), MADE.values(), ids=MADE)
def test_the_most_drastic_kind_and_the_child(child: ToyModel, kind: str, which: int | None) -> None:
    made = sketches(child)
    there, back = named(made, PARENT), named(PARENT, made)
    assert there[0].name == kind
    assert there[0].child == which
    assert [each.name for each in back] == [each.name for each in there]
    assert [each.child for each in back] == [None if each.child is None else 1 - each.child for each in there]
    assert all(each.reason for each in there)


COARSE = single(each_matrix(BASE, on_grid))
"""A base that was published on a grid of 4 bits."""

OF_COARSE: dict[str, tuple[ToyModel, str, int | None]] = {
    "eight bits": (single(each_matrix(COARSE, eight_bits)), "quantised", FIRST),
    "fewer bits": (single(each_matrix(COARSE, four_bits)), "quantised", FIRST),
    "another grid of as many bits": (single(each_matrix(COARSE, other_grid)), "quantised", None),
    "a cast": (each_matrix(COARSE, bfloat16), "cast", FIRST),
    "a little training": (single(tuned(COARSE, 5, 0.01)), "fine-tuned", FIRST),
    "half of the weights": (single(each_matrix(COARSE, sparse)), "pruned", FIRST),
}


@pytest.mark.parametrize(("child", "kind", "which"), OF_COARSE.values(), ids=OF_COARSE)
def test_of_a_base_that_lies_on_a_grid(child: ToyModel, kind: str, which: int | None) -> None:
    made, parent = sketches(child), sketches(COARSE)
    there, back = named(made, parent), named(parent, made)
    assert [(each.name, each.child) for each in there] == [(kind, which)]
    assert [(each.name, each.child) for each in back] == [(kind, None if which is None else SECOND)]


def test_a_cast_between_the_two_types_of_16_bits() -> None:
    half, brain = sketches(each_matrix(BASE, float16)), sketches(each_matrix(each_matrix(BASE, float16), bfloat16))
    assert [(each.name, each.child) for each in named(brain, half)] == [("cast", FIRST)]
    assert [(each.name, each.child) for each in named(half, brain)] == [("cast", SECOND)]


def test_what_a_file_packs_its_numbers_into_decides_where_they_do_not() -> None:
    def told(child: Sketches, parent: Sketches, *packed: str) -> list[tuple[str, int | None]]:
        return [(each.name, each.child) for each in kinds(child, parent, evidence(child, parent), (packed[0], packed[1]))]

    columns, other, coarse = (
        sketches(each) for each in (single(each_matrix(BASE, by_column)), single(each_matrix(COARSE, other_grid)), COARSE)
    )
    assert told(columns, PARENT, "", "") == [("fine-tuned", None)]
    assert told(columns, PARENT, "HQQ-4", "") == [("quantised", FIRST)]
    assert told(PARENT, columns, "", "HQQ-4") == [("quantised", SECOND)]
    assert told(other, coarse, "GPTQ-4", "") == [("quantised", FIRST)]
    assert told(other, coarse, "GPTQ-4", "Q4_1") == [("quantised", None)]
    slightly = sketches(single(tuned(COARSE, 5, 0.01)))
    assert told(slightly, coarse, "", "Q4_1") == [("fine-tuned", FIRST)], "4 bits change values by more than this"
    assert told(PARENT, PARENT, "GPTQ-4", "") == []


def test_nothing_was_done_to_a_copy() -> None:
    assert named(PARENT, PARENT) == ()


def test_several_kinds_are_named_from_the_most_drastic_on() -> None:
    made = longer(layers(single(tuned(BASE, 5, 0.1)), [0, 2, 3]))
    assert [each.name for each in named(sketches(made), PARENT)] == ["layers", "vocabulary", "fine-tuned"]


def test_unrelated_matrices_were_not_trained_further() -> None:
    found = {each.name for each in named(sketches(single(toy_model(2))), PARENT)}
    assert not found & {"fine-tuned", "continued", "adapter"}


def test_towers_of_one_name_are_not_mixed_up() -> None:
    """An encoder and a decoder, of which the encoder alone was rounded; a picture tower that is deeper than either."""
    decoder = sketches(single(toy_model(4)))
    rounded, parent = (_towers(sketches(each_matrix(BASE, change)), decoder) for change in (four_bits, lambda _, W: W))
    assert [each.name for each in named(rounded, parent)] == ["quantised"]


def _towers(encoder: Sketches, decoder: Sketches) -> Sketches:
    """One model of both, whose decoder is also its picture tower, under higher numbers."""
    placed = [
        *(replace(p, stack="encoder") for p in encoder.places),
        *decoder.places,
        *(replace(p, stack="vision", layer=p.layer + 20) for p in decoder.places if p.layer is not None),
    ]
    inside = [at for at, p in enumerate(decoder.places) if p.layer is not None]
    joined = {
        name: np.concatenate([getattr(encoder, name), getattr(decoder, name)])
        for name in ("fixed", "words", "ids", "unit_index", "unit_vectors", "unit_count")
    }
    matrices = {
        name: np.concatenate([getattr(encoder, name), getattr(decoder, name), getattr(decoder, name)[inside]])
        for name in ("response", "row_mean", "traces")
    }
    blocks = (*(("encoder", layer) for _, layer in encoder.blocks), *decoder.blocks)
    return replace(decoder, blocks=blocks, places=tuple(placed), **joined, **matrices)


def test_direction_is_told_where_all_agree() -> None:
    def of(*children: int | None) -> tuple[Kind, ...]:
        return tuple(Kind(name, child, "") for name, child in zip(KINDS, children, strict=False))

    assert direction(of(FIRST, None, FIRST)) == "first from second"
    assert direction(of(SECOND)) == "second from first"
    assert direction(of(None, None)) == "unknown"
    assert direction(of(FIRST, SECOND)) == "unknown"
    assert direction(()) == "unknown"
