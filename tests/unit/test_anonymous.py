"""Roles told from the weights under names that say nothing."""

import random
import re
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from support.memory import MemoryTensor
from support.models import stored
from support.real import real_model
from support.trained import HEAD, Arrays, llama
from tensorguard.tensors.view import View, canonical_view

CONFIG: dict[str, Any] = {"num_attention_heads": 6, "head_dim": HEAD}
ROLES = {f"{role}_proj": role for role in ("q", "k", "v", "o", "gate", "up", "down")} | {
    "embed_tokens": "embed", "lm_head": "lm_head",
}  # fmt: skip


def disguised(named: Arrays, *, numbers: bool, seed: int = 0) -> dict[str, str]:
    """Return new name -> old name: words replaced, or everything."""
    letters = random.Random(seed)
    words: dict[str, str] = {}

    def word(found: object = None) -> str:
        fresh = "".join(letters.choices("abcdefghij", k=10))
        return words.setdefault(str(found), fresh) if found else fresh

    return {(re.sub(r"[a-z_]+\w*", lambda m: word(m[0]), name) if numbers else word()): name for name in named}


def seen(named: Arrays, *, numbers: bool, config: dict[str, Any] = CONFIG, seed: int = 0) -> tuple[View, dict[str, str]]:
    names = disguised(named, numbers=numbers, seed=seed)
    return canonical_view(stored({new: named[old] for new, old in names.items()}), config, "safetensors"), names


def role(name: str) -> str:
    return next(role for part, role in ROLES.items() if part in name)


@pytest.mark.parametrize("config", [CONFIG, {}])
@pytest.mark.parametrize("groups", [6, 2])
def test_exact_roles_where_names_repeat(groups: int, config: dict[str, Any]) -> None:
    view, names = seen(llama(groups=groups), numbers=True, config=config)
    found = {names[w.name]: w.role for w in view.weights}
    if groups == 6:  # nothing tells queries from keys of one shape
        found = {name: "q" if told == "k" else told for name, told in found.items()}
        assert found == {name: "q" if role(name) == "k" else role(name) for name in found}
        assert len({w.role for w in view.weights if "q_proj" in names[w.name]}) == 1
        assert any("a guess" in notice for notice in view.notices)
    else:
        assert found == {name: role(name) for name in found}
    assert all(f"layers.{w.layer}." in names[w.name] for w in view.weights if w.layer is not None)
    assert view.architecture == "unknown"
    assert any("from the weights" in notice for notice in view.notices)
    norms = {names[v.stored.name]: (v.role, v.part, v.layer) for v in view.vectors}
    assert norms["model.layers.2.input_layernorm.weight"] == ("norm", "attention_in", 2)
    assert norms["model.layers.2.post_attention_layernorm.weight"] == ("norm", "ffn_in", 2)
    assert norms["model.norm.weight"] == ("norm", "final", None)


@pytest.mark.parametrize("groups", [6, 2])
def test_whole_blocks_without_any_pattern(groups: int) -> None:
    view, names = seen(llama(groups=groups), numbers=False)
    blocks: dict[int, dict[str, str]] = {}
    for w in view.weights:
        if w.layer is not None:
            blocks.setdefault(w.layer, {})[w.role] = names[w.name]
    assert sorted(blocks) == [0, 1, 2, 3]
    for block in blocks.values():
        assert len({name.split(".")[2] for name in block.values()}) == 1
        assert {told for told, name in block.items() if told not in "qk" and role(name) != told} == set()
        if groups == 2:
            assert role(block["k"]) == "k"


def test_order_and_names_do_not_matter() -> None:
    named = llama(groups=2)
    orders = []
    for seed in range(3):
        names = disguised(named, numbers=False, seed=seed)
        shuffled = random.Random(seed).sample(sorted(names), len(names))
        view = canonical_view(stored({new: named[names[new]] for new in shuffled}), CONFIG, "safetensors")
        orders.append([(w.role, w.layer, names[w.name]) for w in view.weights])
    assert orders[0] == orders[1] == orders[2]


def test_disguises_change_no_role() -> None:
    """Neurons permuted, scaled and flipped, the stream rotated, gains folded away."""
    rng = np.random.default_rng(0)
    named = llama(groups=2)
    rotation = np.linalg.qr(rng.standard_normal((48, 48)))[0]
    for layer in range(4):
        mlp = f"model.layers.{layer}.mlp"
        order, scale = rng.permutation(128), np.exp(0.5 * rng.standard_normal(128)) * rng.choice([-1.0, 1.0], 128)
        for part in ("gate", "up"):
            named[f"{mlp}.{part}_proj.weight"] = named[f"{mlp}.{part}_proj.weight"][order]
        named[f"{mlp}.up_proj.weight"] = named[f"{mlp}.up_proj.weight"] * scale[:, None]
        named[f"{mlp}.down_proj.weight"] = named[f"{mlp}.down_proj.weight"][:, order] / scale
    for name, array in named.items():
        if array.ndim == 1:
            named[name] = np.ones_like(array)
        else:
            turned = rotation.T @ array if role(name) in ("o", "down") else array @ rotation
            named[name] = turned.astype(np.float32)
    view, names = seen(named, numbers=True)
    assert {names[w.name]: w.role for w in view.weights} == {name: role(name) for name, a in named.items() if a.ndim == 2}
    assert {v.part for v in view.vectors} == {"attention_in", "ffn_in", "final"}


def test_matrices_stored_in_by_out() -> None:
    named = llama(groups=2)
    turned = {n: a if a.ndim < 2 or role(n) in ("embed", "lm_head") else np.ascontiguousarray(a.T) for n, a in named.items()}
    view, names = seen(turned, numbers=True)
    assert {names[w.name]: w.role for w in view.weights} == {name: role(name) for name, a in named.items() if a.ndim == 2}
    for w in view.weights:
        assert np.array_equal(w.rows(0, w.shape[0]), named[names[w.name]])


@pytest.mark.parametrize("swapped", [False, True])
def test_fused_matrices(swapped: bool) -> None:
    named = llama(groups=2)
    for layer in range(4):
        block = f"model.layers.{layer}"
        parts = ("up", "gate") if swapped else ("gate", "up")
        named[f"{block}.self_attn.qkv.weight"] = np.vstack([named.pop(f"{block}.self_attn.{p}_proj.weight") for p in "qkv"])
        named[f"{block}.mlp.both.weight"] = np.vstack([named.pop(f"{block}.mlp.{p}_proj.weight") for p in parts])
    view, _ = seen(named, numbers=True)
    plain = {name: array for name, array in llama(groups=2).items() if array.ndim == 2}
    for w in view.weights:
        if w.layer is not None:
            original = next(a for n, a in plain.items() if f"layers.{w.layer}." in n and role(n) == w.role)
            assert np.array_equal(w.rows(0, w.shape[0]), original)
    assert {w.role for w in view.weights} == set(ROLES.values())


@pytest.mark.parametrize("make", ["normal", "alike"])
def test_weights_that_show_nothing_keep_their_categories(make: str) -> None:
    """Untrained weights share no units; weights that are all positive share everything with everything."""
    rng = np.random.default_rng(0)
    draw = rng.standard_normal if make == "normal" else rng.random
    named = {name: draw(array.shape).astype(np.float32) for name, array in llama().items()}
    for numbers in (True, False):
        view, _ = seen(named, numbers=numbers)
        assert {w.role for w in view.weights if w.layer is not None or not numbers} <= {"attention", "ffn", "embed"}
        assert not any("from the weights" in notice for notice in view.notices)


def test_little_is_read() -> None:
    """Six layers of many, and not all of their rows."""
    named = llama(layers=24, groups=2)
    names = disguised(named, numbers=True)
    tensors = {old: MemoryTensor(new, named[old]) for new, old in names.items()}
    canonical_view(list(tensors.values()), CONFIG, "safetensors")
    touched = {name.split(".")[2] for name, tensor in tensors.items() if ".mlp." in name and tensor.reads}
    assert len(touched) == 6


def test_a_real_model_renamed() -> None:
    view, names = seen(load_file(real_model("all-minilm-l6-v2") / "model.safetensors"), numbers=True, config={})
    expected = {"query": "q", "key": "k", "value": "v", "attention.output": "o", "intermediate": "fc_in", ".output": "fc_out"}
    inside = [w for w in view.weights if w.layer is not None]
    assert len(inside) == 36
    for w in inside:
        assert w.role == next(told for part, told in expected.items() if part in names[w.name])
        assert f"layer.{w.layer}." in names[w.name]
