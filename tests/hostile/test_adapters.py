"""Adapters that are broken, for another base, or ask for what cannot be done exactly: one InputError each, that names it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.adapters import KEY, LAYER, apply, numbers, whole, write_adapter, write_base
from support.containers import gguf_bytes, gguf_tensor
from tensorguard.adapters.applying import adapted
from tensorguard.errors import InputError
from tensorguard.formats.adapter import read_adapter
from tensorguard.formats.base import Checkpoint, TensorInfo
from tensorguard.formats.opening import open_checkpoint
from tensorguard.limits import MAX_ADAPTER_RANK

A, B = f"{KEY}.lora_A.weight", f"{KEY}.lora_B.weight"
PAIR = {A: numbers(2, 4), B: numbers(6, 2)}
OTHER = KEY.replace("layers.0", "layers.7")

CONFIGS: dict[str, tuple[Mapping[str, Any], str]] = {
    "no kind": ({"peft_type": None}, "names no peft_type"),
    "unknown kind": ({"peft_type": "BOFT"}, "'BOFT' is not supported"),
    "kind is no text": ({"peft_type": ["LORA"]}, "names no peft_type"),
    "hostile kind": ({"peft_type": "\u202eA\x1b[2J" * 100}, "is not supported"),
    "alpha is text": ({"lora_alpha": "16"}, "lora_alpha"),
    "alpha is true": ({"lora_alpha": True}, "alpha"),
    "alpha is a list": ({"alpha_pattern": {"q_proj": [1]}}, "alpha_pattern"),
    "alpha enormous": ({"lora_alpha": 1e300}, "scale"),
    "rank zero": ({"r": 0}, "rank"),
    "rank negative": ({"r": -2}, "rank"),
    "rank broken": ({"r": 2.5}, "rank"),
    "rank enormous": ({"r": 10**19}, "rank"),
    "rank of another": ({"r": 3}, "have rank 2"),
    "rank pattern of another": ({"rank_pattern": {"q_proj": 4}}, "have rank 2"),
    "pattern explodes": ({"alpha_pattern": {"(a+)+$": 1}}, "too complicated"),
    "pattern is no table": ({"rank_pattern": "q_proj"}, "not a table"),
    "flag is text": ({"use_rslora": "yes"}, "use_rslora"),
    "dora without magnitudes": ({"use_dora": True}, "contradicts use_dora"),
    "target parameters": ({"target_parameters": ["mlp.experts.up"]}, "stacked experts"),
    "layer replication": ({"layer_replication": [[0, 1]]}, "replication of layers"),
    "trainable tokens": ({"trainable_token_indices": [1]}, "single tokens"),
    "activated lora": ({"alora_invocation_tokens": [1]}, "activated LoRA"),
    "pissa": ({"init_lora_weights": "pissa_niter_4"}, "'pissa_niter_4'"),
    "olora": ({"init_lora_weights": "olora"}, "'olora'"),
    "unhashable start": ({"init_lora_weights": {"a": 1}}, "began as"),
    "qalora": ({"use_qalora": True}, "QALoRA"),
}

TENSORS: dict[str, tuple[Mapping[str, Any], str]] = {
    "nothing": ({"x": np.zeros(0, np.float32)}, "another base"),
    "a without b": ({A: PAIR[A]}, "has no lora_B"),
    "b without a": ({B: PAIR[B]}, "has no lora_A"),
    "another layer": ({OTHER + ".lora_A.weight": PAIR[A], OTHER + ".lora_B.weight": PAIR[B]}, "another base"),
    "another width": ({A: numbers(2, 5), B: PAIR[B]}, "another base"),
    "another height": ({A: PAIR[A], B: numbers(7, 2)}, "another base"),
    "inner sizes differ": ({A: PAIR[A], B: numbers(6, 3)}, "do not multiply"),
    "one-dimensional factor": ({A: numbers(8), B: PAIR[B]}, "2 dimensions"),
    "three-dimensional factor": ({A: numbers(2, 2, 2), B: PAIR[B]}, "2 dimensions"),
    "empty factor": ({A: np.zeros((0, 4), np.float32), B: np.zeros((6, 0), np.float32)}, "2 dimensions"),
    "scalar factor": ({A: np.array(1, np.float32), B: PAIR[B]}, "2 dimensions"),
    "rank over the cap": (
        {A: np.zeros((MAX_ADAPTER_RANK + 1, 4), np.float32), B: np.zeros((6, MAX_ADAPTER_RANK + 1), np.float32)},
        "allowed",
    ),
    "nan": ({A: PAIR[A] * np.nan, B: PAIR[B]}, "NaN or infinity"),
    "infinity": ({A: PAIR[A], B: np.full((6, 2), np.inf, np.float32)}, "NaN or infinity"),
    "integers": ({A: np.ones((2, 4), np.int32), B: PAIR[B]}, "floating-point"),
    "odd tail": ({f"{KEY}.lora_A.other.weight": PAIR[A], B: PAIR[B]}, "PEFT does not give"),
    "same factor twice": ({A: PAIR[A], f"{KEY}.lora_A.default.weight": PAIR[A], B: PAIR[B]}, "twice"),
    "same tensor under two prefixes": (
        {**PAIR, f"x.{LAYER}.lora_A.weight": PAIR[A], f"x.{LAYER}.lora_B.weight": PAIR[B]},
        "twice",
    ),
    "unknown tensor": ({**PAIR, "base_model.model.model.norm.weight": numbers(4)}, "another base"),
    "whole tensor of another shape": ({**PAIR, f"{KEY}.base_layer.weight": numbers(5, 4)}, "of shape"),
    "bias where the base has none": ({**PAIR, f"{KEY}.lora_B.bias": numbers(6)}, "trained bias"),
    "magnitudes without dora": ({**PAIR, f"{KEY}.lora_magnitude_vector": numbers(6)}, "contradicts use_dora"),
    "embedding factors on a layer": (
        {f"{KEY}.lora_embedding_A": numbers(2, 5), f"{KEY}.lora_embedding_B": numbers(4, 2)},
        "is an embedding",
    ),
    "hostile name": ({"base_model.model.\u202e\x1b[31m.lora_A.weight": PAIR[A]}, "another base"),
}

KINDS: dict[str, tuple[Mapping[str, Any], Mapping[str, Any], str]] = {
    "ia3 of no vector": ({"peft_type": "IA3"}, {f"{KEY}.ia3_l": numbers(6, 4)}, "no vector"),
    "ia3 of another size": ({"peft_type": "IA3"}, {f"{KEY}.ia3_l": numbers(1, 5)}, "another base"),
    "loha convolution": (
        {"peft_type": "LOHA"},
        {f"{KEY}.hada_w1_a": numbers(6, 2), f"{KEY}.hada_t1": numbers(2, 2, 3, 3)},
        "does not go with",
    ),
    "loha of another size": (
        {"peft_type": "LOHA"},
        {f"{KEY}.hada_w{i}_{s}": numbers(*shape) for i in (1, 2) for s, shape in (("a", (5, 2)), ("b", (2, 4)))},
        "factors are for",
    ),
    "lokr of another size": ({"peft_type": "LOKR"}, {f"{KEY}.lokr_w1": numbers(2, 2), f"{KEY}.lokr_w2": numbers(2, 2)}, "for"),
    "lokr twice": (
        {"peft_type": "LOKR"},
        {f"{KEY}.lokr_w1": numbers(2, 2), f"{KEY}.lokr_w1_a": numbers(2, 2), f"{KEY}.lokr_w2": numbers(3, 2)},
        "both",
    ),
    "oft of old": ({"peft_type": "OFT"}, {f"{KEY}.oft_r": numbers(2, 2, 2)}, "PEFT 0.15"),
    "oft of no block": ({"peft_type": "OFT"}, {f"{KEY}.oft_R.weight": numbers(2, 4)}, "no block"),
    "oft of another size": ({"peft_type": "OFT"}, {f"{KEY}.oft_R.weight": numbers(2, 3)}, "another base"),
    "oft with endless terms": (
        {"peft_type": "OFT", "num_cayley_neumann_terms": 10**9},
        {f"{KEY}.oft_R.weight": numbers(2, 1)},
        "terms",
    ),
    "vera without projections": (
        {"peft_type": "VERA"},
        {f"{KEY}.vera_lambda_b": numbers(6), f"{KEY}.vera_lambda_d": numbers(2)},
        "save_projection",
    ),
    "vera too small": (
        {"peft_type": "VERA"},
        {
            f"{KEY}.vera_lambda_b": numbers(6),
            f"{KEY}.vera_lambda_d": numbers(2),
            "base_model.vera_A": numbers(2, 3),
            "base_model.vera_B": numbers(6, 2),
        },
        "larger than the shared",
    ),
    "dora of another size": (
        {"use_dora": True},
        {**PAIR, f"{KEY}.lora_magnitude_vector": numbers(5)},
        "5 magnitudes for 6",
    ),
}


def refused(folder: Path, config: Mapping[str, Any] | None, tensors: Mapping[str, Any] | None, message: str) -> None:
    with pytest.raises(InputError) as caught:
        apply(folder, config, tensors)
    assert message in caught.value.message
    assert caught.value.message.isprintable()
    assert caught.value.where == str(folder / "adapter")


@pytest.mark.parametrize("name", CONFIGS)
def test_configuration_is_refused(name: str, tmp_path: Path) -> None:
    config, message = CONFIGS[name]
    refused(tmp_path, config, None, message)


@pytest.mark.parametrize("name", TENSORS)
def test_tensors_are_refused(name: str, tmp_path: Path) -> None:
    tensors, message = TENSORS[name]
    refused(tmp_path, {"r": MAX_ADAPTER_RANK} if "cap" in name else None, tensors, message)


@pytest.mark.parametrize("name", KINDS)
def test_other_kinds_are_refused(name: str, tmp_path: Path) -> None:
    config, tensors, message = KINDS[name]
    refused(tmp_path, config, tensors, message)


def test_rotation_that_cannot_be_made(tmp_path: Path) -> None:
    config = {"peft_type": "OFT", "use_cayley_neumann": False}
    tensors = {f"{KEY}.oft_R.weight": np.array([[1e30, 1e30, 3e38]] * 2, np.float32)}
    model = apply(tmp_path, config, tensors, {f"{LAYER}.weight": numbers(4, 6)})
    with pytest.raises(InputError, match="too large"):
        whole(model.tensors[0])


def test_what_is_not_exact_names_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        apply(tmp_path, {"peft_type": "HRA"})
    assert "merge_and_unload" in caught.value.hint


@pytest.mark.parametrize("dtype", ["I8", "F64"])
def test_base_that_float32_cannot_change_exactly(dtype: str, tmp_path: Path) -> None:
    values = {"I8": np.ones((6, 4), np.int8), "F64": np.ones((6, 4))}[dtype]
    with pytest.raises(InputError, match=f"stores as '{dtype}'"):
        apply(tmp_path, base={f"{LAYER}.weight": values})


def test_stacked_base_tensor(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="3 dimensions"):
        apply(tmp_path, base={f"{LAYER}.weight": numbers(2, 6, 4)})


def test_gguf_base(tmp_path: Path) -> None:
    (tmp_path / "base.gguf").write_bytes(gguf_bytes(tensors=[gguf_tensor("blk.0.attn_q.weight")], data=128))
    with pytest.raises(InputError, match="GGUF base"):
        adapted(open_checkpoint(tmp_path / "base.gguf"), read_adapter(write_adapter(tmp_path / "adapter")))


def test_tied_head_names_the_reason(tmp_path: Path) -> None:
    tensors = {"base_model.model.lm_head.lora_A.weight": numbers(2, 4), "base_model.model.lm_head.lora_B.weight": numbers(7, 2)}
    with pytest.raises(InputError) as caught:
        apply(tmp_path, None, tensors)
    assert "tied" in caught.value.hint


def test_base_of_many_tensors_with_one_end(tmp_path: Path) -> None:
    base = open_checkpoint(write_base(tmp_path / "base"))
    files = read_adapter(write_adapter(tmp_path / "adapter"))
    source = files.tensors[0].source
    infos = tuple(TensorInfo(f"m.{i}.a.weight", "F32", (2, 2), source, 0, 16) for i in range(50_000))
    many = Checkpoint(base.name, base.location, base.container, (*infos, *base.tensors))
    assert len(adapted(many, files).tensors) == 50_001
