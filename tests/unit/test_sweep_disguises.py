"""What may be done to a model without its sketches noticing: to the bit for containers, up to rounding for what the sums are blind to."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file

from support.checkpoints import Arrays
from support.sweeps import BLOCKS, CONFIG, EXPERTS, HEAD, HEADS, HIDDEN, KEYS, WIDTH, gpt2, llama, sketches, swept
from tensorguard.api.fingerprints import fingerprint_model
from tensorguard.fingerprint.sketches import ARRAYS, Sketches

MIXTRAL = CONFIG | {"model_type": "mixtral"}
GPT2 = {"model_type": "gpt2", "n_head": HEADS}


def same_bytes(one: Sketches, other: Sketches) -> bool:
    described = [(each.key, each.width, each.blocks, each.places, each.sampled) for each in (one, other)]
    return described[0] == described[1] and all(getattr(one, n).tobytes() == getattr(other, n).tobytes() for n in ARRAYS)


def operators_agree(one: Sketches, other: Sketches, *names: str) -> None:
    for name in names or ("fixed", "words", "ids"):
        left, right = (getattr(each, name).astype(np.float64) for each in (one, other))
        assert left.any(), name
        assert np.abs(left - right).max() <= (1 if name == "fixed" else 2e-3), name


def renamed(model: Arrays) -> Arrays:
    return {f"base_model.{name}": array for name, array in reversed(model.items())}


def widened(model: Arrays) -> Arrays:
    return {name: array.astype(np.float64) for name, array in model.items()}


@pytest.mark.parametrize("change", [renamed, widened])
@pytest.mark.parametrize(("model", "config"), [(llama(), CONFIG), (llama(experts=EXPERTS), MIXTRAL), (gpt2(), GPT2)])
def test_names_order_and_lossless_casts_change_no_bit(change: Callable[[Arrays], Arrays], model: Arrays, config: dict) -> None:
    before, after = swept(model, config), swept(change(model), config)
    assert same_bytes(before.sketches, after.sketches)
    assert before.digests == after.digests


def test_bfloat16_and_its_float32_copy() -> None:
    rounded = {name: array.astype(ml_dtypes.bfloat16) for name, array in llama().items()}
    assert same_bytes(sketches(rounded), sketches({name: array.astype(np.float32) for name, array in rounded.items()}))


def tall() -> Arrays:
    """Matrices of several ranges of rows each."""
    random = np.random.default_rng(0)
    shapes = {
        "self_attn.q_proj": (2048, 2048),
        "mlp.gate_proj": (5000, 2048),
        "mlp.up_proj": (5000, 2048),
        "mlp.down_proj": (2048, 5000),
    }
    made = {f"model.layers.0.{name}.weight": random.random(shape, np.float32) - 0.5 for name, shape in shapes.items()}
    return made | {"model.embed_tokens.weight": random.random((1400, 2048), np.float32)}


def test_workers_change_no_bit() -> None:
    model = tall()
    one = swept(model)
    for workers in (1, 2, 3):
        other = swept(model, workers=workers)
        assert same_bytes(one.sketches, other.sketches)
        assert one.digests == other.digests


def without_gains(model: Arrays) -> Arrays:
    """The Llama with every gain folded into what reads through it."""
    folded = {name: array.astype(np.float64) for name, array in model.items()}
    for block in range(BLOCKS):
        stem = f"model.layers.{block}"
        for norm, readers in (("input_layernorm", "self_attn.[qkv]_proj"), ("post_attention_layernorm", "mlp.(gate|up)_proj")):
            gain = folded[f"{stem}.{norm}.weight"].copy()
            for name in folded:
                if re.fullmatch(rf"{stem}\.{readers}\.weight", name):
                    folded[name] = folded[name] * gain
            folded[f"{stem}.{norm}.weight"][:] = 1
    folded["lm_head.weight"] = folded["lm_head.weight"] * folded["model.norm.weight"]
    folded["model.norm.weight"][:] = 1
    return {name: array.astype(np.float32) for name, array in folded.items()}


def test_folding_the_gains_beforehand_is_no_disguise() -> None:
    before, after = sketches(llama()), sketches(without_gains(llama()))
    operators_agree(before, after)
    for name in ("head_word_rows", "head_id_gram"):
        assert np.abs(getattr(before, name) - getattr(after, name)).max() < 1e-5
    assert not np.allclose(before.response, after.response, rtol=0.01), "responses are of what is stored"


def test_gains_of_gemma_are_stored_less_one() -> None:
    gemma = CONFIG | {"model_type": "gemma"}
    before = llama(tied=True)
    less = {name: array - 1 if "norm" in name else array for name, array in before.items()}
    operators_agree(sketches(before), sketches(less, gemma))


def test_folding_a_layer_norm_of_gpt2_is_no_disguise() -> None:
    folded = {name: array.astype(np.float64) for name, array in gpt2().items()}
    for block in range(BLOCKS):
        for norm, reader in (("ln_1", "attn.c_attn"), ("ln_2", "mlp.c_fc")):
            stem = f"transformer.h.{block}"
            weight = folded[f"{stem}.{norm}.weight"][:, None] * folded[f"{stem}.{reader}.weight"]
            folded[f"{stem}.{reader}.weight"] = weight - weight.mean(0)  # what LayerNorm takes out anyway
            folded[f"{stem}.{norm}.weight"][:] = 1
        for writer in ("attn.c_proj", "mlp.c_proj"):
            folded[f"transformer.h.{block}.{writer}.weight"] += 3 * np.random.default_rng(block).standard_normal((1, 1))
    operators_agree(sketches(gpt2(), GPT2), sketches({n: a.astype(np.float32) for n, a in folded.items()}, GPT2))


def test_rotating_the_residual_stream_leaves_token_space() -> None:
    plain = without_gains(llama())
    R = np.linalg.qr(np.random.default_rng(7).standard_normal((WIDTH, WIDTH)))[0]
    turned = {}
    for name, array in plain.items():
        if name.endswith(("o_proj.weight", "down_proj.weight")):
            turned[name] = (R.T @ array).astype(np.float32)
        else:
            turned[name] = (array @ R).astype(np.float32) if array.ndim == 2 else array
    before, after = sketches(plain), sketches(turned)
    operators_agree(before, after, "words", "ids")
    for name in ("word_gram", "id_gram", "head_word_gram", "head_id_gram"):
        assert np.abs(getattr(before, name) - getattr(after, name)).max() < 1e-5, name
    assert np.abs(before.fixed.astype(int) - after.fixed).max() > 50, "the fixed basis stays where it was"


def disguised(model: Arrays) -> Arrays:
    """Heads and neurons in another order, another basis of the values, scale and signs moved from up to down."""
    random, changed = np.random.default_rng(5), dict(model)
    for block in range(BLOCKS):
        attention, mlp = f"model.layers.{block}.self_attn", f"model.layers.{block}.mlp"
        q, k, v, o = (model[f"{attention}.{n}_proj.weight"] for n in "qkvo")
        q, o = q.reshape(KEYS, -1, HEAD, WIDTH)[::-1, ::-1], o.T.reshape(KEYS, -1, HEAD, WIDTH)[::-1, ::-1]
        k, v = k.reshape(KEYS, HEAD, WIDTH)[::-1], v.reshape(KEYS, HEAD, WIDTH)[::-1]
        basis = np.linalg.qr(random.standard_normal((KEYS, HEAD, HEAD)))[0] * 2
        v, o = basis @ v, np.linalg.inv(basis).transpose(0, 2, 1)[:, None] @ o
        for name, part in zip("qkvo", (q, k, v, o.reshape(-1, WIDTH).T), strict=True):
            changed[f"{attention}.{name}_proj.weight"] = np.ascontiguousarray(part, np.float32).reshape(-1, WIDTH)
        order, scale = random.permutation(HIDDEN), random.choice([-2.0, -0.5, 0.5, 2.0], HIDDEN)
        changed[f"{mlp}.gate_proj.weight"] = model[f"{mlp}.gate_proj.weight"][order]
        changed[f"{mlp}.up_proj.weight"] = (model[f"{mlp}.up_proj.weight"][order] * scale[:, None]).astype(np.float32)
        changed[f"{mlp}.down_proj.weight"] = (model[f"{mlp}.down_proj.weight"][:, order] / scale).astype(np.float32)
    return changed


def test_permutations_values_and_scales_leave_attention_and_du() -> None:
    before, after = sketches(llama()), sketches(disguised(llama()))
    for name in ("fixed", "words", "ids"):
        left, right = (getattr(each, name).astype(np.float64)[:, :3] for each in (before, after))
        assert np.abs(left - right).max() <= (1 if name == "fixed" else 2e-3), name


def test_the_order_of_experts_does_not_matter() -> None:
    model = llama(experts=EXPERTS)
    moved = {name: array for name, array in model.items() if ".experts." not in name}
    for name, array in model.items():
        for expert in range(EXPERTS):
            if f".experts.{expert}." in name:
                moved[name.replace(f".{expert}.w", f".{(expert + 1) % EXPERTS}.w")] = array
    before, after = sketches(model, MIXTRAL), sketches(moved, MIXTRAL)
    operators_agree(before, after)
    assert np.allclose(before.response, after.response, atol=2e-3 * np.abs(before.response).max())
    assert np.allclose(before.row_mean, after.row_mean, atol=1e-5)
    assert np.allclose(before.traces, after.traces, rtol=1e-6)
    assert np.array_equal(np.sort(before.unit_index % HIDDEN), np.sort(after.unit_index % HIDDEN))


def test_shards_of_a_folder_change_no_bit(tmp_path: Path) -> None:
    model = llama()
    one, several = tmp_path / "one", tmp_path / "several"
    for folder in (one, several):
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(CONFIG))
    save_file(model, one / "model.safetensors")
    names = sorted(model, key=lambda name: name[::-1])
    index = {name: f"model-0000{i % 3 + 1}-of-00003.safetensors" for i, name in enumerate(names)}
    for shard in set(index.values()):
        save_file({name: model[name] for name in names if index[name] == shard}, several / shard)
    (several / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))
    found = [fingerprint_model(folder).sketches for folder in (one, several)]
    assert found[0] is not None
    assert found[1] is not None
    assert same_bytes(found[0], found[1])
