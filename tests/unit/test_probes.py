import numpy as np
import pytest
import torch

from tensorguard.errors import UsageError
from tensorguard.probes.adversarial import EPSILON
from tensorguard.probes.catalogue import PAPER, strategy
from tensorguard.probes.frequency import band
from tensorguard.probes.inputs import ProbeSpec, follow_gradient, inputs, moments


def test_thirty_repeats_are_thirty_different_inputs() -> None:
    X = inputs(ProbeSpec(), 64)
    assert X.shape == (64, 30)
    assert np.linalg.matrix_rank(X.astype(np.float64)) == 30


def test_the_paper_schedule_uses_all_five_strategies() -> None:
    assert {chosen.name for chosen, _ in ProbeSpec().schedule()} == set(PAPER)


def test_every_strategy_on_every_base_input_in_one_table() -> None:
    spec = ProbeSpec(repeats=4, strategies=("gaussian", "structured"), each=True)
    names = [(chosen.name, repeat) for chosen, repeat in spec.schedule()]
    assert names == [("gaussian", r) for r in range(4)] + [("structured", r) for r in range(4)]


def test_the_low_band_is_what_the_published_mask_keeps() -> None:
    x = np.random.default_rng(0).standard_normal(100)
    spectrum = torch.fft.rfft(torch.from_numpy(x))
    mask = torch.zeros_like(spectrum)
    mask[: len(spectrum) // 4] = 1
    np.testing.assert_allclose(band(x, 0, 0.25), torch.fft.irfft(spectrum * mask, n=100).numpy(), atol=1e-12)


def test_bands_add_up_to_the_signal() -> None:
    x = np.random.default_rng(1).standard_normal(77)
    np.testing.assert_allclose(band(x, 0, 0.5) + band(x, 0.5, 1), x, atol=1e-12)


def test_adversarial_step_raises_the_loss_by_the_signed_gradient_of_autograd() -> None:
    spec, W = ProbeSpec(repeats=3, strategies=("adversarial",)), np.random.default_rng(2).standard_normal((20, 12))
    X = inputs(spec, 12).astype(np.float64)
    step = follow_gradient(spec, 12, W.T @ (W @ X)) - X
    for column in range(3):
        x = torch.tensor(X[:, column], requires_grad=True)
        (torch.from_numpy(W) @ x).norm().backward()
        np.testing.assert_allclose(step[:, column], EPSILON * np.sign(x.grad.numpy()), atol=1e-6)


def test_moments_are_raw_moments() -> None:
    X = inputs(ProbeSpec(), 50)
    np.testing.assert_allclose(moments(X)[2], (X.astype(np.float64) ** 3).mean(0))


def test_an_unknown_strategy_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match="brownian"):
        strategy("brownian")
