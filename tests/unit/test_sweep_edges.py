"""Models that lack something, hold too much of something, or are none: sketches all the same, and never a warning."""

import warnings
from collections.abc import Iterator

import numpy as np
import pytest
from blake3 import blake3

from support.checkpoints import Arrays
from support.models import tiny, view_of
from support.sweeps import BLOCKS, HEAD, HIDDEN, WIDTH, gpt2, llama, sketches, swept
from tensorguard.errors import InputError
from tensorguard.fingerprint.sketches import ARRAYS, Sketches
from tensorguard.probes.rademacher import PUBLIC, response_inputs, response_rows
from tensorguard.signals.operators import OPERATORS
from tensorguard.signals.traces import TRACES


@pytest.fixture(autouse=True)
def _no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def require_finite(found: Sketches) -> None:
    for name in ARRAYS:
        assert np.isfinite(getattr(found, name).astype(np.float64)).all(), name


def present(found: Sketches) -> set[str]:
    return {name for place, name in enumerate(OPERATORS) if found.fixed[:, place].any()}


def without(model: Arrays, *parts: str) -> Arrays:
    return {name: array for name, array in model.items() if not any(part in name for part in parts)}


@pytest.mark.parametrize("scale", [1e-38, 1e-30, 1e-12, 1e12, 1e30, 3e37])
def test_the_scale_of_weights_does_not_matter_to_operators(scale: float) -> None:
    plain = sketches(llama())
    scaled = {name: array * np.float32(1 if "norm" in name else scale) for name, array in llama().items()}
    found = sketches(scaled)
    require_finite(found)
    if scale < 1e37:  # beyond, responses overflow
        assert present(found) == set(OPERATORS)
    if 1e-37 < scale < 1e37:
        assert np.abs(found.fixed.astype(int) - plain.fixed).max() <= 1
        assert np.allclose(found.words, plain.words, atol=2e-3)
        assert np.array_equal(found.unit_index, plain.unit_index)
        assert np.allclose(found.response / scale, plain.response, atol=1e-3 * np.abs(plain.response).max())


def test_one_matrix_of_huge_numbers_spoils_no_other() -> None:
    model = llama()
    model["model.layers.0.self_attn.q_proj.weight"] = np.full((WIDTH, WIDTH), 3.4e38, np.float32)
    plain, found = sketches(llama()), sketches(model)
    require_finite(found)
    assert not found.fixed[0, 0].any() or np.abs(found.fixed[0, 0]).max() == 127
    assert np.array_equal(found.fixed[:, 1:], plain.fixed[:, 1:])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite(value: float) -> None:
    model, zero = llama(), llama()
    for name in ("model.layers.0.self_attn.v_proj.weight", "model.layers.1.mlp.up_proj.weight", "model.embed_tokens.weight"):
        model[name][3, 5], zero[name][3, 5] = value, 0
    with pytest.raises(InputError, match="1 NaN" if np.isnan(value) else "1 infinite"):
        swept(model)
    found, expected = swept(model, skip_nonfinite=True), swept(zero)
    for name in ARRAYS:
        assert np.array_equal(getattr(found.sketches, name), getattr(expected.sketches, name)), name
    assert [each.nan + each.infinite for each in found.digests].count(1) == 3
    differing = [each.role for each, other in zip(found.digests, expected.digests, strict=True) if each.digest != other.digest]
    assert sorted(differing) == ["embed", "up", "v"], "digests are of what is stored"


def test_a_vector_that_is_not_finite_is_refused_too() -> None:
    model = llama()
    model["model.norm.weight"][0] = np.nan
    with pytest.raises(InputError, match="1 NaN"):
        swept(model)
    assert swept(model, skip_nonfinite=True).notices


def test_without_an_embedding() -> None:
    found = sketches(without(llama(), "embed_tokens", "lm_head"))
    assert not found.words.any()
    assert not found.word_rows.any()
    assert np.array_equal(found.fixed, sketches(llama()).fixed)


def test_one_unknown_tensor() -> None:
    found = swept({"whatever": np.arange(12, dtype=np.float32).reshape(3, 4)}, {})
    require_finite(found.sketches)
    assert found.sketches.width == 0
    assert [place.role for place in found.sketches.places] == ["other"]
    assert found.sketches.response.any()
    assert len(found.digests) == 1


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (0, 0), (0,)])
def test_tensors_of_no_numbers(shape: tuple[int, ...]) -> None:
    for name in ("whatever", "model.layers.0.mlp.extra.weight", "model.layers.0.self_attn.q_proj.weight", "model.norm.weight"):
        found = swept(llama() | {name: np.zeros(shape, np.float32)})
        require_finite(found.sketches)
    found = swept(dict.fromkeys(llama(), np.zeros(shape, np.float32)))
    require_finite(found.sketches)
    for each in found.digests:
        assert (each.elements, each.constant) == (0, True)


@pytest.mark.parametrize(
    ("missing", "left"),
    [
        (("q_proj",), "VO DU DG GU"),
        (("v_proj", "down_proj"), "QK"),
        (("gate_proj",), "QK VO DU"),
        (("up_proj",), "QK VO"),
        (("self_attn",), "DU DG GU"),
        (("layers",), ""),
    ],
)
def test_what_is_missing_is_zero(missing: tuple[str, ...], left: str) -> None:
    found = sketches(without(llama(), *missing))
    assert present(found) == set(left.split())
    require_finite(found)


def test_shapes_that_do_not_fit_each_other_give_no_operator() -> None:
    random, model = np.random.default_rng(0), llama()
    for name, shape in {
        "self_attn.q_proj": (WIDTH + 3, WIDTH),
        "self_attn.o_proj": (WIDTH, WIDTH + 3),
        "mlp.down_proj": (WIDTH, HIDDEN + 1),
    }.items():
        model[f"model.layers.0.{name}.weight"] = random.random(shape, np.float32)
    found = sketches(model)
    assert not found.fixed[0].any()
    assert found.fixed[1].any((1, 2)).all()
    plain = gpt2()
    plain["transformer.h.0.mlp.c_proj.weight"] = random.random((HIDDEN + 1, WIDTH), np.float32)
    assert not sketches(plain, {"model_type": "gpt2"}).fixed[0, 2:].any()


def test_a_gain_of_another_width_is_left_out() -> None:
    model = llama()
    for name in [name for name in model if name.endswith(("o_proj.weight", "down_proj.weight"))]:
        model[name] = np.concatenate([model[name]] * 2)  # most writers are twice as wide as what readers read
    for name in [name for name in model if "norm" in name]:
        model[name] = np.concatenate([model[name]] * 2)
    found = sketches(model)
    require_finite(found)
    bare = sketches({name: array for name, array in model.items() if "norm" not in name})
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(found, name), getattr(bare, name), err_msg=name)


def test_grouped_heads_of_unknown_size_are_noticed() -> None:
    assert not swept(llama()).notices
    found = swept(llama(), {"model_type": "llama"})
    assert any("query heads share key heads" in notice for notice in found.notices)
    assert present(found.sketches) == set(OPERATORS)


def test_a_head_size_in_the_norms_needs_no_configuration() -> None:
    model = llama()
    for block in range(BLOCKS):
        for name in ("q", "k"):
            model[f"model.layers.{block}.self_attn.{name}_norm.weight"] = np.ones(HEAD, np.float32)
    found = swept(model, {"model_type": "qwen3"})
    assert not any("query heads" in notice for notice in found.notices)
    assert np.array_equal(found.sketches.fixed, sketches(llama()).fixed)


def test_wide_and_tall_matrices() -> None:
    wide = sketches({"wide": np.ones((2, 2**18 + 1), np.float32)}, {})
    assert not wide.response.any()
    assert wide.traces[0, TRACES.index("rms")] == 1
    column = np.random.default_rng(0).standard_normal((100_000, 1)).astype(np.float32)
    tall = sketches({"tall": column}, {})
    inputs = response_inputs(PUBLIC, 1).astype(np.float64)
    expected = response_rows(PUBLIC, 0, len(column)).T.astype(np.float64) @ (column @ inputs)
    assert np.abs(tall.response[0] - expected).max() < 1e-3 * np.abs(expected).max()
    assert np.abs(tall.row_mean[0] - column.mean(dtype=np.float64) * inputs[0]).max() < 1e-6


SETTINGS = {"hidden_size": 64, "vocab_size": 1310}
FAMILIES = {
    "bert": ("MaskedLM", {}, {"QK", "VO", "DU"}),
    "t5": ("Seq2SeqLM", {"d_model": 64, "d_kv": 16, "d_ff": 48, "num_layers": 2}, {"QK", "VO", "DU"}),
    "mamba": ("CausalLM", {}, {"VO", "DG", "GU"}),
    "falcon": ("CausalLM", {"new_decoder_architecture": True, "num_kv_heads": 2}, {"QK", "VO", "DU"}),
    "gemma2": ("CausalLM", {"head_dim": 16}, set(OPERATORS)),
    "mixtral": ("CausalLM", {"num_local_experts": 3}, set(OPERATORS)),
    "qwen2_moe": ("CausalLM", {"num_experts": 3, "moe_intermediate_size": 24, "shared_expert_intermediate_size": 40}, set(OPERATORS)),
    "deepseek_v3": (
        "CausalLM",
        {
            "q_lora_rank": 24, "kv_lora_rank": 16, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8, "v_head_dim": 16,
            "num_key_value_heads": 4, "n_routed_experts": 4, "n_group": 1, "topk_group": 1, "moe_intermediate_size": 24,
            "first_k_dense_replace": 1,
        },
        {"QK", "VO", "DU", "DG", "GU"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
def test_real_architectures(family: str) -> None:
    kind, settings, expected = FAMILIES[family]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # transformers'
        model = tiny(family, kind, **SETTINGS, **settings)
        arrays = {name: tensor.detach().numpy() for name, tensor in model.state_dict().items()}
    found = swept(arrays, model.config.to_dict())
    require_finite(found.sketches)
    assert found.sketches.width == WIDTH
    assert present(found.sketches) == expected
    assert found.sketches.word_gram.any()
    view = view_of(model)
    assert [(place.stack, place.layer, place.role) for place in found.sketches.places] == list(
        dict.fromkeys((weight.stack, weight.layer, weight.role) for weight in view.weights)
    )
    assert len(found.digests) == len(view.weights) + len(view.vectors)


def test_a_scrambled_model_keeps_digests_responses_and_anchors() -> None:
    names = [blake3(name.encode()).hexdigest(8) for name in llama(tied=True)]
    scrambled = dict(zip(names, llama(tied=True).values(), strict=True))
    found = swept(scrambled, {})
    require_finite(found.sketches)
    plain = swept(llama(tied=True))
    assert sorted(each.digest for each in found.digests) == sorted(each.digest for each in plain.digests)
    assert found.sketches.response.any((1, 2)).all()
    assert found.sketches.width == WIDTH
    assert np.array_equal(found.sketches.id_gram, plain.sketches.id_gram)
