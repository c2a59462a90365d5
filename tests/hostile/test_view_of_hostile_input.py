"""Configurations and shapes that lie: no crash, nothing read out of range, what cannot be known stays fused and is said."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.memory import MemoryTensor
from support.models import arrays, matrix, stored, tiny
from tensorguard.tensors.view import canonical_view

NEOX = arrays(tiny("gpt_neox"))
ABSURD = [0, -4, 3, 7, 10**30, True, "4", 4.0, math.nan, math.inf, None, [], [4, 4], [None], {}, {"a": 1}, "x" * 10_000]
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
KEYS = ["num_attention_heads", "n_head", "head_dim", "num_key_value_heads", "text_config", "model_type", "general.architecture"]


@pytest.mark.parametrize("heads", ABSURD, ids=lambda value: repr(value)[:12])
def test_absurd_head_counts_leave_the_fused_matrix_whole(heads: object) -> None:
    view = canonical_view(stored(NEOX), {"num_attention_heads": heads}, "safetensors")
    fused = [w for w in view.weights if w.role == "qkv"]
    if heads == [4, 4]:
        assert fused == []
        return
    assert [(w.shape, w.layer) for w in fused] == [((96, 32), 0), ((96, 32), 1)]
    np.testing.assert_array_equal(matrix(fused[0]), NEOX["gpt_neox.layers.0.attention.query_key_value.weight"])
    assert any("kept whole" in notice for notice in view.notices)


def test_head_dimension_that_contradicts_the_count_is_not_believed() -> None:
    view = canonical_view(stored(NEOX), {"num_attention_heads": 4, "head_dim": 4}, "safetensors")
    assert [w.role for w in view.weights if w.layer == 0] == ["o", "qkv", "fc_in", "fc_out"]


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), JUNK), st.sampled_from(["safetensors", "gguf"]))
def test_any_configuration_keeps_every_number(config: dict[str, Any], container: str) -> None:
    view = canonical_view(stored(NEOX), config, container)
    assert view.parameters == sum(array.size for array in NEOX.values())
    assert sum(matrix(w).size for w in view.weights) == sum(array.size for array in NEOX.values() if array.ndim == 2)


SHAPES = st.lists(st.integers(0, 6), max_size=4).map(tuple)
ENDS = st.sampled_from(
    [
        "layers.{}.self_attn.q_proj.weight",
        "layers.{}.self_attn.o_proj.weight",
        "layers.{}.self_attn.qkv_proj.weight",
        "h.{}.attn.c_attn.weight",
        "layers.{}.mlp.gate_up_proj.weight",
        "layers.{}.mlp.experts.gate_up_proj",
        "layers.{}.mlp.experts.down_proj",
        "layers.{}.attention.wq.weight",
        "layers.{}.attention.wk.weight",
        "blk.{}.attn_qkv.weight",
        "blk.{}.ffn_up.weight",
        "blk.{}.ffn_gate_exps.weight",
        "embed_tokens.weight",
        "norm.weight",
        "lm_head.weight",
        ".",
        "....",
        "0",
        "{}.{}",
        "layers.99999999999999999999.mlp",
        "layers.²",
    ]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(ENDS, st.integers(0, 3), SHAPES, st.sampled_from(["F32", "U8", "GGUF:Q4_1"])), max_size=12))
def test_any_names_and_shapes_are_all_accounted_for(tensors: list[tuple[str, int, tuple[int, ...], str]]) -> None:
    unique = {end.format(n, n): (shape, dtype) for end, n, shape, dtype in tensors}
    made = [MemoryTensor(name, np.ones(shape, np.float32), dtype) for name, (shape, dtype) in unique.items()]
    view = canonical_view(made, {"num_attention_heads": 2}, "safetensors")
    listed = {w.name for w in view.weights} | {v.stored.name for v in view.vectors} | {name for name, _ in view.excluded}
    assert listed == set(unique)
    for w in view.weights:
        assert matrix(w).shape == w.shape


def test_stacks_of_absurdly_many_experts_are_listed() -> None:
    named = arrays(tiny("mixtral", num_local_experts=2))
    named["model.layers.0.mlp.experts.gate_up_proj"] = np.zeros((100_000, 2, 1), np.float32)
    view = canonical_view(stored(named), {}, "safetensors")
    assert dict(view.excluded)["model.layers.0.mlp.experts.gate_up_proj"].startswith("3-dimensional")
    assert len(view.weights) < 100


PACKERS = {
    "gptq": {
        "{}.qweight": ((4, 32), "I32"),
        "{}.qzeros": ((1, 4), "I32"),
        "{}.scales": ((1, 32), "F16"),
        "{}.g_idx": ((32,), "I32"),
    },
    "bitsandbytes": {"{}.weight": ((512, 1), "U8"), "{}.weight.absmax": ((16,), "F32"), "{}.weight.quant_map": ((16,), "F32")},
    "mlx": {"{}.weight": ((32, 4), "U32"), "{}.scales": ((32, 1), "F16")},
}


@pytest.mark.parametrize("packer", sorted(PACKERS))
def test_packed_weights_are_listed_and_said_never_taken_for_numbers(packer: str) -> None:
    made = []
    for name, array in arrays(tiny("llama")).items():
        stem = name.removesuffix(".weight")
        if "_proj" in name:
            made += [MemoryTensor(end.format(stem), np.ones(*shape), kind) for end, (*shape, kind) in PACKERS[packer].items()]
        else:
            made.append(MemoryTensor(name, array))
    view = canonical_view(made, {}, "safetensors")
    assert [w.role for w in view.weights] == ["embed", "lm_head"]
    assert view.unknown == ()
    assert any("not applied" in notice for notice in view.notices)
    assert sum("not decoded" in reason for _, reason in view.excluded) == 14


def test_towers_without_end() -> None:
    """Blocks of ever other names are looked at a few times, and then taken as they are."""
    ones = np.ones(4, np.float32)
    tensors = [MemoryTensor(f"vision_model.{n}a.layers.0.norm1.weight", ones) for n in range(300)]
    view = canonical_view([*tensors, MemoryTensor("lm_head.weight", np.ones((4, 4), np.float32))], {}, "safetensors")
    assert len(view.vectors) == 300
    assert {v.stack for v in view.vectors} == {"vision"}
