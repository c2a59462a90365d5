"""The unit table: the strongest neurons by definition, and nothing that copies or order can do to it."""

import numpy as np
from numpy.typing import NDArray

from tensorguard.probes.rademacher import FIXED
from tensorguard.signals.unit_table import UNITS, UnitTable


def vectors(count: int, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    drawn = np.random.default_rng(seed).standard_normal((3, count, FIXED)).astype(np.float32)
    return drawn[0], drawn[1], drawn[2]


def table(*blocks: tuple[NDArray[np.float32], ...]) -> tuple[NDArray[np.int32], NDArray[np.int8]]:
    found = UnitTable()
    for readers, *others in blocks:
        found.add(readers, others)
    return found.strongest()


def test_the_strongest_by_the_product_of_norms() -> None:
    gate, up, down = vectors(500)
    index, readers = table((gate, up, down))
    norms = [np.linalg.norm(each, axis=1) for each in (gate, up, down)]
    expected = np.argsort(-norms[0] * norms[1] * norms[2])[:UNITS]
    assert index.dtype == np.int32
    assert index.tolist() == expected.tolist()
    unit = gate[expected] / norms[0][expected, None]
    found = readers / np.linalg.norm(readers.astype(np.float64), axis=1, keepdims=True)
    assert np.abs(readers.astype(int)).max(1).tolist() == [127] * UNITS
    assert np.abs(found - unit).max() < 0.01


def test_moving_scale_or_sign_between_vectors_changes_no_index() -> None:
    gate, up, down = vectors(300)
    scale = np.exp(np.random.default_rng(1).standard_normal((300, 1))).astype(np.float32)
    assert np.array_equal(table((gate, up, down))[0], table((gate, -up * scale, down / scale))[0])


def test_a_permutation_of_neurons_moves_their_indices_alone() -> None:
    parts = vectors(300)
    order = np.random.default_rng(2).permutation(300)
    index, readers = table(parts)
    moved, same = table(tuple(part[order] for part in parts))
    assert order[moved].tolist() == index.tolist()
    assert np.array_equal(readers, same)


def test_any_number_of_copies_takes_one_place() -> None:
    gate, up, down = vectors(200)
    copies = np.ones((3000, 1), np.float32)
    padding = (copies * gate[:1], copies * up[:1] * 100, copies * down[:1])
    index, _ = table(tuple(np.concatenate(pair) for pair in zip((gate, up, down), padding, strict=True)))
    assert (index >= 200).sum() == 1
    assert index[0] == 200
    assert len(set(index.tolist())) == UNITS


def test_a_reader_turned_round_is_no_copy() -> None:
    gate, up, down = vectors(1)
    index, _ = table((np.concatenate([gate, -gate]), np.concatenate([up, up]), np.concatenate([down, down])))
    assert index[:3].tolist() == [0, 1, -1]


def test_experts_are_counted_on() -> None:
    parts = vectors(600)
    cut = [tuple(part[low : low + 200] for part in parts) for low in (0, 200, 400)]
    whole, split = table(parts), table(*cut)
    assert np.array_equal(whole[0], split[0])
    assert np.array_equal(whole[1], split[1])
    found = UnitTable()
    for readers, *others in cut:
        found.add(readers, others)
    assert (found.seen, found.count) == (600, 200)


def test_only_different_readers_count() -> None:
    gate, up, down = vectors(1000)
    found = UnitTable()
    found.add(np.concatenate([gate, 3 * gate[:500], -gate[:1]]), [np.concatenate([each, each[:501]]) for each in (up, down)])
    assert found.seen == 1501
    assert found.count == 1001
    silent = UnitTable()
    down[10:] = 0
    silent.add(gate, [up, down])
    assert silent.count == 10


def test_copied_experts_count_once() -> None:
    """Numbers of an up-cycled block are those of one expert: two such blocks agree as often as their dense parents."""
    parts = vectors(300)
    found = UnitTable()
    for _ in range(4):
        found.add(parts[0], list(parts[1:]))
    assert found.count == 300
    assert found.strongest()[0].max() < 300


def test_nothing_and_zeros_fill_nothing() -> None:
    index, readers = table()
    assert set(index.tolist()) == {-1}
    assert not readers.any()
    gate, up, down = vectors(10)
    down[3:] = 0
    index, readers = table((gate, up, down))
    assert sorted(index[index >= 0].tolist()) == [0, 1, 2]
    assert not readers[3:].any()


def test_tiny_and_huge_weights_rank_alike() -> None:
    gate, up, down = vectors(200)
    expected = table((gate, up, down))
    for scale in (1e-30, 1e30):
        found = table(tuple(part * np.float32(scale) for part in (gate, up, down)))
        assert np.array_equal(found[0], expected[0])
        assert np.abs(found[1].astype(int) - expected[1]).max() <= 1
