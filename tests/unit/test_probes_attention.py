import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorguard.probes import sinusoid
from tensorguard.probes.bits import normals
from tensorguard.probes.catalogue import ATTENTION, PAPER, SENSITIVITY, STRATEGIES, strategy
from tensorguard.probes.inputs import ProbeSpec, inputs

SHAPED = (*ATTENTION, "sinusoid")


def probe(name: str, width: int, repeat: int = 0, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x, noise = normals(seed, "paper/base", repeat, width), normals(seed, "paper/noise", repeat, width)
    return x, noise, strategy(name).perturb(x.copy(), noise.copy(), None)


def test_the_fingerprint_keeps_its_five_strategies() -> None:
    assert PAPER == ("adversarial", "structured", "gaussian", "low_frequency", "high_frequency")
    assert ProbeSpec().strategies == PAPER
    assert set(SENSITIVITY) | set(ATTENTION) == set(STRATEGIES)


def test_token_focus_raises_exactly_a_quarter() -> None:
    x, _, focused = probe("token_focus", 400)
    ratio = focused / x
    assert (np.isclose(ratio, 4).sum(), np.isclose(ratio, 1).sum()) == (100, 300)


def test_every_dimension_comes_into_focus_about_as_often() -> None:
    hits = np.zeros(40)
    for repeat in range(400):
        x, _, focused = probe("token_focus", 40, repeat)
        hits += focused != x
    assert hits.sum() == 400 * 10
    assert 65 < hits.min() <= hits.max() < 140


def test_the_attention_pattern_is_a_line_in_the_spectrum() -> None:
    _, noise, pattern = probe("attention_pattern", 1024)
    assert int(np.argmax(np.abs(np.fft.rfft(pattern)))) == 8
    clean = pattern - 0.2 * noise
    assert clean.max() == pytest.approx(2, abs=1e-3)
    power = np.abs(np.fft.rfft(clean)) ** 2
    assert power[8] / power.sum() == pytest.approx(1)


def test_one_to_three_heads_stand_out() -> None:
    counts, chosen = np.zeros(4, int), np.zeros(8, int)
    for repeat in range(300):
        x, _, out = probe("head_specific", 64, repeat)
        scale = (out / x).reshape(8, 8)
        np.testing.assert_allclose(scale, np.broadcast_to(scale[:, :1], (8, 8)))
        boosted = np.isclose(scale[:, 0], 2.0)
        assert np.all(np.isclose(scale[~boosted, 0], 0.1))
        counts[boosted.sum()] += 1
        chosen += boosted
    assert counts[0] == 0
    assert 70 < counts[1:].min() <= counts[1:].max() < 130
    assert 45 < chosen.min() <= chosen.max() < 105


def test_the_sinusoid_adds_one_whole_wave_of_the_stated_strength() -> None:
    periods, phases = set(), []
    for repeat in range(60):
        x, _, out = probe("sinusoid", 512, repeat)
        wave = out - x
        assert np.sqrt((wave**2).mean()) == pytest.approx(sinusoid.AMPLITUDE)
        power = np.abs(np.fft.rfft(wave)) ** 2
        strongest = int(np.argmax(power))
        assert power[strongest] / power.sum() == pytest.approx(1)
        periods.add(strongest)
        phases.append(np.angle(np.fft.rfft(wave)[strongest]))
    assert periods == set(range(1, sinusoid.MOST_PERIODS + 1))
    assert np.abs(np.exp(1j * np.array(phases)).mean()) < 0.4


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(SHAPED), st.integers(1, 70), st.integers(0, 50), st.integers(0, 2**64 - 1))
def test_any_width_gives_finite_numbers_and_the_same_again(name: str, width: int, repeat: int, seed: int) -> None:
    x, noise, out = probe(name, width, repeat, seed)
    assert out.shape == (width,)
    assert np.all(np.isfinite(out))
    np.testing.assert_array_equal(out, probe(name, width, repeat, seed)[2])
    np.testing.assert_array_equal(x, normals(seed, "paper/base", repeat, width))
    np.testing.assert_array_equal(noise, normals(seed, "paper/noise", repeat, width))


def test_base_inputs_are_shared_between_strategies() -> None:
    spec = ProbeSpec(repeats=3, strategies=("gaussian", *SHAPED), each=True)
    X = inputs(spec, 96)
    for column, (chosen, repeat) in enumerate(spec.schedule()):
        np.testing.assert_array_equal(X[:, column], probe(chosen.name, 96, repeat)[2].astype(np.float32))


def test_the_numbers_of_the_probes_do_not_drift() -> None:
    found = [round(float(probe(name, 48)[2] @ np.arange(48)), 4) for name in SHAPED]
    assert found == pytest.approx([410.6886, -126.2191, 131.074, 195.5845])
