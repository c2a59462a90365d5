"""Files that say what a model is, made to harm: nothing is run, followed, or held in memory without bound, and nothing raises."""

import json
import os
from pathlib import Path

import pytest

from support.adapters import write_adapter
from support.checkpoints import llama, save
from tensorguard.licences.claims import Claims, read_claims
from tensorguard.limits import MAX_CARD_BYTES, MAX_CLAIM_CHARACTERS, MAX_CLAIMS


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save(tmp_path / "mine", llama())


def with_file(model: Path, name: str, content: str | bytes) -> Claims:
    (model / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_claims(model)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("README.md", "---\nlicense: [\n---\n"),
        ("README.md", "---\na: &a [b, b]\nlicense: *a\n---\n"),
        ("README.md", "---\n" + "[" * 100_000 + "\n---\n"),
        ("README.md", "---\nlicense: mit\nlicense: llama3\n---\n"),
        ("README.md", b"---\nlicense: mit\n---\n\xff\xfe\xfa"),
        ("mergekit_config.yml", "models: &m [*m]"),
        ("mergekit_config.yml", "- just\n- a list"),
        ("config.json", "{"),
        ("config.json", '{"a": NaN}'),
        ("config.json", "[" * 100_000),
        ("LICENSE", b"\x80\x81"),
    ],
)
def test_a_damaged_file_is_named_and_the_rest_is_read(model: Path, name: str, content: str | bytes) -> None:
    (model / "NOTICE").write_text("kept")
    found = with_file(model, name, content)
    assert [file for file, _ in found.damaged] == [name]
    assert all(wrong.isprintable() for _, wrong in found.damaged)
    assert "NOTICE" in found.files


@pytest.mark.parametrize("name", ["README.md", "LICENSE", "mergekit_config.yml"])
def test_a_link_out_of_the_folder_is_not_followed(model: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "secret").write_text("---\nlicense: secret\n---\nsecret")
    (model / name).symlink_to(tmp_path / "secret")
    found = read_claims(model)
    assert "secret" not in repr((found.claims, found.card, found.texts))
    assert [file for file, _ in found.damaged] == [name]


def test_pipes_and_folders_are_passed_over(model: Path) -> None:
    os.mkfifo(model / "README.md")
    (model / "LICENSE").mkdir()
    (model / "NOTICE").symlink_to(model / "nowhere")
    found = read_claims(model)
    assert (found.card, found.texts) == ("", (("NOTICE", ""),))
    assert [file for file, _ in found.damaged] == ["NOTICE"]


def test_long_files_are_read_in_part_and_that_is_said(model: Path) -> None:
    found = with_file(model, "README.md", "---\nlicense: mit\n---\n" + "é" * MAX_CARD_BYTES)
    assert found.values("licence") == ("mit",)
    assert len(found.card) < MAX_CARD_BYTES
    assert "only the first" in found.notices[0]
    assert found.damaged == ()


def test_claims_are_few_and_short(model: Path) -> None:
    tags = "".join(f"- t{number}\n" for number in range(15_000))
    found = with_file(model, "README.md", f"---\nbase_model: {'a' * 10_000}\ntags:\n{tags}---\n")
    assert len(found.claims) <= MAX_CLAIMS
    assert max(len(each.value) for each in found.claims) == MAX_CLAIM_CHARACTERS


@pytest.mark.parametrize(
    "value", [None, 1, 1.5, True, [], {}, [[]], [None, 1, {"a": 1}], "", "  ", ["a", ["b"]], {"model": {"path": []}}]
)
def test_values_of_other_types_are_no_claims(model: Path, tmp_path: Path, value: object) -> None:
    config = {"_name_or_path": value, "model_type": value, "architectures": value, "hidden_size": value, "text_config": value}
    with_file(model, "config.json", json.dumps(config))
    keys = ("license", "base_model", "base_model_relation", "model_name", "tags")
    front = "".join(f"{key}: {json.dumps(value)}\n" for key in keys)
    merge = {
        "merge_method": value,
        "base_model": value,
        "models": [value, {"model": value, "parameters": value}],
        "slices": value,
    }
    (model / "mergekit_config.yml").write_text(json.dumps(merge))
    found = with_file(model, "README.md", f"---\n{front}---\n")
    assert all(isinstance(each.value, str) and each.value.strip() for each in found.claims)
    adapter = write_adapter(tmp_path / "lora", {"base_model_name_or_path": value})
    assert all(isinstance(each.value, str) for each in read_claims(adapter).claims)


def test_odd_file_names(model: Path) -> None:
    name = b"LICENSE-\xff\x1b[31m.txt"
    Path(os.fsdecode(os.fsencode(model) + b"/" + name)).write_text("x")
    found = read_claims(model)
    assert found.files[0].encode()
    assert "LICENSE-" in found.files[0]
