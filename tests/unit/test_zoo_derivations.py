"""The zoo's untrained derivatives are what their ground truth says, checked on tiny models of every architecture."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import AutoModelForCausalLM

from benchmarks.zoo import manifest
from benchmarks.zoo.bases import BASES
from benchmarks.zoo.derivations import derive_all, heads, layers, making, neurons, renaming, residual, vocabulary, width
from benchmarks.zoo.derivations.anatomy import assemble, dissect
from benchmarks.zoo.derivations.checking import batch, difference, logits
from benchmarks.zoo.derivations.checkpoint import Checkpoint, Facts, read, write
from benchmarks.zoo.derivations.registry import TRANSFORMATIONS, in_parts
from support.tiny_models import MODELS, VOCABULARY, tiny

BY_NAME = {each.name: each for each in TRANSFORMATIONS}
KEEPING = [each for each in TRANSFORMATIONS if each.keeps]


def changed_share(first, second):
    """Share of the tensors that are not the same in both."""
    same = [n for n in first.tensors if n in second.tensors and np.array_equal(first.tensors[n], second.tensors[n])]
    return 1 - len(same) / len(first.tensors)


def expert_outputs(checkpoint):
    """What the first layer's MLP computes of fixed inputs, in plain NumPy: gated, SiLU."""
    mlp = dissect(checkpoint).layers[0].mlps[0]
    inputs = np.random.default_rng(1).standard_normal((7, mlp["up"].shape[1]))
    gate = inputs @ mlp["gate"].T
    return (gate / (1 + np.exp(-gate)) * (inputs @ mlp["up"].T)) @ mlp["down"].T


@pytest.mark.parametrize("name", MODELS)
def test_taking_apart_and_putting_together_changes_no_byte(name):
    model = tiny(name)
    again = assemble(dissect(model))
    assert again.tensors.keys() == model.tensors.keys()
    assert all(np.array_equal(again.tensors[each], model.tensors[each]) for each in model.tensors)
    assert {key for key, value in again.config.items() if model.config.get(key) not in (value, None)} == set()


def test_an_unknown_tensor_is_refused():
    model = tiny("llama")
    model.tensors["model.layers.0.extra.weight"] = np.zeros((2, 2), np.float32)
    with pytest.raises(ValueError, match="no place"):
        dissect(model)


@pytest.mark.parametrize("name", MODELS)
def test_every_disguise_keeps_the_logits_and_changes_the_weights(name):
    parent = tiny(name)
    expected = logits(parent, batch(parent))
    applied = [each for each in KEEPING if each.suits(parent.config)]
    assert len(applied) >= 12
    for each in applied:
        child, facts = each.apply(parent, np.random.default_rng(5))
        assert difference(parent, child, facts, expected=expected) < 1e-5, each.name
        if each.name != "untied-embeddings":
            assert changed_share(parent, child) > 0, each.name


@pytest.mark.parametrize("name", MODELS)
def test_all_disguises_leave_no_matrix_in_place(name):
    parent = tiny(name)
    child, _ = BY_NAME["all-disguises"].apply(parent, np.random.default_rng(5))
    for each, values in parent.tensors.items():
        if values.ndim == 2:
            assert child.tensors[each].shape != values.shape or np.mean(child.tensors[each] == values) < 0.05, each


@pytest.mark.parametrize("name", MODELS)
def test_every_other_derivative_loads_and_computes_something_else(name):
    parent = tiny(name)
    ids = batch(parent)
    expected = logits(parent, ids)
    for each in TRANSFORMATIONS:
        if each.keeps or not each.suits(parent.config):
            continue
        found = logits(each.apply(parent, np.random.default_rng(5))[0], ids)
        assert np.isfinite(found).all()
        assert np.abs(found - expected).max() > 1e-4, each.name


def test_a_disguise_that_does_not_keep_the_function_is_refused():
    parent = tiny("llama")
    child, _ = in_parts(neurons.rescale_gate)(parent, np.random.default_rng(0))  # SiLU is not homogeneous
    with pytest.raises(ValueError, match="logits differ"):
        difference(parent, child, Facts())


@pytest.mark.parametrize("name", ["gemma2", "olmo2"])
def test_output_norms_cannot_be_rotated(name):
    with pytest.raises(ValueError, match="output norm"):
        residual.rotate(dissect(tiny(name)), np.random.default_rng(0))
    assert not BY_NAME["residual-rotation"].suits(tiny(name).config)


def test_neurons_are_scaled_by_either_sign_and_the_mlp_computes_the_same():
    parent = tiny("llama")
    child, _ = in_parts(neurons.rescale_either_sign)(parent, np.random.default_rng(0))
    name = "model.layers.0.mlp.up_proj.weight"
    ratios = child.tensors[name] / parent.tensors[name]
    assert np.allclose(ratios, ratios[:, :1], rtol=1e-5)
    assert {-1.0, 1.0} == set(np.sign(ratios[:, 0]))
    np.testing.assert_allclose(expert_outputs(child), expert_outputs(parent), atol=1e-5)


def test_padding_appends_neurons_and_the_mlp_computes_the_same():
    parent = tiny("llama")
    child, _ = in_parts(neurons.pad)(parent, np.random.default_rng(0))
    assert child.config["intermediate_size"] == 48 + 2 * (48 // 8)
    down = child.tensors["model.layers.0.mlp.down_proj.weight"]
    assert (np.linalg.norm(down, axis=0) == 0).sum() == 48 // 8
    np.testing.assert_allclose(expert_outputs(child), expert_outputs(parent), atol=1e-5)


def test_heads_are_taken_with_their_groups():
    parent = dissect(tiny("llama"))
    child = dissect(tiny("llama"))
    order, members = np.array([[1, 0]] * 4), np.array([[[0, 1], [1, 0]]] * 4)
    heads.take(child, order, members)
    query, key, output = (parent.layers[2].parts[each] for each in ("q", "k", "o"))
    rows = [query[8 * i : 8 * i + 8] for i in (2, 3, 1, 0)]
    assert np.array_equal(child.layers[2].parts["q"], np.concatenate(rows))
    assert np.array_equal(child.layers[2].parts["k"], np.concatenate([key[8:], key[:8]]))
    assert np.array_equal(child.layers[2].parts["o"][:, :8], output[:, 16:24])


def test_a_layer_norm_is_rotated_about_the_direction_of_ones():
    parent, child = dissect(tiny("gpt2")), dissect(tiny("gpt2"))
    residual.rotate(child, np.random.default_rng(0))
    np.testing.assert_allclose(child.top["embed"].sum(1), 0, atol=1e-12)
    centred = parent.top["embed"] - parent.top["embed"].mean(1, keepdims=True)
    np.testing.assert_allclose(child.top["embed"] @ child.top["embed"].T, centred @ centred.T, atol=1e-12)
    assert not np.allclose(child.top["embed"], centred, atol=0.01)


def test_layer_maps_say_where_each_layer_came_from():
    maps = {
        layers.drop_every_third: [0, 1, 3],
        layers.drop_last_third: [0, 1, 2],
        layers.duplicate_one: [0, 1, 2, 2, 3],
        layers.swap_two: [0, 2, 1, 3],
        layers.reverse: [3, 2, 1, 0],
        layers.scale_up: [0, 1, 2, 1, 2, 3],
    }
    parent = tiny("gemma2")
    for function, order in maps.items():
        child, facts = in_parts(function)(parent, np.random.default_rng(0))
        assert facts.layer_map == [[i, old] for i, old in enumerate(order)]
        assert child.config["num_hidden_layers"] == len(order)
        assert child.config["layer_types"] == [parent.config["layer_types"][old] for old in order]
        for new, old in facts.layer_map:
            name = "model.layers.{}.mlp.up_proj.weight"
            assert np.array_equal(child.tensors[name.format(new)], parent.tensors[name.format(old)])


def test_a_narrowed_model_is_made_of_the_parents_numbers():
    parent = tiny("llama-mha")
    child, facts = in_parts(width.narrow)(parent, np.random.default_rng(0))
    kept = json.loads(facts.notes)["hidden"]
    assert (child.config["hidden_size"], child.config["num_attention_heads"], child.config["intermediate_size"]) == (24, 3, 36)
    assert np.array_equal(child.tensors["lm_head.weight"], parent.tensors["lm_head.weight"][:, kept])
    old = parent.tensors["model.layers.1.mlp.up_proj.weight"][:, kept]
    assert all((row == old).all(1).any() for row in child.tensors["model.layers.1.mlp.up_proj.weight"])


def test_upcycled_experts_are_the_dense_mlp_with_little_noise():
    parent = tiny("mistral")
    child, _ = BY_NAME["upcycled-moe"].apply(parent, np.random.default_rng(0))
    assert child.config["model_type"] == "mixtral"
    dense = parent.tensors["model.layers.1.mlp.gate_proj.weight"]
    copies = [child.tensors[f"model.layers.1.block_sparse_moe.experts.{i}.w1.weight"] for i in range(4)]
    for copy in copies:
        assert 0.01 < np.linalg.norm(copy - dense) / np.linalg.norm(dense) < 0.03
    assert not np.array_equal(copies[0], copies[1])


def with_tokenizer(model):
    words = {f"w{i}": i for i in range(VOCABULARY)}
    tokenizer = Tokenizer(WordLevel(words, unk_token="w0"))
    tokenizer.add_special_tokens(["w0", "w1"])
    return Checkpoint(model.tensors, model.config, {"tokenizer.json": json.loads(tokenizer.to_str())})


def test_a_reordered_vocabulary_moves_rows_and_tokenizer_alike():
    parent = with_tokenizer(tiny("qwen2"))
    child, facts = in_parts(vocabulary.extend_and_reorder)(parent, np.random.default_rng(0))
    before, after = (Tokenizer.from_str(json.dumps(each.files["tokenizer.json"])) for each in (parent, child))
    name = "model.embed_tokens.weight"
    for token, old in before.get_vocab().items():
        new = after.token_to_id(token)
        assert new == facts.token_ids[old]
        assert np.array_equal(child.tensors[name][new], parent.tensors[name][old])
    assert after.get_vocab_size() == child.config["vocab_size"] == VOCABULARY + 64
    assert child.config["eos_token_id"] == facts.token_ids[parent.config["eos_token_id"]]


def test_renamed_tensors_keep_their_values_and_scrambled_ones_not_even_numbers():
    parent = tiny("mixtral")
    for function, numbered in ((renaming.to_nonsense, True), (renaming.to_scrambled, False)):
        child, facts = function(parent, np.random.default_rng(0))
        assert child.tensors.keys() == facts.names.keys()
        assert all(child.tensors[new] is parent.tensors[old] for new, old in facts.names.items())
        assert any(character.isdigit() for name in child.tensors for character in name) is numbered
        assert "self_attn" not in str(child.tensors.keys())
        assert "model_type" not in child.config


def test_the_nf4_levels_follow_from_the_normal_distribution():
    from benchmarks.zoo.derivations.quantisers import NF4

    ends = norm.ppf(np.linspace(0.9677083, 0.5, 9)[:-1]), -norm.ppf(np.linspace(0.9677083, 0.5, 8)[:-1])
    levels = np.sort(np.concatenate([ends[0], [0], ends[1]]))
    np.testing.assert_allclose(NF4, levels / levels.max(), atol=1e-6)


def small_zoo(folder):
    """Two twin bases with three fine-tunes each, all random."""
    for name in ("llama-a", "llama-b"):
        for suffix, noise in {"": 0.0, ".ft-a": 0.01, ".ft-b": 0.02, ".ft-short": 0.03}.items():
            model = tiny("llama", seed=ord(name[-1]))
            model = Checkpoint({each: values + np.float32(noise) for each, values in model.tensors.items()}, model.config)
            (folder / (name + suffix)).mkdir()
            write(model, folder / (name + suffix))
            entry = manifest.Entry(
                name=name + suffix,
                split=BASES[name].split,
                relation="derived" if suffix else "base",
                bases=[name],
                parents={name: 1.0} if suffix else {},
                kind="fine-tuned" if suffix else "base",
                transformation=suffix[1:],
                architecture="llama",
            )
            manifest.write(entry, folder / entry.name)


def test_derivatives_are_made_with_their_ground_truth_and_only_once(tmp_path, capsys):
    small_zoo(tmp_path)
    derive_all(tmp_path, "full", "llama-a.[mr]*")
    made = {entry.name: entry for entry in manifest.load(tmp_path)}
    linear = made["llama-a.merge-linear-70-30"]
    assert (linear.kind, linear.parents) == ("merged", {"llama-a.ft-a": 0.7, "llama-a.ft-b": 0.3})
    assert (linear.bases, linear.base_column, linear.split) == (["llama-a"], "llama-a", "development")
    cross = made["llama-a.merge-cross-llama-b"]
    assert (cross.bases, cross.base_column) == (["llama-a", "llama-b"], None)
    values = read(tmp_path / cross.name).tensors["lm_head.weight"]
    halves = [read(tmp_path / parent).tensors["lm_head.weight"] / 2 for parent in cross.parents]
    np.testing.assert_allclose(values, halves[0] + halves[1], rtol=1e-6)
    rotated = made["llama-a.residual-rotation"]
    assert (rotated.kind, rotated.relation, rotated.parents) == ("disguised", "derived", {"llama-a": 1.0})
    assert rotated.preserves_function
    assert 0 < rotated.logit_difference < 1e-5
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "llama-a.merge-passthrough-overlapping")
    assert model.config.num_hidden_layers == 6
    capsys.readouterr()
    derive_all(tmp_path, "full", "llama-a.[mr]*")
    assert capsys.readouterr().out == ""


def test_the_smoke_set_makes_few_and_of_a_twin_fewer(tmp_path):
    small_zoo(tmp_path)
    derive_all(tmp_path, "smoke", None)
    made = {entry.name.partition(".")[::2] for entry in manifest.load(tmp_path) if "." in entry.name}
    of_twin = {name for base, name in made if base == "llama-b" and not name.startswith(("ft", "merge"))}
    assert of_twin == {each.name for each in TRANSFORMATIONS if each.smoke and each.twins}
    of_first = {name for base, name in made if base == "llama-a" and not name.startswith(("ft", "merge"))}
    assert of_first == {each.name for each in TRANSFORMATIONS if each.smoke and each.suits(tiny("llama").config)}


def test_one_that_fails_does_not_stop_the_others(tmp_path, monkeypatch):
    small_zoo(tmp_path)
    broken = replace(BY_NAME["bf16"], name="broken", apply=in_parts(neurons.rescale_gate), keeps=True)
    monkeypatch.setattr(making, "TRANSFORMATIONS", (broken, BY_NAME["bf16"]))
    with pytest.raises(RuntimeError, match=r"llama-a\.broken: logits differ"):
        derive_all(tmp_path, "full", "*.b*")
    assert manifest.is_finished(tmp_path, "llama-b.bf16")
    assert not list(tmp_path.glob("*broken*"))
