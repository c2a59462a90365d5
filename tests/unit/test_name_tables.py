"""The tables themselves: well formed, and where two of them claim the same names they say the same."""

import itertools
import json
from importlib.resources import files

import numpy as np
import pytest

from support.memory import MemoryTensor
from tensorguard.tensors.architectures import architectures, is_number
from tensorguard.tensors.buffers import reason_to_exclude
from tensorguard.tensors.naming import place_by_name
from tensorguard.tensors.roles import CATEGORIES, MATRIX_ROLES, VECTOR_ROLES, category, rank

DATA = files("tensorguard.tensors") / "data"
ASKED = {
    "llama", "llama_meta", "mistral", "qwen", "qwen2", "qwen3", "gemma", "gemma2", "gemma3", "phi", "phi3", "gpt2",
    "gpt_neox", "gptj", "bloom", "falcon", "opt", "mpt", "bert", "roberta", "distilbert", "t5", "mixtral", "qwen2_moe",
    "deepseek", "gpt_oss", "olmo", "olmo2", "stablelm", "starcoder2", "cohere", "granite", "internlm2", "baichuan", "glm4",
    "chatglm", "minicpm", "nemotron", "gguf", "gguf_llama", "gguf_bert", "gguf_t5",
}  # fmt: skip
LLAMA_LIKE = ["llama", "mistral", "qwen2", "qwen3", "gemma", "granite", "minicpm", "olmo"]


def test_every_architecture_of_the_design_has_a_table() -> None:
    assert {table.name for table in architectures()} >= ASKED


def test_roles_are_known_and_numbers_are_named() -> None:
    known = {*MATRIX_ROLES, *VECTOR_ROLES}
    for table in architectures():
        for key, templates in table.templates.items():
            assert all(template.role in known for template in templates), (table.name, key)
            assert all(template.numbers.count("{layer}") <= 1 for template in templates)
            assert all(len(template.numbers) == key.split(".").count("*") for template in templates)


def all_different(pairs: list[tuple[str, object]]) -> dict[str, object]:
    assert len({key for key, _ in pairs}) == len(pairs), pairs
    return dict(pairs)


def test_no_template_is_written_twice() -> None:
    texts = {entry.stem: entry.read_text("utf-8") for entry in (DATA / "architectures").iterdir()}
    assert set(texts) >= ASKED
    for text in texts.values():
        assert json.loads(text, object_pairs_hook=all_different)


@pytest.mark.parametrize(("one", "other"), itertools.combinations(LLAMA_LIKE, 2))
def test_tables_that_tie_agree(one: str, other: str) -> None:
    tables = {table.name: table.templates for table in architectures()}
    shared = tables[one].keys() & tables[other].keys()
    assert len(shared) > 10
    assert all(tables[one][key] == tables[other][key] for key in shared)


def test_configuration_breaks_ties_and_no_more() -> None:
    shapes = {"self_attn.q_proj": (8, 8), "self_attn.o_proj": (8, 8), "mlp.up_proj": (16, 8), "mlp.down_proj": (8, 16)}
    tensors = [
        MemoryTensor(f"model.layers.{n}.{part}.weight", np.ones(shape)) for n in range(2) for part, shape in shapes.items()
    ]
    named = {said: place_by_name(tensors, {said}) for said in ("mistral", "granite", "nonsense", "gpt2")}
    assert {said: naming.architecture for said, naming in named.items() if naming} == {
        "mistral": "mistral",
        "granite": "granite",
        "nonsense": "llama",
        "gpt2": "llama",
    }


@pytest.mark.parametrize(
    ("name", "shape", "excluded"),
    [
        ("transformer.h.0.attn.bias", (1, 1, 4, 4), True),
        ("transformer.h.0.attn.bias", (4,), False),
        ("model.layers.0.self_attn.rotary_emb.inv_freq", (4,), True),
        ("rope_freqs.weight", (4,), True),
        ("bert.embeddings.position_ids", (1, 4), True),
        ("model.layers.0.mlp.down_proj.weight_scale_inv", (2, 2), True),
        ("model.layers.0.mlp.down_proj.weight", (2, 0), True),
        ("model.layers.0.mlp.down_proj.weight", (2, 2), False),
        ("my_inv_freq", (4,), False),
    ],
)
def test_buffers(name: str, shape: tuple[int, ...], excluded: bool) -> None:
    assert bool(reason_to_exclude(MemoryTensor(name, np.ones(shape)), {name})) is excluded


def test_categories_are_the_papers() -> None:
    assert {category(role) for role in MATRIX_ROLES} == set(CATEGORIES)
    assert [category(role) for role in ("k", "kv_b", "gate", "fc_out", "token_type", "lm_head", "router")] == [
        "attention", "attention", "ffn", "ffn", "embedding", "unknown", "unknown",
    ]  # fmt: skip
    assert rank("embed") < rank("q") < rank("gate") < rank("lm_head") < rank("norm")


def test_what_counts_as_a_number() -> None:
    assert [is_number(text) for text in ("0", "007", "999999", "1234567", "", "²", "-1", "1a")] == [
        True,
        True,
        True,
        *[False] * 5,
    ]
