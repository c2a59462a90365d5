"""Layers against layers: the permutation distribution enumerated, its level under the null, and what it finds."""

from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest

from support.adapted import factors, merged, weights, write_adapter
from support.checkpoints import save
from tensorguard.adapters.deltas import Delta, read_deltas
from tensorguard.api.models import open_model
from tensorguard.fingerprint.sketches import Place
from tensorguard.formats.adapter import read_adapter
from tensorguard.lineage.adapted.contained import measure
from tensorguard.lineage.adapted.fit import shapes_fit
from tensorguard.lineage.adapted.layers import correspondence


def test_standardised_as_the_enumerated_distribution_is() -> None:
    rng = np.random.default_rng(1)
    tables = {("decoder", "q"): rng.random((4, 4)), ("decoder", "gate"): 5 * rng.random((3, 3))}
    found = correspondence(tables).test
    standard = []
    for table in tables.values():
        sums = [sum(table[i, order[i]] for i in range(len(table))) for order in permutations(range(len(table)))]
        standard.append((np.array(sums) - np.mean(sums)) / np.std(sums))  # the first is the identity
    everything = np.array([sum(each) for each in product(*standard)]) / np.sqrt(2)
    assert found.statistic == pytest.approx(everything[0])
    assert found.null_mean == pytest.approx(0, abs=0.1)
    assert found.null_sd == pytest.approx(1, abs=0.1)
    assert 10**found.log10_p == pytest.approx(np.mean(everything >= everything[0] - 1e-9), abs=0.05)


def test_p_values_are_those_of_chance_under_the_null() -> None:
    rng = np.random.default_rng(2)
    roles = ("q", "k", "v", "o", "gate")
    p = [10 ** correspondence({("decoder", role): rng.random((5, 5)) for role in roles}).log10_p for _ in range(300)]
    assert all(np.mean(np.array(p) <= level) <= level + 3 * np.sqrt(level / 300) for level in (0.5, 0.1, 0.01))


def test_no_smaller_than_the_number_of_arrangements_allows() -> None:
    table = np.eye(3) + 0.01 * np.random.default_rng(3).random((3, 3))
    assert correspondence({("decoder", "q"): table}).log10_p >= -np.log10(6) - 1e-9
    assert correspondence({("decoder", "q"): table[:2, :2]}).test is None
    assert correspondence({("decoder", "q"): np.ones((4, 4))}).test is None


def test_what_all_layers_have_in_common_says_nothing() -> None:
    rng = np.random.default_rng(4)
    table = rng.random((6, 6))
    shifted = 100 * (np.arange(6)[:, None] + np.arange(6)) + table
    one, other = (correspondence({("decoder", "q"): each}).test for each in (table, shifted))
    assert one.statistic == pytest.approx(other.statistic)


@pytest.fixture
def adapter(tmp_path: Path) -> tuple[Delta, ...]:
    return read_deltas(read_adapter(write_adapter(tmp_path / "adapter", factors(weights(1), start=1, data=1))))


def test_in_the_weights(tmp_path: Path, adapter: tuple[Delta, ...]) -> None:
    made = factors(weights(1), start=1, data=1)
    own, other, once, half = (
        open_model(save(tmp_path / name, arrays)).view().weights
        for name, arrays in (
            ("own", weights(1)),
            ("other", weights(2)),
            ("once", merged(weights(1), made)),
            ("half", merged(weights(1), made, 0.5)),
        )
    )
    assert measure(adapter, once, own).verdict == "merged"
    found = measure(adapter, half, own)
    assert (found.verdict, found.share, found.explained) == ("same-direction", pytest.approx(0.5), pytest.approx(1))
    nothing = measure(adapter, own, own)
    assert (nothing.verdict, nothing.share) == ("base", 0)
    found = measure(adapter, other)
    assert found.verdict == "not-merged"
    assert found.low < 0 < found.high
    assert found.layers.log10_p > -3
    assert measure(adapter, own).layers.log10_p < -6


def test_shares_are_least_squares(tmp_path: Path, adapter: tuple[Delta, ...]) -> None:
    view = open_model(save(tmp_path / "other", weights(2))).view().weights
    by_place = {(w.stack, w.role, w.layer, w.expert): w.rows(0, w.shape[0]).astype(float) for w in view}
    for share, delta in zip(measure(adapter, view).matrices, adapter, strict=True):
        D = (delta.scale * delta.up @ delta.down).reshape(-1, 1)
        assert share.share == pytest.approx(np.linalg.lstsq(D, by_place[delta.place].ravel(), rcond=None)[0][0])


def test_shapes() -> None:
    delta = Delta("m", "q", 1, "decoder", None, np.ones((8, 2)), np.ones((2, 6)), 1.0)
    assert shapes_fit([delta], [Place("q", 1, "decoder", 8, 6)]).fits
    assert shapes_fit([delta], [Place("q", 1, "decoder", 8, 7)]).reason == "its q of layer 1 is 8 x 7, the adapter's 8 x 6"
    assert shapes_fit([delta], [Place("q", 0, "decoder", 8, 6)]).reason == "it has no q of layer 1"
    assert not shapes_fit([delta], [Place("q", 1, "decoder", 16, 6, parts=2)]).fits  # nothing left to tell it by
