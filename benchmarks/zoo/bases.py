"""The bases: which there are, their configurations, and how one is trained from scratch."""

import json
import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    GemmaConfig,
    GPT2Config,
    LlamaConfig,
    MistralConfig,
    MixtralConfig,
    Olmo2Config,
    Phi3Config,
    PretrainedConfig,
    PreTrainedModel,
    Qwen2Config,
)

from benchmarks.checkpoint import new_folder
from benchmarks.zoo.corpus import VOCABULARY, Corpora
from benchmarks.zoo.manifest import Entry, seed_of, write
from benchmarks.zoo.training import next_token_loss, train

STEPS = 300
RATE = 3e-3
POSITIONS = 512
INITIAL_DEVIATION = 0.05
"""Of the first weights; at these widths the usual 0.02 learns more slowly."""


def _gated(kind: type[PretrainedConfig], width: int, layers: int, kv_heads: int = 4, **more: Any) -> PretrainedConfig:
    """Everything but GPT-2: four heads, an intermediate width of 3 times the width."""
    return kind(
        vocab_size=VOCABULARY,
        hidden_size=width,
        intermediate_size=3 * width,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=kv_heads,
        max_position_embeddings=POSITIONS,
        initializer_range=INITIAL_DEVIATION,
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=0,
        **more,
    )


def _gpt2(width: int, layers: int) -> PretrainedConfig:
    return GPT2Config(
        vocab_size=VOCABULARY,
        n_embd=width,
        n_layer=layers,
        n_head=4,
        n_positions=POSITIONS,
        initializer_range=INITIAL_DEVIATION,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=0,
        eos_token_id=0,
    )


_llama_a = partial(_gated, LlamaConfig, 128, 4, head_dim=32)
_mistral_a = partial(_gated, MistralConfig, 128, 6, 2, head_dim=32, sliding_window=None)
_gpt2_a = partial(_gpt2, 128, 4)
_qwen2_a = partial(_gated, Qwen2Config, 96, 5, 2, tie_word_embeddings=True)
_gemma_a = partial(_gated, Gemma2Config, 128, 4, 2, head_dim=32, query_pre_attn_scalar=32, sliding_window=POSITIONS)
_llama_e = partial(_gated, LlamaConfig, 160, 6, 2, head_dim=40)
_mistral_e = partial(_gated, MistralConfig, 128, 8, 2, head_dim=32, sliding_window=None)
_qwen2_e = partial(_gated, Qwen2Config, 128, 4, 2, tie_word_embeddings=False)
_gpt2_e = partial(_gpt2, 144, 5)
_gemma_e = partial(_gated, GemmaConfig, 128, 5, 1, head_dim=32)
_phi3_e = partial(_gated, Phi3Config, 128, 4, 2)
_moe_e = partial(_gated, MixtralConfig, 96, 4, 2, num_local_experts=4, num_experts_per_tok=2)
_olmo2_e = partial(_gated, Olmo2Config, 128, 4)


@dataclass(frozen=True)
class Base:
    """A base and how it relates to the others."""

    name: str
    split: str
    config: partial[PretrainedConfig]
    corpus: str
    """Whose tokenizer it has and what it reads."""
    reads: str = ""
    """What it reads, where that is another corpus."""
    twin_of: str = ""
    """The base whose data it reads in the same order."""
    init_of: str = ""
    """The base whose first weights it has."""

    @property
    def original(self) -> bool:
        """Whether all derivatives are made of it, and not the short fine-tunes alone."""
        return not (self.twin_of or self.init_of)


_D, _E = "development", "evaluation"
BASES = {
    base.name: base
    for base in (
        Base("llama-a", _D, _llama_a, "code"),
        Base("gpt2-a", _D, _gpt2_a, "code"),
        Base("llama-b", _D, _llama_a, "code", twin_of="llama-a"),
        Base("llama-c", _D, _llama_a, "code", twin_of="llama-a"),
        Base("gpt2-b", _D, _gpt2_a, "code", twin_of="gpt2-a"),
        Base("mistral-a", _D, _mistral_a, "prose"),
        Base("mistral-b", _D, _mistral_a, "prose", twin_of="mistral-a"),
        Base("qwen2-a", _D, _qwen2_a, "prose"),
        Base("gemma-a", _D, _gemma_a, "code"),
        Base("gemma-b", _D, _gemma_a, "code", twin_of="gemma-a"),
        Base("llama-same-init-a", _D, _llama_a, "code", reads="prose", init_of="llama-a"),
        Base("llama-e", _E, _llama_e, "prose"),
        Base("llama-f", _E, _llama_e, "prose", twin_of="llama-e"),
        Base("llama-g", _E, _llama_e, "prose", twin_of="llama-e"),
        Base("mistral-e", _E, _mistral_e, "code"),
        Base("mistral-f", _E, _mistral_e, "code", twin_of="mistral-e"),
        Base("qwen2-e", _E, _qwen2_e, "code"),
        Base("qwen2-f", _E, _qwen2_e, "code", twin_of="qwen2-e"),
        Base("gpt2-e", _E, _gpt2_e, "prose"),
        Base("gpt2-f", _E, _gpt2_e, "prose", twin_of="gpt2-e"),
        Base("gemma-e", _E, _gemma_e, "prose"),
        Base("gemma-f", _E, _gemma_e, "prose", twin_of="gemma-e"),
        Base("phi3-e", _E, _phi3_e, "code"),
        Base("phi3-f", _E, _phi3_e, "code", twin_of="phi3-e"),
        Base("moe-e", _E, _moe_e, "code"),
        Base("moe-f", _E, _moe_e, "code", twin_of="moe-e"),
        Base("olmo2-e", _E, _olmo2_e, "prose"),
    )
}


def initial(config: PretrainedConfig, seed: int) -> PreTrainedModel:
    """A model with random weights."""
    torch.manual_seed(seed)
    return AutoModelForCausalLM.from_config(config, dtype=torch.float32)


def open_model(folder: Path) -> PreTrainedModel:
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)


def save(model: PreTrainedModel, tokenizer: Path, folder: Path) -> str:
    """Write a model in the Hugging Face layout and return its `model_type`."""
    model.save_pretrained(folder)
    shutil.copyfile(tokenizer, folder / "tokenizer.json")
    (folder / "generation_config.json").unlink(missing_ok=True)
    return str(json.loads((folder / "config.json").read_text("utf-8"))["model_type"])


def make_base(base: Base, out: Path, corpora: Corpora, steps: int = STEPS) -> None:
    """Train a base and write it to `out/NAME`."""
    tokenizer = corpora.tokenizer(base.corpus)
    reads = base.reads or base.corpus
    model = initial(base.config(), seed_of(base.init_of or base.name))
    data = corpora.batches(tokenizer, {reads: 1.0}, seed_of("data of " + (base.twin_of or base.name)), steps)
    loss = train(model, next_token_loss(model), data, steps=steps, rate=RATE)
    notes = f"reads {reads}; loss {loss:.2f} nats, unigram entropy {corpora.unigram_entropy(tokenizer, reads):.2f}"
    with new_folder(out / base.name) as folder:
        entry = Entry(
            name=base.name,
            split=base.split,
            relation="shared-initialisation" if base.init_of else "base",
            bases=[base.name],
            parents={},
            kind="base",
            transformation="",
            architecture=save(model, tokenizer, folder),
            shared_with=base.init_of or None,
            seed=seed_of(base.name),
            steps=steps,
            notes=notes + (f"; twin of {base.twin_of}" if base.twin_of else ""),
        )
        write(entry, folder)
