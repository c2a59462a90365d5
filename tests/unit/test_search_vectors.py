from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.sketches import ToyModel, layers, neurons_permuted, rotated, sketches, toy_model, tuned
from tensorguard.fingerprint.base import FEATURES, Fingerprint, TensorDigest
from tensorguard.fingerprint.file import read_fingerprint
from tensorguard.fingerprint.sketches import Sketches
from tensorguard.lineage import identity
from tensorguard.registry.vectors import (
    BASES,
    DIGESTS,
    DIMENSIONS,
    FORMULA_ROLES,
    SMALLEST,
    search_digests,
    search_vectors,
    source_digest,
)

GOLDEN = Path(__file__).parents[1] / "golden" / "tensorguard-moments-1-llama.tgfp"
STRANGERS = 5 / np.sqrt(DIMENSIONS)
_FEW = settings(max_examples=8, deadline=None)


@pytest.fixture(scope="module")
def parent() -> ToyModel:
    return toy_model(1)


def cosines(a: Sketches, b: Sketches) -> dict[str, float]:
    ours, theirs = search_vectors(a), search_vectors(b)
    return {basis: float(ours[basis] @ theirs[basis]) for basis in ours if basis in theirs}


def test_vectors_are_of_norm_one(parent: ToyModel) -> None:
    found = search_vectors(sketches(parent))
    assert tuple(found) == BASES
    for vector in found.values():
        assert vector.dtype == np.float32
        assert vector.shape == (DIMENSIONS,)
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-6)


def test_vectors_never_change() -> None:
    found = search_vectors(read_fingerprint(GOLDEN).sketches)  # type: ignore[arg-type]
    assert found["fixed"][:4] == pytest.approx([-0.010473, -0.012231, -0.035514, -0.040415], abs=2e-6)
    assert found["words"][:4] == pytest.approx([0.034713, 0.006671, -0.128134, -0.049828], abs=2e-6)
    assert "ids" not in found  # its vocabulary is too short


def test_digests_never_change() -> None:
    assert search_digests(read_fingerprint(GOLDEN))[:2] == (1198591207825787037, -2499522037739626889)


@_FEW
@given(st.integers(0, 2**31), st.integers(0, 2**31))
def test_the_order_of_neurons_is_not_seen(model: int, order: int) -> None:
    whole = toy_model(model, 2)
    found = cosines(sketches(whole), sketches(neurons_permuted(whole, order)))
    assert min(found[basis] for basis in BASES) > 0.9999


@_FEW
@given(st.integers(0, 2**31), st.permutations(range(4)))
def test_the_order_of_heads_is_not_seen(model: int, order: list[int]) -> None:
    whole = toy_model(model, 2)
    rows = np.arange(64).reshape(4, 16)[order].ravel()
    blocks = [{**b, **{role: b[role][rows] for role in "qkv"}, "o": b["o"][:, rows]} for b in whole.blocks]
    found = cosines(sketches(whole), sketches(replace(whole, blocks=tuple(blocks))))
    assert min(found[basis] for basis in BASES) > 0.9999


@_FEW
@given(st.integers(0, 2**31), st.integers(0, 2**31))
def test_token_space_does_not_see_a_rotation_of_the_residual_stream(model: int, turn: int) -> None:
    whole = toy_model(model, 2)
    found = cosines(sketches(whole), sketches(rotated(whole, turn)))
    assert min(found["words"], found["ids"]) > 0.999
    assert abs(found["fixed"]) < STRANGERS


def test_strangers_are_no_nearer_than_chance(parent: ToyModel) -> None:
    """Also those that agree on most of what tokens mean."""
    others = [toy_model(seed, common=common) for seed in range(2, 8) for common in (0.0, 0.8)]
    like = toy_model(1, common=0.8)
    found = [cosines(sketches(mine), sketches(other)) for mine in (parent, like) for other in others]
    assert max(abs(value) for each in found for value in each.values()) < STRANGERS


def test_a_tuned_model_with_other_depth_is_near(parent: ToyModel) -> None:
    child = layers(tuned(parent, 3, 0.2), [0, 2, 3])
    assert min(cosines(sketches(parent), sketches(child)).values()) > 0.7


@pytest.mark.parametrize(("ours", "theirs"), [((), (4,)), ((1, 2), (3,)), ((0, 1, 2, 3), (9, 20, 30))])
def test_vocabularies_that_lack_different_words_are_near(
    parent: ToyModel, ours: tuple[int, ...], theirs: tuple[int, ...]
) -> None:
    found = cosines(sketches(parent, missing_words=ours), sketches(parent, missing_words=theirs))
    assert found["words"] > 0.6
    assert found["fixed"] > 0.9


def test_a_vocabulary_without_words_has_no_vector_of_words(parent: ToyModel) -> None:
    found = search_vectors(sketches(parent, missing_words=tuple(range(27))))
    assert tuple(found) == ("fixed", "ids")


def test_models_that_share_embeddings_alone_are_near(parent: ToyModel) -> None:
    other = replace(toy_model(2), embed=parent.embed)
    found = cosines(sketches(parent), sketches(other))
    assert found["fixed"] > 0.35
    assert max(abs(found["words"]), abs(found["ids"])) < STRANGERS


def test_a_model_without_blocks_is_found_by_its_embeddings(parent: ToyModel) -> None:
    bare = replace(sketches(parent), **{name: getattr(sketches(parent), name)[:0] for name in ("fixed", "words", "ids")})
    assert tuple(search_vectors(bare)) == ("fixed",)
    assert cosines(bare, sketches(parent))["fixed"] > 0.5


def test_a_model_with_nothing_has_no_vector(parent: ToyModel) -> None:
    found = sketches(parent)
    arrays = ("fixed", "words", "ids", "word_rows", "id_rows", "word_gram", "id_gram")
    assert not search_vectors(replace(found, **{name: np.zeros_like(getattr(found, name)) for name in arrays}))


def digest(number: int, role: str = "q", *, elements: int = 4096, constant: bool = False) -> TensorDigest:
    return TensorDigest(role, 0, None, "decoder", elements, constant, 0, 0, f"{number:032x}")


def fingerprint(*digests: TensorDigest) -> Fingerprint:
    return Fingerprint("m", "s", dict.fromkeys(FEATURES, 0.0), (), "llama", 0, 0, digests=digests)


def test_embeddings_and_heads_come_first_and_then_the_smallest() -> None:
    rows = [digest(n << 64) for n in range(100, 80, -1)]
    found = search_digests(fingerprint(*rows, *rows, digest((2**64 - 1) << 64, "embed"), digest((2**63 - 1) << 64, "lm_head")))
    assert found == (2**63 - 1, -1, *range(81, 81 + DIGESTS - 2))


def test_what_strangers_hold_alike_is_not_searched_by() -> None:
    alike = (
        digest(1, constant=True),
        digest(2, elements=SMALLEST - 1),
        digest(3, "norm:input"),
        *(digest(4, role) for role in FORMULA_ROLES),
    )
    assert search_digests(fingerprint(*alike)) == ()
    assert (SMALLEST, FORMULA_ROLES) == (identity.SMALLEST, identity.FORMULA_ROLES)


@given(st.sets(st.integers(0, 2**128 - 1), min_size=60, max_size=60), st.randoms(use_true_random=False))
def test_models_that_share_most_tensors_share_digests_in_whatever_order(numbers: set[int], random) -> None:
    whole = [digest(number) for number in sorted(numbers)]
    some = random.sample(whole, 54)  # 6 tensors are lacking, of 8 that are kept 2 are left at least
    assert set(search_digests(fingerprint(*some))) & set(search_digests(fingerprint(*whole)))


def test_the_source_is_known_by_its_values() -> None:
    one, other = fingerprint(digest(1)), fingerprint(digest(2))
    assert source_digest(one) == source_digest(fingerprint(digest(1, "k")))
    assert source_digest(one) != source_digest(other)
    assert len(source_digest(one)) == 32
