import json

import msgspec
import numpy as np
import pytest
import torch
from scipy import stats

from support.memory import MemoryTensor
from tensorguard.engines.inline import Inline
from tensorguard.engines.threads import Threads
from tensorguard.errors import InputError, UsageError
from tensorguard.family.sensitivity import analyse, z_scores
from tensorguard.family.sensitivity_comparison import compare_sensitivity
from tensorguard.fingerprint import responses
from tensorguard.fingerprint.responses import respond
from tensorguard.fingerprint.sensitivity import (
    MIXTURE,
    SCORES,
    Sensitivity,
    SensitivitySettings,
    sensitivity,
    strategy_columns,
)
from tensorguard.probes.bits import normals
from tensorguard.probes.catalogue import ATTENTION, PAPER, SENSITIVITY, strategy
from tensorguard.probes.inputs import ProbeSpec, inputs
from tensorguard.progress import Silent
from tensorguard.signals.products import NumpyProducts
from tensorguard.tensors.weight import Weight

SHAPES = {"q": (24, 16), "o": (16, 24), "gate": (40, 16), "down": (16, 40)}
SMALL = SensitivitySettings(repeats=4)


def model(blocks: int = 3, seed: int = 0, roles: tuple[str, ...] = tuple(SHAPES)) -> list[Weight]:
    rng = np.random.default_rng(seed)
    weights = [Weight("embed", None, (50, 16), MemoryTensor("embed", rng.standard_normal((50, 16))))]
    for layer in range(blocks):
        for role in roles:
            shape = SHAPES.get(role, (20, 16))
            array = rng.standard_normal(shape).astype(np.float32) * rng.uniform(0.5, 2)
            weights.append(Weight(role, layer, shape, MemoryTensor(f"block.{layer}.{role}", array)))
    return weights


def measure(
    weights: list[Weight], asked: SensitivitySettings = SMALL, name: str = "m", workers: int = 0, **more: bool
) -> Sensitivity:
    engine = Threads(workers) if workers else Inline()
    return sensitivity(name, weights, asked, engine=engine, products=NumpyProducts(), progress=Silent(), **more)


@pytest.fixture(scope="module")
def measured() -> Sensitivity:
    return measure(model())


@pytest.mark.parametrize("name", [*SENSITIVITY, *ATTENTION])
def test_scores_equal_autograd(name: str) -> None:
    weight = model(1)[3]
    (layer,) = measure([weight], SensitivitySettings(repeats=3, attention=True)).layers
    W = torch.from_numpy(weight.stored.array).double()
    norms, gains, pullbacks = [], [], []
    for repeat in range(3):
        base, noise = normals(0, "paper/base", repeat, 16), normals(0, "paper/noise", repeat, 16)
        start = torch.tensor(base, requires_grad=True)
        (W @ start).norm().backward()
        x = torch.tensor(strategy(name).perturb(base, noise, start.grad.numpy()), requires_grad=True)
        variable = W.clone().requires_grad_()
        loss = (variable @ x).norm()
        loss.backward()
        norms.append(variable.grad.norm().item())
        gains.append(loss.item() / x.norm().item())
        pullbacks.append(x.grad.norm().item())
    for score, values in zip(SCORES, (norms, gains, pullbacks), strict=True):
        assert layer.scores[name][score].mean == pytest.approx(np.mean(values), rel=1e-5)
        assert layer.scores[name][score].std == pytest.approx(np.std(values), rel=1e-3, abs=1e-6)


def test_the_mixture_is_what_reading_again_would_give(measured: Sensitivity) -> None:
    weights = model()[1:]
    again = respond(weights, ProbeSpec(repeats=4), Inline(), NumpyProducts(), Silent(), pullback=True)
    for layer, response in zip(measured.layers, again, strict=True):
        norm = np.sqrt(response.x_moments[1] * response.weight.shape[1])
        for score, values in zip(SCORES, (norm, response.gain, response.pullback), strict=True):
            assert layer.scores[MIXTURE][score].mean == pytest.approx(values.mean(), rel=1e-6)


def test_the_mixture_takes_the_columns_of_the_fingerprint() -> None:
    probes, fingerprint = SensitivitySettings(seed=5).probes(), ProbeSpec(seed=5)
    columns = strategy_columns(probes)[MIXTURE]
    fixed = [i for i in range(30) if i not in fingerprint.pending()]
    np.testing.assert_array_equal(inputs(probes, 33)[:, columns][:, fixed], inputs(fingerprint, 33)[:, fixed])
    assert [probes.schedule()[c][0].name for c in columns] == [s.name for s, _ in fingerprint.schedule()]


def test_the_published_score_does_not_see_the_weights(measured: Sensitivity) -> None:
    other = measure(model(seed=99))
    for name in set(SENSITIVITY) - {"adversarial"}:
        assert [a.scores[name]["norm"] for a in measured.layers] == [b.scores[name]["norm"] for b in other.layers]
        assert all(a.scores[name]["gain"] != b.scores[name]["gain"] for a, b in zip(measured.layers, other.layers, strict=True))


def test_roles_and_layers_are_chosen(measured: Sensitivity) -> None:
    assert [(layer.layer, layer.role) for layer in measured.layers] == [(i, role) for i in range(3) for role in SHAPES]
    some = measure(model(), SensitivitySettings(repeats=2, roles=("q", "embed"), layers=(1,)))
    assert [(layer.layer, layer.role, some.blocks) for layer in some.layers] == [(1, "q", 3)]
    with pytest.raises(InputError, match="none of the layers"):
        measure(model(), SensitivitySettings(layers=(7,)))


def test_neither_workers_nor_batches_change_a_bit(measured: Sensitivity, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(responses, "BATCH_BYTES", 1)
    assert measure(model(), workers=3).layers == measured.layers


def test_damaged_weights_are_refused_or_listed() -> None:
    weights = model(1)
    weights[1].stored.array[3, 3] = np.nan
    weights[2].stored.array[:] = 0
    with pytest.raises(InputError, match=r"block\.0\.q"):
        measure(weights)
    found = measure(weights, skip_nonfinite=True)
    assert [layer.role for layer in found.layers] == ["gate", "down"]
    assert [name for name, _ in found.skipped] == ["block.0.q", "block.0.o"]


def test_z_scores_are_scipys_and_equal_layers_get_zero(measured: Sensitivity) -> None:
    found = analyse(measured).findings["pullback"]["gaussian"]
    values = [layer.scores["gaussian"]["pullback"].mean for layer in measured.layers]
    np.testing.assert_allclose(found.z, stats.zscore(values))
    assert found.variance == pytest.approx(np.var(values))
    np.testing.assert_array_equal(z_scores(np.array([0.1, 0.1 + 1e-17, 0.1])), 0)
    alike = analyse(measure(model(roles=("q", "gate")))).findings["norm"]["gaussian"]
    assert (set(alike.z), alike.variance, alike.mixture_ratio) == ({0.0}, 0.0, None)


def test_extremes_ratios_and_categories(measured: Sensitivity) -> None:
    analysis = analyse(measured, top=2)
    by_gain = sorted(measured.layers, key=lambda layer: layer.scores["sinusoid"]["gain"].mean)
    found = analysis.findings["gain"]["sinusoid"]
    assert [layer.name for layer in found.top] == [by_gain[-1].name, by_gain[-2].name]
    assert [layer.name for layer in found.bottom] == [by_gain[0].name, by_gain[1].name]
    assert found.top[0].z == max(found.z)
    mixture = analysis.findings["gain"][MIXTURE]
    assert mixture.mixture_ratio == pytest.approx(1)
    assert found.mixture_ratio == pytest.approx(mixture.variance / found.variance)
    gains = {c: [x.scores["sinusoid"]["gain"].mean for x in measured.layers if x.category == c] for c in ("attention", "ffn")}
    assert found.attention == pytest.approx(np.mean(gains["attention"]))
    assert found.attention_ratio == pytest.approx(np.mean(gains["attention"]) / np.mean(gains["ffn"]))
    only = analyse(measure(model(roles=("gate",)))).findings["gain"]["gaussian"]
    assert (only.attention, only.attention_ratio) == (None, None)


def test_results_are_json(measured: Sensitivity) -> None:
    analysis = analyse(measured)
    document = json.loads(msgspec.json.encode(compare_sensitivity([analysis, analysis])))
    assert document["agreements"][0]["by_layer"] == pytest.approx(1)
    assert set(json.loads(msgspec.json.encode(analysis))["findings"]) == set(SCORES)
    assert measured.strategies == (*PAPER, "sinusoid", MIXTURE)


def test_models_are_aligned_by_role_and_layer_and_by_depth() -> None:
    deep = analyse(measure(model(5), name="deep"))
    shallow = analyse(measure(model(3, seed=1, roles=("q", "fc_in")), name="shallow"))
    found = compare_sensitivity([deep, shallow], strategy="gaussian", score="gain")
    at = {(place.role, place.at): place.z for place in found.layers}
    z = deep.findings["gain"]["gaussian"].z
    assert at["q", 4.0] == (pytest.approx(z[16]), None)
    assert at["up", 2.0][0] is None  # fc_in stands where a gated MLP has up, which `deep` lacks
    assert at["up", 2.0][1] == pytest.approx(shallow.findings["gain"]["gaussian"].z[5])
    depths = {(place.role, place.at): place.z for place in found.depths}
    assert depths["q", 0.5] == (pytest.approx(z[8]), pytest.approx(shallow.findings["gain"]["gaussian"].z[2]))
    assert depths["q", 0.25][1] == pytest.approx(np.mean([shallow.findings["gain"]["gaussian"].z[i] for i in (0, 2)]))
    (pair,) = found.agreements
    shared = [place for place in found.layers if None not in place.z]
    assert pair.places == len(shared) == 3
    assert pair.by_layer == pytest.approx(stats.pearsonr(*np.array([place.z for place in shared]).T).statistic)


def test_models_asked_differently_are_not_compared(measured: Sensitivity) -> None:
    with pytest.raises(UsageError, match="same inputs"):
        compare_sensitivity([analyse(measured), analyse(measure(model(), SensitivitySettings(repeats=2)))])
    with pytest.raises(UsageError, match="at least two"):
        compare_sensitivity([analyse(measured)])
    with pytest.raises(UsageError, match="'token_focus' was not asked"):
        compare_sensitivity([analyse(measured)] * 2, strategy="token_focus")
    with pytest.raises(UsageError, match="no score is called 'loss'"):
        compare_sensitivity([analyse(measured)] * 2, score="loss")


def test_what_is_held_between_the_readings_does_not_grow_with_the_model() -> None:
    weights = model(1) * 40
    cost = max(w.shape[1] for w in weights) * 8 * 24
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(responses, "BATCH_BYTES", 3 * cost)
        batches = list(responses._batches(weights, SMALL.probes(), pullback=True, keep=False))
    assert [w for batch in batches for w in batch] == weights
    assert all(sum(8 * 24 * w.shape[1] for w in batch) <= 3 * cost for batch in batches)
    assert len(batches) < len(weights)
