"""Parsers of a model's folder: what is opened, shards and indexes, adapters, what it claims, vocabularies, inspection, merging."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from benchmarks.fuzz import mutators, seeds
from benchmarks.fuzz.containers import FOLDER
from benchmarks.fuzz.glimpse import glimpse
from benchmarks.fuzz.harness import Harness, joined, laid_out

_OUTPUT = FOLDER.with_name("output")
_BASE = FOLDER.with_name("base")
WORDS = ("the", "of", "and", "to")


def checkpoint(data: bytes) -> None:
    """Open a folder, whatever it holds."""
    from tensorguard.formats.opening import open_checkpoint
    from tensorguard.tensors.storage import stored_tensors

    opened = open_checkpoint(laid_out(FOLDER, data))
    glimpse(stored_tensors(opened.tensors), opened.config)


def shard_names(data: bytes) -> None:
    """Order files by their names alone."""
    from tensorguard.formats.beside import path_beside
    from tensorguard.formats.sharded import group_shards, order_shards

    names = [name.decode("utf-8", "surrogateescape") for name in data.split(b"\n")][:50]
    for group in group_shards(Path("model") / name for name in names if name.strip("./\0")):
        order_shards(group)
    for name in names:
        path = path_beside(FOLDER / "index.json", name)
        assert path.resolve().is_relative_to(FOLDER.resolve())


def _shard_names() -> list[bytes]:
    return [b"model-00001-of-00002.safetensors\nmodel-00002-of-00002.safetensors", b"a/b.bin", b"1-of-1.gguf\nx_2_of_2.pt"]


def adapter(data: bytes) -> None:
    """Put an adapter on a small model and read what it changes."""
    from tensorguard.adapters.applying import adapted
    from tensorguard.formats.adapter import read_adapter
    from tensorguard.formats.opening import open_checkpoint

    if not _BASE.exists():
        laid_out(_BASE, _base())
    read = read_adapter(laid_out(FOLDER, data))
    glimpse(adapted(open_checkpoint(_BASE), read).tensors, {})


def _arrays() -> dict[str, np.ndarray]:
    from support.checkpoints import llama

    return {name: np.ascontiguousarray(value) for name, value in llama(blocks=1).items()}


def _base() -> bytes:
    return joined({"model.safetensors": save(_arrays()), "config.json": b'{"model_type": "llama", "num_attention_heads": 4}'})


def adapters() -> Iterator[bytes]:
    """Yield adapters of all kinds on one matrix."""
    base = _arrays()
    module = next(name for name in base if name.endswith("q_proj.weight")).removesuffix(".weight")
    out, width = base[f"{module}.weight"].shape
    key, r = f"base_model.model.{module}", 2
    kinds: dict[str, tuple[dict[str, object], dict[str, tuple[int, ...]]]] = {
        "LORA": ({"lora_alpha": 4, "r": r}, {"lora_A.weight": (r, width), "lora_B.weight": (out, r)}),
        "DORA": (
            {"lora_alpha": 4, "r": r, "use_dora": True, "peft_type": "LORA"},
            {"lora_A.weight": (r, width), "lora_B.weight": (out, r), "lora_magnitude_vector": (out,)},
        ),
        "IA3": ({"feedforward_modules": []}, {"ia3_l": (out, 1)}),
        "LOHA": (
            {"r": r, "alpha": 4},
            {"hada_w1_a": (out, r), "hada_w1_b": (r, width), "hada_w2_a": (out, r), "hada_w2_b": (r, width)},
        ),
        "LOKR": ({"r": r, "alpha": 4}, {"lokr_w1": (2, 2), "lokr_w2_a": (out // 2, r), "lokr_w2_b": (r, width // 2)}),
        "OFT": ({"oft_block_size": 4, "r": 0}, {"oft_R.weight": (width // 4, 6)}),
        "VERA": ({"r": r, "save_projection": True}, {"vera_lambda_b": (out,), "vera_lambda_d": (r,)}),
        "PROMPT_TUNING": ({"num_virtual_tokens": 3}, {}),
    }
    for kind, (config, shapes) in kinds.items():
        tensors = {f"{key}.{end}": np.full(shape, 0.1, np.float32) for end, shape in shapes.items()}
        if kind == "VERA":
            tensors |= {"base_model.vera_A": np.ones((r, 256), np.float32), "base_model.vera_B": np.ones((256, r), np.float32)}
        if not shapes:
            tensors = {"prompt_embeddings": np.ones((3, width), np.float32)}
        settings = {
            "peft_type": kind,
            "base_model_name_or_path": "org/base",
            "target_modules": ["q_proj"],
            "rank_pattern": {},
            "alpha_pattern": {r"layers\.0.*q_proj": 8},
            **config,
        }
        yield joined({"adapter_config.json": json.dumps(settings).encode(), "adapter_model.safetensors": save(tensors)})


def inspection(data: bytes) -> None:
    """Tell of a folder what `inspect` tells, as a table and as JSON."""
    from tensorguard.api.inspecting import inspect

    repr(inspect(laid_out(FOLDER, data)))


def _inspected() -> Iterator[bytes]:
    yield from seeds.sharded()
    yield from list(adapters())[:3]
    yield _base()


def merging(data: bytes) -> None:
    """Merge a model's shards, or an adapter into its base, into one file."""
    from tensorguard.merge.write import merge

    if not _BASE.exists():
        laid_out(_BASE, _base())
    folder = laid_out(FOLDER, data)
    shutil.rmtree(_OUTPUT, ignore_errors=True)
    _OUTPUT.mkdir()
    is_adapter = (folder / "adapter_config.json").is_file() and not (folder / "model.safetensors").exists()
    merge(folder, _OUTPUT / "model.safetensors", base=_BASE if is_adapter else None, dtype="F32", force=True)


def claims(data: bytes) -> None:
    """Read what a model's folder claims of it."""
    from tensorguard.licences.claims import read_claims

    repr(read_claims(laid_out(FOLDER, data)))


def _claims() -> Iterator[bytes]:
    model = save({"a": np.ones(3, np.float32)}, {"license": "mit", "modelspec.title": "x"})
    config = json.dumps(
        {"_name_or_path": "org/x", "architectures": ["LlamaForCausalLM"], "hidden_size": 8, "text_config": {"n_embd": 3}}
    )
    merge = b"models:\n  - model: org/a\n    parameters: {weight: 0.5}\n  - model: {model: {path: org/b}}\n"
    merge += b"merge_method: slerp\nbase_model: org/a\n"
    folder = {
        "model.safetensors": model,
        "config.json": config.encode(),
        "README.md": CARD,
        "mergekit_config.yml": merge,
        "LICENSE": b"Apache License 2.0",
        "NOTICE": b"n",
        "Llama-3-LICENSE.txt": b"META LLAMA 3",
    }
    yield joined(folder)
    yield joined({name: folder[name] for name in ("model.safetensors", "README.md")})
    yield joined({"adapter_config.json": b'{"peft_type": "LORA", "base_model_name_or_path": "a/b"}', "README.md": CARD})


CARD = b"""---
license: other
license_name: llama3
license_link: https://x/LICENSE
base_model:
  - org/a
  - org/b
base_model_relation: merge
tags: [a, "b", 'c']
language: no
"quoted": >-
  folded
  text
x: {y: [1, {z: ~}]}
---
# A title
Trained from scratch on tokens. <!-- hidden --> It was not trained from scratch.
```
code
```
"""


def card(data: bytes) -> None:
    """Read a model card."""
    from tensorguard.licences.claim_sources import of_card, of_merge
    from tensorguard.licences.front_matter import read_front_matter, read_mapping

    text = data.decode("utf-8", "replace")
    found = read_front_matter(text)
    repr((list(of_card(found.fields, found.body)), list(of_merge(read_mapping(text, "the configuration")[0]))))


def vocabulary(data: bytes) -> None:
    """Look words up in a model's vocabulary."""
    from tensorguard.formats.vocabulary import Vocabulary, vocabulary_files

    for path in vocabulary_files(laid_out(FOLDER, data)):
        Vocabulary((path,)).find(WORDS)


def _vocabularies() -> Iterator[bytes]:
    from support.containers import ARRAY, STRING, array, gguf_bytes, pair, text

    unigram = {"model": {"type": "Unigram", "vocab": [["<s>", 0.0], ["▁the", -1.5], ["▁of", -2.5]]}}
    bpe = {"model": {"type": "BPE", "vocab": {"Ġthe": 1, "Ġof": 2, "a": 0}, "merges": ["a b"]}, "added_tokens": [{"id": 3}]}
    pieces = b"".join(b"\x0a\x08\x0a\x06" + each for each in ("▁the".encode(), "▁of ".encode()))
    for each in (unigram, bpe):
        yield joined({"tokenizer.json": json.dumps(each).encode(), "vocab.json": b'{"the": 1, "##of": 2}'})
    yield joined({"vocab.txt": b"[PAD]\nthe\r\nof\n##ing", "tokenizer.model": pieces})
    yield joined(
        {"model.gguf": gguf_bytes([pair("tokenizer.ggml.tokens", ARRAY, array(STRING, 2, text("Ġthe") + text("Ġof")))])}
    )


HARNESSES = (
    Harness("folder", checkpoint, seeds.sharded, mutators.files, 16384, 0.2),
    Harness("shard-names", shard_names, _shard_names, mutators.plain, 2048, modules="formats.sharded formats.beside"),
    Harness(
        "adapter", adapter, adapters, mutators.files, share=0.1, modules="formats.opening formats.adapter adapters.applying"
    ),
    Harness("inspect", inspection, _inspected, mutators.files, 16384, 0.03, "api.inspecting"),
    Harness("merge", merging, _inspected, mutators.files, 16384, 0.03, "merge.write"),
    Harness("claims", claims, _claims, mutators.files, share=0.2, modules="licences.claims"),
    Harness(
        "card", card, lambda: [CARD, *seeds.real(".md")], mutators.lines, modules="licences.claim_sources licences.front_matter"
    ),
    Harness("vocabulary", vocabulary, _vocabularies, mutators.files, share=0.3, modules="formats.vocabulary"),
)
