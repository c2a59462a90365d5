"""The 16 numbers of whole models against autograd and scipy on the materialised gradient; what cannot be averaged."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

from support.checkpoints import llama, numbers, save
from support.models import arrays, tiny
from tensorguard.api.fingerprints import Settings, fingerprint_model
from tensorguard.api.models import open_model
from tensorguard.errors import InputError
from tensorguard.fingerprint.base import FEATURES, Fingerprint
from tensorguard.fingerprint.specification import Specification
from tensorguard.probes.adversarial import EPSILON
from tensorguard.probes.inputs import ProbeSpec, inputs
from tensorguard.tensors.selection import select

STATISTICS = ("mean", "std", "norm", "skewness", "kurtosis")
CATEGORY = {
    "attention": ("q", "k", "v", "o"),
    "ffn": ("gate", "up", "down", "fc_in", "fc_out"),
    "embedding": ("embed", "position", "token_type"),
}
DOWN = "model.layers.1.mlp.down_proj.weight"


def by_autograd(matrices: list[tuple[str, np.ndarray]], probes: ProbeSpec, parameters: int) -> dict[str, float]:
    """The paper's computation as it stands: G = dL/dW by autograd for every repeat, its statistics by scipy."""
    found: list[tuple[str, dict[str, float]]] = []
    for role, array in matrices:
        W = torch.tensor(array, dtype=torch.float64, requires_grad=True)
        X = torch.tensor(inputs(probes, array.shape[1]).copy(), dtype=torch.float64)
        per_repeat = []
        for column, (strategy, _) in enumerate(probes.schedule()):
            x = X[:, column].clone().requires_grad_()
            if strategy.name == "adversarial":
                (slope,) = torch.autograd.grad((W @ x).norm(), x)
                x = (x + EPSILON * slope.sign()).detach()
            (G,) = torch.autograd.grad((W @ x.detach()).norm(), W)
            g = G.numpy().ravel()
            per_repeat.append((g.mean(), g.std(), np.linalg.norm(g), stats.skew(g), stats.kurtosis(g)))
        found.append((role, dict(zip(STATISTICS, np.mean(per_repeat, axis=0), strict=True))))
    groups = {"global": [s for _, s in found]} | {c: [s for r, s in found if r in roles] for c, roles in CATEGORY.items()}
    averages = {
        f"{group}_{statistic}": float(np.mean([s[statistic] for s in members])) if members else 0.0
        for group, members in groups.items()
        for statistic in STATISTICS
    }
    return {key: averages[key] for key in FEATURES if key in averages} | {"total_params": parameters, "num_layers": len(found)}


@pytest.mark.parametrize(
    ("model_type", "kind", "settings"),
    [
        ("llama", "CausalLM", {"num_hidden_layers": 3}),
        ("gpt2", "CausalLM", {"n_embd": 24, "n_head": 4, "n_layer": 2}),
        ("phi3", "CausalLM", {}),
        ("bert", "MaskedLM", {}),
    ],
)
def test_all_16_numbers_equal_autograd_with_the_same_inputs(
    tmp_path: Path, model_type: str, kind: str, settings: Mapping[str, object]
) -> None:
    model = tiny(model_type, kind, **settings)
    unique = {name: array for name, array in arrays(model).items() if array.dtype == np.float32}
    tied = {name for name in ("lm_head.weight", "cls.predictions.decoder.weight") if name in unique and is_tied(model)}
    copies = {name for name in ("cls.predictions.decoder.bias",) if name in unique}
    folder = save(tmp_path / "m", {name: array for name, array in unique.items() if name not in tied}, model_type)
    found = fingerprint_model(folder)
    chosen = select(open_model(folder).view().weights, 3)
    parameters = sum(array.size for name, array in unique.items() if name not in tied | copies)
    expected = by_autograd([(w.role, w.rows(0, w.shape[0])) for w in chosen], ProbeSpec(), parameters)
    assert list(found.features) == list(FEATURES)
    for key in FEATURES:
        slack = 1e-6 * expected[key.replace("_mean", "_std")] if key.endswith("_mean") else 1e-6
        assert found.features[key] == pytest.approx(expected[key], rel=1e-5, abs=slack), key


def is_tied(model: torch.nn.Module) -> bool:
    return model.get_input_embeddings().weight is model.get_output_embeddings().weight


def broken(value: float, count: int = 1) -> dict[str, np.ndarray]:
    tensors = llama(blocks=2)
    tensors[DOWN].flat[:count] = value
    return tensors


ALL = Specification(per_category=None)


@pytest.mark.parametrize(("value", "said"), [(np.nan, "3 NaN and 0"), (np.inf, "0 NaN and 3"), (-np.inf, "0 NaN and 3")])
def test_values_that_are_not_finite_are_refused_by_name(tmp_path: Path, value: float, said: str) -> None:
    folder = save(tmp_path / "m", broken(value, 3))
    with pytest.raises(InputError, match=said) as caught:
        fingerprint_model(folder, settings=Settings(ALL))
    assert DOWN in caught.value.message
    assert Path(caught.value.where).exists()
    assert "--skip-nonfinite" in caught.value.hint


def test_values_that_are_not_finite_are_left_out_and_listed_on_request(tmp_path: Path) -> None:
    found = fingerprint_model(save(tmp_path / "m", broken(np.nan)), settings=Settings(ALL, skip_nonfinite=True))
    assert found.skipped == ((DOWN, "1 NaN and 0 infinite values"),)
    whole = fingerprint_model(save(tmp_path / "whole", llama(blocks=2)), settings=Settings(ALL))
    assert found.layers == tuple(layer for layer in whole.layers if layer.name != DOWN)
    assert found.features["num_layers"] == whole.features["num_layers"] - 1
    assert finite(found)


def test_a_zero_matrix_and_an_overflow_are_listed_not_averaged(tmp_path: Path) -> None:
    tensors = broken(0.0, llama(blocks=2)[DOWN].size)
    up = "model.layers.0.mlp.up_proj.weight"
    tensors[up] = tensors[up] * np.float32(1e38)
    found = fingerprint_model(save(tmp_path / "m", tensors), settings=Settings(ALL))
    assert dict(found.skipped) == {DOWN: "its response is zero, so it has no gradient", up: "its response overflows float32"}
    assert finite(found)


def finite(found: Fingerprint) -> bool:
    return bool(np.isfinite(list(found.features.values())).all())


def test_nothing_but_zeros_is_refused(tmp_path: Path) -> None:
    tensors = {name: np.zeros_like(array) for name, array in llama(blocks=1).items()}
    with pytest.raises(InputError, match="zero, constant or not finite") as caught:
        fingerprint_model(save(tmp_path / "m", tensors))
    assert Path(caught.value.where).exists()


def test_a_missing_category_is_zero_and_said(tmp_path: Path) -> None:
    tensors = {name: array for name, array in llama(blocks=2).items() if ".mlp." not in name}
    found = fingerprint_model(save(tmp_path / "m", tensors))
    assert [found.features[f"ffn_{statistic}"] for statistic in ("mean", "std", "norm")] == [0, 0, 0]
    assert any("no ffn weights" in notice for notice in found.notices)
    assert found.features["attention_norm"] > 0


def test_a_model_without_matrices_is_refused(tmp_path: Path) -> None:
    tensors = {"model.norm.weight": numbers("n", 32), "scale": np.array(3, np.float32), "none": np.zeros((0, 4), np.float32)}
    with pytest.raises(InputError, match="no 2-D weights") as caught:
        fingerprint_model(save(tmp_path / "m", tensors))
    assert Path(caught.value.where).exists()


def test_empty_and_scalar_tensors_beside_the_weights_change_nothing(tmp_path: Path) -> None:
    extra = {"model.empty": np.zeros((0, 32), np.float32), "model.none": np.zeros(0, np.float32)}
    before = fingerprint_model(save(tmp_path / "a", llama()))
    after = fingerprint_model(save(tmp_path / "b", llama() | extra))
    assert before.layers == after.layers
    assert before.features == after.features
    scalar = fingerprint_model(save(tmp_path / "c", llama() | {"model.scale": np.array(2, np.float32)}))
    assert scalar.layers == before.layers
    assert scalar.features["total_params"] == before.features["total_params"] + 1


def test_a_weight_of_one_number_is_left_out_and_said(tmp_path: Path) -> None:
    name = "model.layers.0.self_attn.q_proj.weight"
    tensors = llama(blocks=1) | {name: np.array([[3.0]], np.float32)}
    found = fingerprint_model(save(tmp_path / "m", tensors))
    assert name not in [layer.name for layer in found.layers]
    assert found.skipped == ((name, "its gradient is constant, so it has no skewness"),)
