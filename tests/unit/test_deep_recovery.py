"""Disguises undone: what was done to a model is known, so what is found can be checked."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ortho_group

from support.deep import BLOCKS, HEADS, HIDDEN, WIDTH, compare, in_basis, llama, permute_neurons, swap_groups
from tensorguard.lineage.deep.heads import match_heads
from tensorguard.lineage.deep.neurons import match_neurons


def tuned(seed: int = 0, blocks: int = BLOCKS, size: float = 0.2) -> dict[str, np.ndarray]:
    """The model after further training that moves every matrix by a fifth, or by another part of it."""
    rng = np.random.default_rng(99)
    return {
        name: array + (size * rng.standard_normal(array.shape)).astype(np.float32) if array.ndim == 2 else array
        for name, array in llama(seed, blocks).items()
    }


def signed_permutation(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.eye(WIDTH)[rng.permutation(WIDTH)] * rng.choice([-1, 1], WIDTH)


@pytest.mark.parametrize("further", [False, True], ids=["copy", "tuned"])
def test_a_hidden_permutation_with_signs(further: bool) -> None:
    U = signed_permutation(3)
    recovery = compare(in_basis(tuned() if further else llama(0), U), llama(0)).recovery
    assert recovery is not None
    assert recovery.disguises == ("hidden permutation with sign changes",)
    assert recovery.basis.moved == int((np.abs(U).argmax(0) != np.arange(WIDTH)).sum())
    assert recovery.basis.flipped == int((U.sum(0) < 0).sum())
    assert recovery.basis.ln_p < -500
    assert all(cosine > (0.95 if further else 0.99999) for _, cosine in recovery.roles)
    assert {role for role, _ in recovery.roles} == {"q", "k", "v", "o", "gate", "up", "down"}


def test_a_rotation_of_everything_with_neurons_and_heads_permuted() -> None:
    order = np.random.default_rng(1).permutation(HIDDEN)
    U = ortho_group.rvs(WIDTH, random_state=2)
    deep = compare(in_basis(swap_groups(permute_neurons(tuned(), order)), U), llama(0))
    recovery = deep.recovery
    assert recovery is not None
    assert recovery.disguises == ("rotation", "neuron permutation", "head permutation")
    assert recovery.basis.ln_p == 0.0
    assert min(cosine for _, cosine in recovery.roles) > 0.95
    assert all(block.neurons == block.heads == 1.0 for block in recovery.blocks)
    assert "allowing for rotation, neuron permutation and head permutation, cosines" in deep.sentence


def test_a_change_of_basis_inside_heads_is_seen_by_their_operators() -> None:
    first = llama(0)
    rng = np.random.default_rng(5)
    head = WIDTH // HEADS
    for i in range(2):
        v, o = (f"model.layers.{i}.self_attn.{name}_proj.weight" for name in "vo")
        for group in range(2):
            change = rng.standard_normal((head, head)) + 2 * np.eye(head)
            rows = slice(group * head, (group + 1) * head)
            first[v][rows] = (change @ first[v][rows]).astype(np.float32)
            for query in (2 * group, 2 * group + 1):
                columns = slice(query * head, (query + 1) * head)
                first[o][:, columns] = (first[o][:, columns] @ np.linalg.inv(change)).astype(np.float32)
    recovery = compare(first, llama(0)).recovery
    assert recovery is not None
    assert recovery.disguises == ("basis change inside heads",)
    assert all(dict(block.operators)["VO"] > 0.999 for block in recovery.blocks)


def test_neurons_taken_away() -> None:
    kept = np.flatnonzero(np.random.default_rng(8).random(HIDDEN) < 0.7)
    deep = compare(permute_neurons(llama(0), kept), llama(0))
    assert deep.kind == "partial"
    assert deep.recovery is not None
    assert deep.recovery.disguises == ("fewer neurons",)
    assert [block.neuron_counts for block in deep.recovery.blocks] == [(len(kept), HIDDEN)] * 2


@pytest.mark.parametrize("seed", range(4))
def test_independent_models_hide_nothing(seed: int) -> None:
    deep = compare(llama(10 + seed), llama(20 + seed))
    assert deep.recovery is not None
    assert (deep.kind, deep.recovery.disguises, deep.recovery.basis.change) == ("unrelated", (), "unknown")
    assert max(block.neurons for block in deep.recovery.blocks) < 0.1
    assert max(value for block in deep.recovery.blocks for _, value in block.operators) < 0.3


def test_common_directions_of_embeddings_are_no_rotation() -> None:
    first, second = llama(1), llama(2)
    shared = np.random.default_rng(7).standard_normal((600, 6)) * 5
    for seed, model in enumerate((first, second)):
        name = "model.embed_tokens.weight"
        directions = np.random.default_rng(seed).standard_normal((6, WIDTH))
        model[name] = (model[name] + shared @ directions + 20 * directions[0]).astype(np.float32)
    recovery = compare(first, second).recovery
    assert recovery is not None
    assert recovery.basis.change == "unknown"


@given(st.integers(0, 2**32 - 1), st.integers(2, 60), st.integers(0, 60))
@settings(max_examples=40, deadline=None)
def test_any_permutation_of_neurons_scales_and_signs_is_found(seed: int, count: int, more: int) -> None:
    rng = np.random.default_rng(seed)
    second = rng.standard_normal((count + more, 64)).astype(np.float32)
    order = rng.permutation(count + more)[:count]
    factors = rng.uniform(0.1, 9, (count, 1)) * rng.choice([-1, 1], (count, 1))
    found = match_neurons((second[order] * factors).astype(np.float32), second)
    assert found.tolist() == order.tolist()


@given(st.integers(0, 2**32 - 1), st.permutations(range(4)))
@settings(max_examples=25, deadline=None)
def test_any_permutation_of_heads_is_found(seed: int, groups: list[int]) -> None:
    """Eight query heads of 4 rows in four groups; partners in both directions."""
    rng = np.random.default_rng(seed)
    q, k, v, o = (rng.standard_normal((rows, 64)).astype(np.float32) for rows in (32, 16, 16, 32))
    queries = [2 * g + j for g in groups for j in (1, 0)]

    def moved(rows: np.ndarray, heads: list[int]) -> np.ndarray:
        return rows.reshape(len(heads), 4, 64)[heads].reshape(rows.shape)

    first = moved(q, queries), moved(k, groups), moved(v, groups), moved(o, queries)
    match = match_heads(first, (q, k, v, o), 4)
    assert match.queries.tolist() == queries
    assert match.keys.tolist() == list(groups)
    assert min(match.query_key, match.value_output) > 0.9999


@pytest.mark.parametrize("kind", ["permutation", "rotation"])
def test_the_basis_is_found_without_embeddings(kind: str) -> None:
    U = np.abs(signed_permutation(5)) if kind == "permutation" else ortho_group.rvs(WIDTH, random_state=6)
    blocks = 4
    second = llama(0, blocks)
    first = in_basis(permute_neurons(tuned(0, blocks, 0.02), np.random.default_rng(1).permutation(HIDDEN)), U)
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        first[name] = np.random.default_rng(12).standard_normal(first[name].shape).astype(np.float32)
    recovery = compare(first, second).recovery
    assert recovery is not None
    assert (recovery.basis.change, recovery.basis.tokens) == (kind, 0)
    assert min(cosine for _, cosine in recovery.roles) > 0.9


def test_four_independent_blocks_give_no_basis() -> None:
    recovery = compare(llama(31, 4), llama(32, 4)).recovery
    assert recovery is not None
    assert (recovery.basis.change, recovery.disguises) == ("unknown", ())
