from itertools import combinations, pairwise, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tensorguard.lineage.alignment import assignment_sums, best_assignment, best_path, pair_sum, path_scores
from tensorguard.lineage.layer_map import changes, layer_map

matrices = st.tuples(st.integers(1, 5), st.integers(1, 5)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.floats(-1, 1, width=32))
)


def all_paths(rows: int, columns: int) -> list[list[tuple[int, int]]]:
    if rows > columns:
        return [[(a, b) for b, a in path] for path in all_paths(columns, rows)]
    return [list(enumerate(chosen)) for chosen in combinations(range(columns), rows)]


@given(matrices)
def test_the_best_path_is_the_best_of_all(similarity: np.ndarray) -> None:
    best = max(pair_sum(similarity, tuple(path)) for path in all_paths(*similarity.shape))
    assert path_scores(similarity) == pytest.approx(best)
    path = best_path(similarity)
    assert len(path) == min(similarity.shape)
    assert all(a < c and b < d for (a, b), (c, d) in pairwise(path))
    assert pair_sum(similarity, path) == pytest.approx(best)


@given(matrices)
def test_a_path_read_from_the_other_side_is_the_same(similarity: np.ndarray) -> None:
    assert path_scores(similarity.T) == pytest.approx(path_scores(similarity))


@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_the_best_assignment_is_the_best_of_all(rows: int, columns: int, seed: int) -> None:
    similarity = np.random.default_rng(seed).standard_normal((rows, columns))
    wide = similarity if rows <= columns else similarity.T
    best = max(sum(wide[i, j] for i, j in enumerate(order)) for order in permutations(range(wide.shape[1]), wide.shape[0]))
    assert pair_sum(similarity, best_assignment(similarity)) == pytest.approx(best)


def test_many_matrices_at_once() -> None:
    many = np.random.default_rng(0).standard_normal((3, 2, 5, 4))
    scores = path_scores(many)
    assert scores.shape == (3, 2)
    for place in np.ndindex(3, 2):
        assert scores[place] == pytest.approx(path_scores(many[place]))


@pytest.mark.parametrize(
    ("origins", "blocks", "expected"),
    [
        ((0, 1, 2), 3, ("same",)),
        ((0, 2), 3, ("dropped",)),
        ((0, 1, 1, 2), 3, ("duplicated",)),
        ((0, 1, 2, 1, 2, 3), 4, ("up-scaled",)),
        ((0, 2, 1, 3), 4, ("reordered",)),
        ((3, 1), 4, ("dropped", "reordered")),
        ((0, None, 2), 3, ("partial", "dropped")),
        ((0, None, 1), 2, ("partial",)),
        ((None, None), 2, ()),
    ],
)
def test_changes_have_names(origins: tuple[int | None, ...], blocks: int, expected: tuple[str, ...]) -> None:
    assert changes(origins, blocks) == expected


def mapped(similarity: np.ndarray, noticeable: float = 0.1) -> tuple[int | None, ...]:
    return layer_map(similarity, best_path(similarity), noticeable, 0.02).origins


def neighbours(depth: int, alike: float) -> np.ndarray:
    """Blocks of one model, the more alike the closer."""
    place = np.arange(depth)
    return np.where(np.eye(depth, dtype=bool), 1.0, alike ** np.abs(place[:, None] - place[None, :]))


@pytest.mark.parametrize("drift", [1.0, 0.9, 0.5, 0.3])
def test_a_ridge_is_found_however_far_it_has_drifted(drift: float) -> None:
    assert mapped(drift * neighbours(8, 0.4)) == tuple(range(8))


def test_repeated_blocks_are_found_on_both_sides() -> None:
    wanted = (0, 1, 2, 3, 2, 3, 4, 5)
    similarity = neighbours(6, 0.4)[list(wanted)]
    assert mapped(similarity) == wanted
    assert [b for b in mapped(similarity.T) if b not in (2, 3, 4, 5)] == [0, 1, 6, 7]


@pytest.mark.parametrize("shape", [(3, 6), (6, 6), (12, 12)])
def test_a_flat_matrix_has_no_block_in_common(shape: tuple[int, int]) -> None:
    """A shared residual basis alone: all blocks are alike to a degree, and neighbours in depth more so."""
    rng = np.random.default_rng(1)
    depth = np.subtract.outer(np.linspace(0, 1, shape[0]), np.linspace(0, 1, shape[1]))
    flat = 0.35 - 0.25 * np.abs(depth) + 0.03 * rng.standard_normal(shape)
    found = layer_map(flat, best_path(flat), 0.05, 0.02)
    assert found.origins == (None,) * shape[0]
    assert found.changes == ()
    assert found.contrast < 0.15


def test_what_might_be_chance_is_no_origin() -> None:
    similarity = 0.09 * np.eye(4)
    assert mapped(similarity) == (None,) * 4
    assert mapped(similarity, noticeable=0.05) == (0, 1, 2, 3)


def test_a_single_block() -> None:
    assert mapped(np.array([[0.9]])) == (0,)
    assert mapped(np.array([[0.05]])) == (None,)


@given(st.integers(0, 4), st.integers(1, 6), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_many_matrices_are_summed_like_each(count: int, rows: int, columns: int, seed: int) -> None:
    many = np.random.default_rng(seed).standard_normal((count, 2, rows, columns)).astype(np.float32)
    assert path_scores(many).shape == (count, 2)
    np.testing.assert_allclose(
        path_scores(many), [[path_scores(each) for each in two] for two in many] or np.empty((0, 2)), rtol=1e-5
    )
    expected = [pair_sum(each, best_assignment(each)) for each in many[:, 0]]
    np.testing.assert_allclose(assignment_sums(many[:, 0]), expected, atol=1e-5)
