"""Folding by hand what `folds` says leaves every model's output as it is: transformers' own forward passes are the judges."""

from typing import Any

import numpy as np
import pytest
import torch
import transformers
from numpy.typing import NDArray

from support.models import arrays, matrix, stored, tiny, view_of
from tensorguard.tensors.folding import Folding, Folds, folds
from tensorguard.tensors.view import View, canonical_view
from tensorguard.tensors.weight import Weight

TOKENS = torch.arange(3, 15)[None]
PRE_NORMS = ("attention_in", "attention_in_2", "ffn_in", "ssm_in", "cross_in", "final", "q_a", "kv_a")
LAYER_NORMS = {"gpt2", "phi", "cohere", "mpt", "gptj", "gpt_neox", "falcon", "bloom", "opt", "starcoder2", "nemotron", "olmo"}
FROM_ONE = {"gemma", "gemma2", "gemma3_text", "nemotron"}
SETTINGS: dict[str, dict[str, Any]] = {
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4},
    "gptj": {"n_embd": 32, "n_layer": 2, "n_head": 4, "rotary_dim": 4},
    "mpt": {"d_model": 32, "n_layers": 2, "n_heads": 4},
    "bloom": {"n_layer": 2, "n_head": 4},
    "falcon": {"multi_query": True, "parallel_attn": True, "new_decoder_architecture": False},
    "gemma": {"head_dim": 8},
    "gemma2": {"head_dim": 8},
    "gemma3_text": {"head_dim": 8},
    "opt": {"ffn_dim": 48, "word_embed_proj_dim": 32},
    "mixtral": {"num_local_experts": 4, "experts_implementation": "eager"},
    "deepseek_v3": {
        "q_lora_rank": 12, "kv_lora_rank": 16, "qk_nope_head_dim": 8, "qk_rope_head_dim": 4, "v_head_dim": 8,
        "n_routed_experts": 4, "n_group": 1, "topk_group": 1, "num_experts_per_tok": 2, "moe_intermediate_size": 16,
        "first_k_dense_replace": 1, "num_key_value_heads": 4, "experts_implementation": "eager",
    },
    "mamba": {"state_size": 4},
}  # fmt: skip
MODELS = [
    "llama", "qwen2", "gemma", "gemma2", "gemma3_text", "gpt2", "phi", "cohere", "mpt", "gptj", "gpt_neox", "falcon", "bloom", "opt",
    "starcoder2", "nemotron", "olmo", "olmo2", "mixtral", "deepseek_v3", "mamba",
]  # fmt: skip


def model_of(model_type: str, kind: str = "CausalLM", **settings: Any) -> torch.nn.Module:
    """A model in double precision with an output head of its own, and norms without biases: those move no matrix."""
    model = tiny(model_type, kind, tie_word_embeddings=False, **SETTINGS.get(model_type, {}), **settings).double().eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(parameter.float() / (4 if parameter.ndim > 1 else 1))
            if name.endswith("bias") and ("norm" in name or "ln_" in name):
                parameter.zero_()
    return model


def folded(weight: Weight, through: Folds) -> NDArray[np.float64]:
    """W with both sides folded, by the definition: gains on columns and rows, then the mean taken out."""
    values = matrix(weight).astype(np.float64)
    reads, writes = (f(weight.stack, weight.layer, weight.role) for f in (through.reader, through.writer))
    if reads.gain is not None:
        values = values * reads.gain
    if reads.centred:
        values = values - values.mean(1, keepdims=True)
    return values - values.mean(0) if writes.centred else values


def fold_by_hand(model: torch.nn.Module, view: View, neutral: float) -> None:
    """Write every folded matrix over the model's own, and make its pre-norms' gains neutral."""
    through = folds(view, "safetensors")
    state = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    for weight in view.weights:
        values = folded(weight, through)
        if weight.role == "embed" and through.embedding(weight.stack).centred:
            values = values - values.mean(1, keepdims=True)
        flat = state[weight.name].reshape(-1, weight.stored.shape[-1])
        rows = weight.order.indices(0, weight.shape[0])
        if weight.transposed:
            flat[weight.first : weight.first + weight.shape[1], rows] = values.T
        else:
            flat[rows] = values
    tied = all(weight.role != "lm_head" for weight in view.weights)
    for vector in view.vectors:
        if (
            vector.role == "norm"
            and vector.part in PRE_NORMS
            and not (tied and vector.part == "final" and vector.stack == "decoder")
        ):
            state[vector.stored.name][:] = neutral


@pytest.mark.parametrize("model_type", MODELS)
def test_folding_by_hand_changes_no_output(model_type: str) -> None:
    model = model_of(model_type)
    view = view_of(model.float())
    model.double()
    with torch.no_grad():
        before = model(input_ids=TOKENS).logits.numpy()
        fold_by_hand(model, view, 0.0 if model_type in FROM_ONE else 1.0)
        after = model(input_ids=TOKENS).logits.numpy()
    np.testing.assert_allclose(after, before, rtol=0, atol=1e-5 * before.std())
    q = folds(view, "safetensors").reader("decoder", 1, "q")
    assert q.centred == (model_type in LAYER_NORMS)


@pytest.mark.parametrize("model_type", ["t5", "mbart"])
def test_encoder_and_decoder_are_folded_each_by_its_own_norms(model_type: str) -> None:
    sizes = {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4} if model_type == "t5" else {
        "d_model": 32, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4, "decoder_attention_heads": 4,
        "encoder_ffn_dim": 48, "decoder_ffn_dim": 48,
    }  # fmt: skip
    model = model_of(model_type, "Seq2SeqLM", **sizes)
    view = view_of(model.float())
    model.double()
    neutral = [weight for weight in view.weights if weight.role != "embed"]  # the encoder's and the decoder's are one here
    with torch.no_grad():
        before = model(input_ids=TOKENS, decoder_input_ids=TOKENS).logits.numpy()
        fold_by_hand(model, View(tuple(neutral), view.vectors, (), (), view.architecture, 0, ()), 1.0)
        after = model(input_ids=TOKENS, decoder_input_ids=TOKENS).logits.numpy()
    np.testing.assert_allclose(after, before, rtol=0, atol=1e-5 * before.std())
    assert folds(view, "safetensors").reader("cross", 0, "k").gain is not None


def whole(view: View, part: str, layer: int | None) -> NDArray[np.float32]:
    norm = next(v.stored for v in view.vectors if (v.role, v.part, v.layer) == ("norm", part, layer))
    return norm.read(slice(0, 1), slice(0, norm.shape[-1]))[0]


@pytest.mark.parametrize(("model_type", "offset"), [("gemma2", 1), ("gemma3_text", 1), ("olmo2", 0), ("glm4", 0)])
def test_output_norms_multiply_the_rows_of_what_they_follow(model_type: str, offset: int) -> None:
    view = view_of(tiny(model_type, head_dim=8))
    through = folds(view, "safetensors")
    for role, part in (("o", "attention_out"), ("down", "ffn_out")):
        fold = through.writer("decoder", 1, role)
        np.testing.assert_array_equal(fold.gain, whole(view, part, 1) + offset)
        assert not fold.centred


def test_a_model_without_pre_norms_is_read_as_it_is() -> None:
    through = folds(view_of(tiny("olmo2")), "safetensors")
    for role in ("q", "k", "v", "gate", "up"):
        assert is_nothing(through.reader("decoder", 0, role))
    assert through.reader("decoder", None, "lm_head").gain is not None


def is_nothing(fold: Folding) -> bool:
    return fold.gain is None and not fold.centred


POST_NORMED: list[tuple[str, str, dict[str, Any]]] = [
    ("bert", "MaskedLM", {}),
    ("roberta", "MaskedLM", {}),
    ("distilbert", "MaskedLM", {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 48}),
    ("openai-gpt", "CausalLM", {"n_embd": 32, "n_layer": 2, "n_head": 4}),
    ("opt", "CausalLM", {"ffn_dim": 48, "word_embed_proj_dim": 32, "do_layer_norm_before": False}),
    ("bart", "Seq2SeqLM", {"d_model": 32, "encoder_layers": 2, "decoder_layers": 2, "encoder_ffn_dim": 48, "decoder_ffn_dim": 48,
                           "encoder_attention_heads": 4, "decoder_attention_heads": 4}),
]  # fmt: skip


@pytest.mark.parametrize(("model_type", "kind", "settings"), POST_NORMED)
def test_post_norms_are_folded_into_nothing(model_type: str, kind: str, settings: dict[str, Any]) -> None:
    view = view_of(tiny(model_type, kind, **settings))
    through = folds(view, "safetensors")
    assert len(view.weights) > 8
    for weight in view.weights:
        assert is_nothing(through.reader(weight.stack, weight.layer, weight.role)), weight
        assert is_nothing(through.writer(weight.stack, weight.layer, weight.role)), weight


@pytest.mark.parametrize(("model_type", "kind", "settings"), [("bloom", "CausalLM", SETTINGS["bloom"]), POST_NORMED[0]])
def test_the_norm_of_the_embedding_turns_its_rows_into_the_stream(model_type: str, kind: str, settings: dict[str, Any]) -> None:
    model = tiny(model_type, kind, **settings).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "word_embeddings" not in name or name.endswith("bias"):
                parameter.mul_("norm" in name.lower() and name.endswith("weight"))  # no positions, no biases
        stream = model(input_ids=TOKENS, output_hidden_states=True).hidden_states[0][0].numpy()
    view = view_of(model)
    fold = folds(view, "safetensors").embedding(view.weights[0].stack)
    rows = matrix(next(w for w in view.weights if w.role == "embed"))[TOKENS[0].numpy()]
    assert fold.centred
    rows = rows - rows.mean(1, keepdims=True)
    rows = fold.gain * rows / np.linalg.norm(rows, axis=1, keepdims=True) * 32**0.5
    np.testing.assert_allclose(rows, stream, rtol=0, atol=1e-4)


def test_the_first_block_of_modernbert_reads_the_embedding_as_it_is() -> None:
    through = folds(view_of(tiny("modernbert", "MaskedLM")), "safetensors")
    assert is_nothing(through.reader("encoder", 0, "q"))
    assert through.reader("encoder", 1, "q").gain is not None
    assert through.reader("encoder", 1, "q").centred
    assert through.writer("encoder", 0, "o").centred
    assert through.embedding("encoder").gain is not None


def test_norms_without_parameters_still_take_the_mean_out() -> None:
    fold = folds(view_of(tiny("olmo")), "safetensors").reader("decoder", 0, "up")
    assert fold.gain is None
    assert fold.centred


def gguf_view(named: dict[str, NDArray[np.float32]], architecture: str) -> View:
    return canonical_view(stored(named), {"general.architecture": architecture}, "gguf")


def block(*norms: str, layers: int = 2) -> dict[str, NDArray[np.float32]]:
    """A GGUF checkpoint of width 8 with these norms, random."""
    rng = np.random.default_rng(0)
    shapes = {
        "attn_q": (8, 8),
        "attn_k": (8, 8),
        "attn_v": (8, 8),
        "attn_output": (8, 8),
        "ffn_gate": (12, 8),
        "ffn_up": (12, 8),
        "ffn_down": (8, 12),
    }
    shapes |= dict.fromkeys(norms, (8,))
    named = {f"blk.{i}.{n}.weight": rng.normal(size=s) for i in range(layers) for n, s in shapes.items()}
    named |= {"token_embd.weight": rng.normal(size=(20, 8)), "output_norm.weight": rng.normal(size=8)}
    return {name: array.astype(np.float32) for name, array in named.items()}


def test_gguf_holds_gemmas_gains_ready_to_multiply_with() -> None:
    named = block("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm")
    through = folds(gguf_view(named, "gemma2"), "gguf")
    np.testing.assert_array_equal(through.reader("decoder", 1, "k").gain, named["blk.1.attn_norm.weight"])
    np.testing.assert_array_equal(through.writer("decoder", 0, "down").gain, named["blk.0.post_ffw_norm.weight"])


def test_falcons_second_norm_is_the_attentions_in_gguf() -> None:
    named = block("attn_norm", "attn_norm_2")
    through = folds(gguf_view(named, "falcon"), "gguf")
    np.testing.assert_array_equal(through.reader("decoder", 0, "q").gain, named["blk.0.attn_norm_2.weight"])
    np.testing.assert_array_equal(through.reader("decoder", 0, "up").gain, named["blk.0.attn_norm.weight"])


def test_the_only_norm_after_attention_is_what_the_mlp_reads_through() -> None:
    named = block("attn_norm", "post_attention_norm")
    through = folds(gguf_view(named, "gpt-oss"), "gguf")
    np.testing.assert_array_equal(through.reader("decoder", 0, "up").gain, named["blk.0.post_attention_norm.weight"])
    assert through.writer("decoder", 0, "o").gain is None


@pytest.mark.parametrize(("architecture", "centred"), [("llama", False), ("olmo", True), ("command-r", True), ("qwen2", False)])
def test_layer_norms_without_bias_are_known_by_architecture_in_gguf(architecture: str, centred: bool) -> None:
    through = folds(gguf_view(block("attn_norm"), architecture), "gguf")
    assert through.reader("decoder", 0, "q").centred is centred
    assert through.writer("decoder", 0, "down").centred is centred


@pytest.mark.parametrize("bad", [np.full(8, np.nan), np.array([1.0] * 7 + [np.inf]), np.ones(7), np.ones((2, 8))])
def test_a_gain_that_does_not_fit_is_left_out_with_a_notice(bad: NDArray[np.float64]) -> None:
    named = block("attn_norm", "ffn_norm") | {"blk.1.ffn_norm.weight": bad.astype(np.float32)}
    through = folds(gguf_view(named, "llama"), "gguf")
    assert through.reader("decoder", 1, "up").gain is None
    assert through.reader("decoder", 0, "up").gain is not None
    assert len(through.notices) == 1
    assert "blk.1.ffn_norm.weight" in through.notices[0]


def test_a_vision_tower_has_gains_of_its_own_kind() -> None:
    language = arrays(tiny("gemma3_text", head_dim=8))
    vision = arrays(
        transformers.SiglipVisionModel(
            transformers.SiglipVisionConfig(hidden_size=24, intermediate_size=40, num_hidden_layers=2)
        )
    )
    named = {f"language_model.{n}": a for n, a in language.items()} | {f"vision_tower.{n}": a for n, a in vision.items()}
    view = canonical_view(stored(named), {"model_type": "gemma3"}, "safetensors")
    through = folds(view, "safetensors")
    fold = through.reader("vision", 0, "q")
    np.testing.assert_array_equal(fold.gain, next(a for n, a in vision.items() if n.endswith("layers.0.layer_norm1.weight")))
    assert fold.centred
    np.testing.assert_array_equal(through.reader("decoder", 0, "q").gain, language["model.layers.0.input_layernorm.weight"] + 1)
    assert not through.reader("decoder", 0, "q").centred


def test_onto_is_the_folded_matrix_applied() -> None:
    rng = np.random.default_rng(1)
    w, x, gain = (rng.normal(size=s).astype(np.float32) for s in ((5, 8), (8, 3), (8,)))
    projector = np.eye(8) - 1 / 8
    fold = Folding(gain, centred=True)
    np.testing.assert_allclose(w @ fold.onto(x), w @ np.diag(gain) @ projector @ x, atol=1e-5)
    np.testing.assert_allclose(fold.onto(x).T @ w.T, x.T @ projector @ np.diag(gain) @ w.T, atol=1e-5)
    np.testing.assert_array_equal(Folding().onto(x), x)
