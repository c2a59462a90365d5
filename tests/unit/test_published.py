"""The baseline computes the published method: autograd's gradient, statistics over all entries, tails from a sample."""

import numpy as np
import pytest
import torch
from scipy import stats

from benchmarks import synthetic
from benchmarks.published import STATISTICS, STRATEGIES, fingerprint, gradient_statistics, perturbed, select, weight_gradient

KEYS = [f"global_{statistic}" for statistic in STATISTICS]
KEYS += [f"{category}_{statistic}" for category in ("attention", "ffn", "embedding") for statistic in STATISTICS[:3]]
KEYS += ["total_params", "num_layers"]


def matrix(rows: int, columns: int, seed: int = 0) -> torch.Tensor:
    return torch.randn((rows, columns), generator=torch.Generator().manual_seed(seed))


def test_the_gradient_is_the_outer_product_of_the_unit_response_and_the_input():
    weight, x = matrix(7, 5), matrix(1, 5, seed=1)
    response = weight @ x[0]
    gradient = weight_gradient(weight.requires_grad_(True), x)
    np.testing.assert_allclose(gradient, torch.outer(response / response.norm(), x[0]).detach().numpy(), rtol=1e-5, atol=1e-7)


def test_statistics_are_over_all_entries_and_the_tails_of_a_large_gradient_over_half_a_million():
    large = np.random.default_rng(0).standard_normal((1001, 1000), dtype=np.float32) ** 3
    got = dict(zip(STATISTICS, gradient_statistics(large, np.random.RandomState(0)), strict=True))
    assert got["norm"] == pytest.approx(np.sqrt((large.astype(float) ** 2).sum()), rel=1e-4)  # float32 sums
    assert got["std"] == pytest.approx(large.std(), rel=1e-6)
    drawn = large.flatten()[np.random.RandomState(0).choice(large.size, 500_000, replace=False)]
    assert got["kurtosis"] == pytest.approx(stats.kurtosis(drawn))
    assert got["kurtosis"] != pytest.approx(stats.kurtosis(large, axis=None), rel=1e-6)
    small = large[:1000]
    assert gradient_statistics(small, np.random.RandomState(0))[3] == pytest.approx(stats.skew(small, axis=None))


@pytest.mark.parametrize(
    ("strategy", "low", "high", "scale"),
    [("structured", 0, 8, 1.0), ("low_frequency", 0, 4, 0.1), ("high_frequency", 16, 33, 0.1)],
)
def test_frequency_strategies_add_a_part_of_the_spectrum(strategy, low, high, scale):
    start = torch.randn((1, 64), generator=torch.Generator().manual_seed(3))
    added = np.fft.rfft((perturbed(matrix(4, 64), strategy, torch.Generator().manual_seed(3)) - start).numpy()[0])
    expected = np.zeros(33, complex)
    expected[low:high] = scale * np.fft.rfft(start.numpy()[0])[low:high]
    np.testing.assert_allclose(added, expected, atol=1e-5)


def test_the_adversarial_step_raises_the_loss_and_has_the_size_of_epsilon():
    weight = matrix(6, 9)
    start = torch.randn((1, 9), generator=torch.Generator().manual_seed(3))
    x = perturbed(weight, "adversarial", torch.Generator().manual_seed(3))
    assert torch.allclose((x - start).abs(), torch.full((1, 9), 0.03), atol=1e-6)
    assert (weight @ x[0]).norm() > (weight @ start[0]).norm()


def test_a_fingerprint_has_the_sixteen_numbers_and_averages_by_category():
    tensors = [("a", "attention", matrix(4, 6)), ("b", "attention", matrix(5, 6, 1)), ("c", "embedding", matrix(9, 6, 2))]
    result = fingerprint(tensors, total_params=5, repeats=len(STRATEGIES) * 2)
    assert list(result.features) == KEYS
    assert result.features["num_layers"] == 3
    assert result.features["attention_std"] == pytest.approx(
        (result.samples["a"][:, 1].mean() + result.samples["b"][:, 1].mean()) / 2
    )
    assert result.features["global_norm"] == pytest.approx(np.mean([rows[:, 2].mean() for rows in result.samples.values()]))
    assert result.features["ffn_mean"] == 0
    np.testing.assert_allclose(result.samples["c"][:, 2], np.linalg.norm(result.inputs["c"], axis=1), rtol=1e-5)
    assert len(np.unique(result.inputs["a"], axis=0)) == len(STRATEGIES) * 2


def test_given_inputs_are_used():
    inputs = {"a": np.random.default_rng(0).standard_normal((3, 6)).astype(np.float32)}
    result = fingerprint([("a", "ffn", matrix(4, 6))], total_params=24, repeats=3, inputs=inputs)
    assert np.array_equal(result.inputs["a"], inputs["a"])


def test_selection_takes_three_per_category_fills_to_ten_and_stops_after_layer_fifteen(tmp_path):
    folder = synthetic.make(tmp_path / "model", size=0.035)
    shapes, config = synthetic.plan(0.035)
    assert config["num_hidden_layers"] > 16
    tensors, total = select(folder / "model.safetensors")
    categories = [category for _, category, _ in tensors]
    assert len(tensors) == 10
    assert categories.count("embedding") == 1
    assert min(categories.count("attention"), categories.count("ffn")) >= 3
    kept = [shape for name, shape in shapes.items() if "layers." not in name or int(name.split(".")[2]) <= 15]
    assert total == sum(int(np.prod(shape)) for shape in kept)
    assert all(tensor.dtype == torch.float32 and tensor.ndim == 2 for _, _, tensor in tensors)
