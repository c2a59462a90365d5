"""The extended features against the same numbers computed from the materialised gradient, and their invariances."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from support.memory import MemoryTensor
from support.models import tiny, view_of
from tensorguard.engines.inline import Inline
from tensorguard.engines.threads import Threads
from tensorguard.fingerprint.base import LayerFeatures
from tensorguard.fingerprint.extended import average_extended, extended_features
from tensorguard.fingerprint.extract import fingerprint
from tensorguard.fingerprint.file import read_fingerprint, write_fingerprint
from tensorguard.fingerprint.responses import LayerResponse, respond
from tensorguard.fingerprint.specification import Specification
from tensorguard.probes.inputs import ProbeSpec
from tensorguard.progress import Silent
from tensorguard.signals.products import NumpyProducts
from tensorguard.signals.rank import gram_and_sum, rank_features
from tensorguard.signals.row_norms import row_norm_features
from tensorguard.signals.spectrum import band_energies, spectrum_features
from tensorguard.signals.structure import NAMES, gradient_structure
from tensorguard.tensors.weight import Weight


def ask(W: np.ndarray, *, keep: bool = True, workers: int = 0, probes: ProbeSpec | None = None) -> LayerResponse:
    weight = Weight("up", 0, W.shape, MemoryTensor("w", W.astype(np.float32)))
    engine = Threads(workers) if workers else Inline()
    (response,) = respond([weight], probes or ProbeSpec(), engine, NumpyProducts(), Silent(), keep=keep)
    return response


def gradient(W: np.ndarray, x: np.ndarray) -> np.ndarray:
    weight = torch.tensor(W, dtype=torch.float64, requires_grad=True)
    (weight @ torch.tensor(x, dtype=torch.float64)).norm().backward()
    return weight.grad.numpy()


matrices = st.builds(
    lambda rows, width, seed, scale: scale * np.random.default_rng(seed).standard_t(4, (rows, width)).astype(np.float32),
    st.integers(2, 30),
    st.integers(2, 30),
    st.integers(0, 2**32 - 1),
    st.floats(0.01, 100),
)


@settings(max_examples=40, deadline=None)
@given(matrices)
def test_structure_equals_that_of_the_materialised_gradient(W: np.ndarray) -> None:
    X = np.random.default_rng(1).standard_normal((W.shape[1], 2)).astype(np.float32)
    found = gradient_structure((W.astype(np.float64) @ X).astype(np.float32), X)
    for column in range(2):
        G = gradient(W, X[:, column])
        rows = np.linalg.norm(G, axis=1)
        expected = {
            "row_mean_std": G.mean(1).std(),
            "column_mean_std": G.mean(0).std(),
            "row_norm_std": rows.std(),
            "column_norm_std": np.linalg.norm(G, axis=0).std(),
            "max_abs": np.abs(G).max(),
            "active_rows": (rows**2).sum() ** 2 / (len(G) * (rows**4).sum()),
        }
        np.testing.assert_allclose(found[:, column], [expected[name] for name in NAMES], rtol=1e-4, atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(matrices)
def test_bands_of_the_factors_are_the_bands_of_the_gradient(W: np.ndarray) -> None:
    x = np.random.default_rng(2).standard_normal(W.shape[1])
    G = gradient(W, x)
    power = np.abs(np.fft.fft2(G)) ** 2
    for axis, factor in ((1, W @ x), (0, x)):
        along = power.sum(axis)
        distance = np.minimum(np.arange(len(along)), len(along) - np.arange(len(along)))  # a bin and its mirror image
        bins = len(along) // 2 + 1
        found = band_energies(factor[:, None].astype(np.float32))[:, 0]
        for band in range(3):
            inside = (distance >= band * bins // 3) & (distance < (band + 1) * bins // 3)
            assert found[band] == pytest.approx(along[inside].sum() / along.sum(), abs=1e-5)


@pytest.mark.parametrize(("period", "band"), [(300, "low"), (4, "mid"), (2, "high")])
def test_a_wave_falls_in_its_band(period: int, band: str) -> None:
    wave = np.cos(2 * np.pi * np.arange(600) / period).astype(np.float32)[:, None]
    flat = np.ones((600, 1), np.float32)
    assert spectrum_features(wave, flat)[f"band_{band}"] == pytest.approx(1)
    assert spectrum_features(flat, wave)[f"input_band_{band}"] == pytest.approx(1)


@settings(max_examples=40, deadline=None)
@given(matrices)
def test_effective_rank_equals_the_entropy_of_the_singular_values(W: np.ndarray) -> None:
    X = np.random.default_rng(3).standard_normal((W.shape[1], 6)).astype(np.float32)
    O = (W.astype(np.float64) @ X).astype(np.float32)  # noqa: E741
    response = O / np.linalg.norm(X.astype(np.float64), axis=0)
    s = np.linalg.svd(response - response.mean(0), compute_uv=False)
    found = rank_features(O, X)
    assert found["effective_rank"] == pytest.approx(np.exp(stats.entropy(s)), rel=1e-3)
    assert found["stable_rank"] == pytest.approx((s**2).sum() / s[0] ** 2, rel=1e-6)


def test_effective_rank_of_a_low_rank_weight_is_at_most_its_rank() -> None:
    rng = np.random.default_rng(4)
    for rank in (1, 3):
        found = extended_features(ask(rng.standard_normal((200, rank)) @ rng.standard_normal((rank, 90))).answers)
        assert 1 - 1e-4 < found["effective_rank"] < rank + 1e-3
    assert extended_features(ask(rng.standard_normal((900, 900))).answers)["effective_rank"] > 28


def test_rows_that_answer_alike_have_no_rank() -> None:
    W = np.tile(np.random.default_rng(5).standard_normal((1, 20)), (7, 1))
    assert rank_features(ask(W).answers.O, ask(W).answers.X) == {"effective_rank": 0.0, "stable_rank": 0.0}


def test_gram_and_sum_of_row_tiles_add_up() -> None:
    O = np.random.default_rng(6).standard_normal((9000, 4)).astype(np.float32)  # noqa: E741
    whole, parts = gram_and_sum(O), [gram_and_sum(O[:101]), gram_and_sum(O[101:])]
    for index in range(2):
        np.testing.assert_allclose(whole[index], parts[0][index] + parts[1][index], rtol=1e-9, atol=1e-9)


def test_row_norms_are_those_of_the_weight() -> None:
    W = np.random.default_rng(7).standard_normal((9000, 70))
    norms = np.linalg.norm(W.astype(np.float32), axis=1)
    found = row_norm_features(ask(W).answers.row_norms)
    assert [found["weight_row_norm_p05"], found["weight_row_norm_p50"], found["weight_row_norm_p95"]] == pytest.approx(
        list(np.quantile(norms, [0.05, 0.5, 0.95])), rel=1e-5
    )
    assert found["weight_row_norm_variation"] == pytest.approx(stats.variation(norms), rel=1e-5)


def test_permuting_rows_changes_only_what_depends_on_their_order() -> None:
    W = np.random.default_rng(8).standard_normal((300, 40))
    before, after = (extended_features(ask(w).answers) for w in (W, W[np.random.default_rng(9).permutation(300)]))
    changed = {name for name in before if after[name] != pytest.approx(before[name], rel=1e-6)}
    assert changed == {"band_low", "band_mid", "band_high"}


def test_scaling_the_weight_changes_only_its_row_norms() -> None:
    W = np.random.default_rng(10).standard_normal((30, 40))
    before, after = (extended_features(ask(w).answers) for w in (W, 8 * W))
    for name, value in before.items():
        scale = 8 if name.startswith("weight_row_norm_p") else 1
        assert after[name] == pytest.approx(scale * value, rel=1e-6), name


def test_what_is_kept_is_what_was_asked_with_the_final_inputs() -> None:
    W = np.random.default_rng(11).standard_normal((5000, 1100)).astype(np.float32)  # several tiles and tasks
    response = ask(W)
    answers = response.answers
    np.testing.assert_allclose(answers.O, W.astype(np.float64) @ answers.X, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose((answers.O.astype(np.float64) ** 2).sum(0), response.sums[1], rtol=1e-12)
    np.testing.assert_allclose((answers.X.astype(np.float64) ** 2).mean(0), response.x_moments[1], rtol=1e-12)


def test_keeping_responses_changes_no_bit_of_the_sums() -> None:
    W = np.random.default_rng(12).standard_normal((5000, 1100))
    plain, kept = ask(W, keep=False), ask(W, workers=3)
    assert plain.answers is None
    np.testing.assert_array_equal(plain.sums, kept.sums)
    np.testing.assert_array_equal(plain.x_moments, kept.x_moments)
    assert extended_features(kept.answers) == extended_features(ask(W).answers)


def test_averages_are_per_category_and_an_empty_one_is_left_out() -> None:
    def layer(category: str, value: float) -> LayerFeatures:
        return LayerFeatures("n", "r", category, 0, (1, 1), 0, 0, 0, 0, 0, 0, {"band_low": value})

    found = average_extended([layer("ffn", 1), layer("ffn", 3), layer("unknown", 8)], ("attention", "ffn"))
    assert found == {"global_band_low": 4, "ffn_band_low": 2}


def test_the_sixteen_are_the_same_to_the_bit_and_the_file_keeps_the_rest(tmp_path: Path) -> None:
    view = view_of(tiny("llama", num_hidden_layers=5))
    how = {"engine": Inline(), "products": NumpyProducts(), "progress": Silent()}
    plain = fingerprint("m", view, Specification(), **how)
    richer = fingerprint("m", view, Specification(), extended=True, **how)
    assert richer.features == plain.features
    assert (plain.extended, richer.specification) == ({}, plain.specification)
    assert {name.split("_")[0] for name in richer.extended} == {"global", "attention", "ffn", "embedding"}
    ffn = [layer.extended["effective_rank"] for layer in richer.layers if layer.category == "ffn"]
    assert richer.extended["ffn_effective_rank"] == pytest.approx(np.mean(ffn))
    write_fingerprint(tmp_path / "m.tgfp", richer)
    assert read_fingerprint(tmp_path / "m.tgfp") == richer
