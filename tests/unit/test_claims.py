"""What a model claims, read of the files that real tools write."""

import json
from pathlib import Path

import pytest

from support.adapters import write_adapter
from support.checkpoints import llama, save
from support.containers import ARRAY, STRING, U32, array, gguf_bytes, gguf_tensor, pair, text
from tensorguard.errors import NotFoundError
from tensorguard.licences.claim_sources import of_card, of_config
from tensorguard.licences.claims import Claims, read_claims

CARD = """---
license: other
license_name: llama3.2
license_link: LICENSE
base_model:
- meta-llama/Llama-3.2-1B
- org/Other
base_model_relation: merge
language: [no, en]
tags:
- merge
---
# Llama 3.2 Mine

Built with Llama.
"""

MERGE = """
merge_method: linear
base_model: org/base
models:
  - model: org/a
    parameters: {weight: 0.7}
  - model: {model: {path: org/b}}
    parameters:
      weight: 0.3
  - model: org/c+org/lora
    parameters: {weight: [0, 1]}
slices:
  - sources:
      - model: org/d
        layer_range: [0, 8]
"""


def test_a_card_and_what_lies_beside_it(tmp_path: Path) -> None:
    folder = save(tmp_path / "mine", llama(), metadata={"license": "mit", "format": "pt"})
    for name, content in {
        "README.md": CARD,
        "mergekit_config.yml": MERGE,
        "LICENSE.txt": "LLAMA 3.2 COMMUNITY LICENSE AGREEMENT\n",
        "Notice": "Llama 3.2 is licensed",
        "USE_POLICY.md": "Acceptable use",
        "tokenizer.json": "{}",
        "notes.md": "none of these",
    }.items():
        (folder / name).write_text(content)
    found = read_claims(folder)
    assert found.values("licence") == ("mit", "other")
    assert (found.values("licence_name"), found.values("licence_link")) == (("llama3.2",), ("LICENSE",))
    assert found.values("base_model") == ("meta-llama/Llama-3.2-1B", "org/Other", "org/base")
    assert (found.values("relation"), found.values("language"), found.values("tag")) == (("merge",), ("no", "en"), ("merge",))
    assert (found.values("name"), found.values("title")) == (("mine",), ("Llama 3.2 Mine",))
    assert found.values("merge_parent") == ("org/a", "org/b", "org/c", "org/d")
    assert found.values("merge_weight") == ("0.7 org/a", "0.3 org/b")
    assert (found.values("merge_method"), found.values("model_type")) == (("linear",), ("llama",))
    assert found.files == ("LICENSE.txt", "Notice", "USE_POLICY.md")
    assert dict(found.texts)["Notice"] == "Llama 3.2 is licensed"
    assert found.card.startswith("# Llama 3.2 Mine")
    assert (found.notices, found.damaged) == ((), ())
    sources = {each.value: each.source for each in found.of("base_model")}
    assert sources["org/Other"] == "README.md: base_model"
    assert sources["org/base"] == "mergekit_config.yml: base_model"


def test_the_keys_of_a_gguf_file(tmp_path: Path) -> None:
    path = tmp_path / "quantised.gguf"
    pairs = [
        pair("general.architecture", STRING, text("llama")),
        pair("general.name", STRING, text("Mine 1B")),
        pair("general.license", STRING, text("llama3.2")),
        pair("general.quantized_by", STRING, text("somebody")),
        pair("general.tags", ARRAY, array(STRING, 2, text("a") + text("b"))),
        pair("general.base_model.count", U32, (2).to_bytes(4, "little")),
        pair("general.base_model.0.repo_url", STRING, text("https://huggingface.co/org/base")),
        pair("general.base_model.1.name", STRING, text("Llama 3.2 1B")),
        pair("general.base_model.1.organization", STRING, text("Meta Llama")),
        pair("llama.block_count", U32, (16).to_bytes(4, "little")),
    ]
    path.write_bytes(gguf_bytes(pairs, [gguf_tensor()], 128))
    found = read_claims(path)
    assert found.values("name") == ("quantised", "Mine 1B")
    assert found.values("base_model") == ("https://huggingface.co/org/base", "Meta Llama/Llama 3.2 1B")
    assert (found.values("licence"), found.values("quantised_by"), found.values("tag")) == (
        ("llama3.2",),
        ("somebody",),
        ("a", "b"),
    )
    assert found.values("blocks") == ("16",)


def test_an_adapter(tmp_path: Path) -> None:
    folder = write_adapter(tmp_path / "lora", {"base_model_name_or_path": "org/base"})
    (folder / "README.md").write_text("---\nbase_model: org/other\n---\n")
    found = read_claims(folder)
    assert [(each.value, each.source) for each in found.of("base_model")] == [
        ("org/base", "adapter_config.json: base_model_name_or_path"),
        ("org/other", "README.md: base_model"),
    ]
    assert (found.values("name"), found.values("adapter")) == (("lora",), ("LORA",))


def test_the_name_of_a_cached_repository(tmp_path: Path) -> None:
    folder = tmp_path / "models--org--Model-1" / "snapshots" / ("a" * 40)
    blob = tmp_path / "models--org--Model-1" / "blobs" / "1"
    blob.parent.mkdir(parents=True)
    blob.write_text("---\nlicense: mit\n---\n")
    save(folder, llama())
    (folder / "README.md").symlink_to(blob)
    for path in (folder, folder.parents[1]):
        found = read_claims(path)
        assert (found.values("name"), found.of("name")[0].source) == (("org/Model-1",), "repository")
        assert (found.values("licence"), found.damaged) == (("mit",), ())


def test_a_file_among_others_is_not_given_their_card(tmp_path: Path) -> None:
    folder = save(tmp_path / "several", llama())
    (folder / "README.md").write_text("---\nlicense: mit\n---\n")
    (folder / "other.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    assert read_claims(folder / "model.safetensors").values("licence") == ("mit",)
    alone = read_claims(folder / "other.safetensors")
    assert alone.values("licence") == ()
    assert "other models" in alone.notices[0]


def test_a_fingerprint_claims_its_name_alone_and_nothing_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "a.tgfp").write_bytes(b"")
    assert read_claims(tmp_path / "a.tgfp").values("name") == ("a",)
    assert len(read_claims(tmp_path / "a.tgfp").claims) == 1
    with pytest.raises(NotFoundError):
        read_claims(tmp_path / "none")
    assert Claims().values("name") == ()


@pytest.mark.parametrize(
    "sentence",
    [
        "This model was trained from scratch on our own data.",
        "**Pre-trained from scratch** by us.",
        "We pretrained it entirely from scratch",
        "A 1B model, trained completely from-scratch, by us.",
        "Its training started from scratch.",
        "A long sentence, wrapped after trained\nfrom scratch by us",
        "word " * 2000 + "trained from scratch " + "word " * 2000,
    ],
)
def test_sentences_that_say_from_scratch(sentence: str) -> None:
    assert [each.field for each in of_card({}, f"# Title\n\n{sentence}\n")] == ["title", "scratch"], sentence


@pytest.mark.parametrize(
    "sentence",
    [
        "It was not trained from scratch.",
        "Rather than training from scratch, we began with Llama.",
        "Instead of training a model from scratch we tuned one.",
        "The tokenizer was trained from scratch.",
        "We don't train from scratch.",
        "<!-- trained from scratch -->",
        "```\ntrained from scratch\n```",
        "Cookies baked from scratch, by trained cooks.",
    ],
)
def test_sentences_that_do_not(sentence: str) -> None:
    assert "scratch" not in [each.field for each in of_card({}, f"# Title\n\n{sentence}\n")]


def test_sizes_of_a_configuration() -> None:
    nested = {"text_config": {"hidden_size": 64, "num_hidden_layers": 4}, "hidden_size": 8, "architectures": ["A"]}
    assert {each.field: each.value for each in of_config(nested)} == {"architecture": "A", "width": "64", "blocks": "4"}
    assert [each.field for each in of_config({"is_encoder_decoder": True, "hidden_size": 8})] == []
    odd = json.loads('{"hidden_size": "8", "vocab_size": 1.5, "num_hidden_layers": null, "tie_word_embeddings": true}')
    assert [(each.field, each.value) for each in of_config(odd)] == [("tied", "true")]
