"""Whole models whose weights are packed: the view, digests and fingerprints are those of the same values stored plainly."""

import numpy as np
import pytest

from support import packing
from support.adapters import write_adapter
from support.checkpoints import llama
from support.packed_files import stored, write_model
from tensorguard.api.inspecting import inspect
from tensorguard.api.models import open_model
from tensorguard.quantisations.base import Kind
from tensorguard.quantisations.kinds import KINDS
from tensorguard.quantisations.unpacking import unpacked
from tensorguard.signals.digest import block_digest

CONFIG = {"model_type": "llama", "num_attention_heads": 4, "num_key_value_heads": 2}


def packed_and_plain(kind, folder):
    """Write a small llama with the matrices of its blocks packed, and one with what they mean in float32."""
    packed, plain = {}, {}
    for name, values in llama(width=128).items():
        if ".layers." in name and values.ndim == 2:
            rows = np.concatenate([values, values])[: values.shape[0] // 32 * 32]
            wide = np.resize(rows, (rows.shape[0], -(-rows.shape[1] // 128) * 128))
            parts, plain[name] = packing.PACKERS[kind](wide)
            packed |= {name.removesuffix(".weight") + end: part for end, part in parts.items()}
        else:
            packed[name] = plain[name] = values
    models = (
        write_model(folder / "packed", packed, CONFIG | packing.CONFIGS[kind]),
        write_model(folder / "plain", plain, CONFIG),
    )
    return [open_model(model) for model in models]


def digest(weight):
    return block_digest(weight.rows(0, weight.shape[0]), None)


@pytest.mark.parametrize("kind", packing.PACKERS)
def test_the_same_values_have_the_same_view_and_digests(kind, tmp_path):
    packed, plain = (model.view() for model in packed_and_plain(kind, tmp_path))
    assert [(w.name, w.role, w.layer, w.shape) for w in packed.weights] == [
        (w.name, w.role, w.layer, w.shape) for w in plain.weights
    ]
    assert packed.parameters == plain.parameters
    assert packed.architecture == plain.architecture == "llama"
    assert packed.excluded == ()
    assert packed.notices == plain.notices
    for one, other in zip(packed.weights, plain.weights, strict=True):
        assert digest(one) == digest(other), one.name


@pytest.mark.parametrize("kind", packing.PACKERS)
def test_inspect_names_the_kind(kind, tmp_path):
    packed, _ = packed_and_plain(kind, tmp_path)
    dtypes = {encoding.dtype for encoding in inspect(packed.location).found.encodings}
    names = {
        "gptq": "GPTQ-4", "awq": "AWQ-4", "int8": "BNB-INT8", "nf4": "BNB-NF4", "fp8": "FP8-E4M3", "compressed": "CT-INT4",
        "nvfp4": "NVFP4", "hqq": "HQQ-4", "mlx": "MLX-4",
    }  # fmt: skip
    assert dtypes == {names[kind], "F32"}
    assert packed.notices == ()


def test_experts_of_gpt_oss_find_their_roles(tmp_path):
    rng = np.random.default_rng(0)
    experts, width, inner = 4, 64, 32
    packed, plain = {}, {}
    for layer in range(2):
        block = f"model.layers.{layer}"
        whole = {f"{block}.self_attn.{n}_proj.weight": rng.standard_normal((width, width)).astype(np.float32) for n in "qkvo"}
        whole |= {f"{block}.mlp.router.weight": rng.standard_normal((experts, width)).astype(np.float32)}
        whole |= {
            f"{block}.{norm}.weight": np.ones(width, np.float32) for norm in ("input_layernorm", "post_attention_layernorm")
        }
        for name, shape in (("gate_up_proj", (experts, 2 * inner, width)), ("down_proj", (experts, width, inner))):
            parts, plain[f"{block}.mlp.experts.{name}"] = packing.mxfp4_experts(rng.standard_normal(shape).astype(np.float32))
            packed |= {f"{block}.mlp.experts.{name}{end}": part for end, part in parts.items()}
        packed |= whole
        plain |= whole
    ends = {
        "model.embed_tokens.weight": rng.standard_normal((96, width)).astype(np.float32),
        "model.norm.weight": np.ones(width, np.float32),
    }
    config = {"model_type": "gpt_oss", "num_attention_heads": 4, "num_key_value_heads": 4}
    one, other = (
        open_model(write_model(tmp_path / name, tensors | ends, config)).view()
        for name, tensors in (("a", packed), ("b", plain))
    )
    assert one.architecture == other.architecture == "gpt_oss"
    assert [w.role for w in one.weights] == [w.role for w in other.weights]
    assert {w.shape for w in one.weights if w.role in ("gate", "up")} == {(inner, width)}
    assert sum(w.role == "gate" for w in one.weights) == 2 * experts
    for a, b in zip(one.weights, other.weights, strict=True):
        np.testing.assert_array_equal(a.rows(0, a.shape[0]), b.rows(0, b.shape[0]))


def test_a_block_of_an_expert_reads_its_own_bytes_alone():
    parts, _ = packing.mxfp4_experts(np.ones((8, 64, 128), np.float32))
    tensors = stored({f"m.down_proj{end}": part for end, part in parts.items()})
    meant = unpacked(tensors, {}).tensors[0]
    meant.read(slice(128 * 3, 128 * 4), slice(8, 16))
    assert sum(t.info.source.read for t in tensors) == 8 * (128 // 2 + 128 // 32)


def test_an_adapter_is_applied_to_a_base_of_four_bits(tmp_path):
    name = "model.layers.0.self_attn.q_proj"
    parts, meant = packing.nf4(np.random.default_rng(0).standard_normal((64, 64)).astype(np.float32))
    base = write_model(tmp_path / "base", {name + end: part for end, part in parts.items()}, packing.CONFIGS["nf4"])
    down, up = (
        np.random.default_rng(i).standard_normal(shape).astype(np.float32) for i, shape in enumerate([(4, 64), (64, 4)])
    )
    config = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": ["q_proj"], "base_model_name_or_path": "base"}
    factors = {f"base_model.model.{name}.lora_A.weight": down, f"base_model.model.{name}.lora_B.weight": up}
    model = open_model(write_adapter(tmp_path / "lora", config, factors), base=base)
    (tensor,) = model.tensors
    assert tensor.dtype == "BNB-NF4"
    np.testing.assert_allclose(tensor.read(slice(0, 64), slice(0, 64)), meant + 2 * up @ down, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.title)
def test_kinds_keep_to_the_protocol(kind):
    checked: Kind = kind
    assert checked.title
    assert checked.ends
    assert all(isinstance(end, str) for end in checked.ends)
