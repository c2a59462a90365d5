"""The published schemas: well-formed, strict to the last field, and met by what is written (the tests of commands check every --json)."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from support.checkpoints import llama, save
from support.commands import SCHEMAS, CommandLine, check, schema
from support.kin import write

ROOT = Path(__file__).parents[2]
FILES = sorted(SCHEMAS.glob("*.json"))
FREE = {"extended": 1, "distances": 1, "families": 1, "scores": 2, "findings": 2}
"""Fields whose keys are names of models or of measurements, and for how many levels."""


def load(path: Path) -> dict[str, Any]:
    return json.loads(path.read_bytes())


def parts(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        yield schema
        for value in schema.values():
            yield from parts(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from parts(value)


def test_there_is_one_per_kind_and_the_readme_lists_it() -> None:
    kinds = {
        "scan",
        "check",
        "fingerprint",
        "compare",
        "tree",
        "parents",
        "cluster",
        "classify",
        "sensitivity",
        "merge",
        "inspect",
        "features",
        "clustering",
        "tgfp",
    }
    assert {path.name for path in FILES} >= {f"{kind}-1.json" for kind in kinds}
    text = (SCHEMAS / "README.md").read_text()
    assert all(f"`{path.name}`" in text for path in FILES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_schema_is_valid_named_by_its_file_and_strict(path: Path) -> None:
    document = load(path)
    jsonschema_rs.meta.validate(document)
    kind, _, number = path.stem.rpartition("-")
    assert document["$id"] == f"tensorguard/{kind}/{number}"
    for part in parts(document):
        if isinstance(part.get("properties"), dict) and part.get("type") == "object":
            assert part["additionalProperties"] is False
            assert part["required"] == list(part["properties"])
        if "$ref" in part:
            assert part["$ref"].removeprefix("#/$defs/") in document["$defs"]


@pytest.fixture
def documents(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> list[Any]:
    cli = CommandLine(capsys)
    a, b = (save(tmp_path / name, llama(seed, blocks=2)) for seed, name in enumerate("ab"))
    related = write(tmp_path / "kin")
    saved, labels = tmp_path / "families.json", tmp_path / "labels.json"
    labels.write_text(json.dumps({"bases": ["a"], "labels": {"b": "a"}}))
    made = [
        cli("fingerprint", a, tmp_path / "none", "-o", tmp_path / "out", "--features", "extended", "--json", "--workers", "1"),
        cli("compare", a, b, "--deep", "--json"),
        cli("tree", *(related / name for name in ("base", "tuned-a", "tuned-b", "blended")), "--json"),
        cli("parents", *(related / name for name in ("blended", "tuned-a", "tuned-b", "base")), "--base", "base", "--json"),
        cli("cluster", a, b, "--labels", labels, "--save", saved, "--json"),
        cli("classify", a, "--families", saved, "--json"),
        cli("sensitivity", a, b, "--repeats", "1", "--json"),
        cli("merge", a, tmp_path / "none", "-o", tmp_path / "merged", "--json"),
        cli("inspect", a, "--json"),
        cli("registry", "add", *(related / name for name in ("base", "tuned-a")), "--registry", tmp_path / "known", "--json"),
        cli("scan", related / "blended", "--registry", tmp_path / "known", "--families", saved, "--json"),
        cli("check", related / "blended", "--registry", tmp_path / "known", "--json"),
    ]
    found = [json.loads(answer.out) for answer in made]
    return [*found, load(saved), load(tmp_path / "out" / "a_features.json"), inside(tmp_path / "out" / "a.tgfp")]


def inside(path: Path) -> Any:
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    return json.loads(json.loads(raw[8 : 8 + length])["__metadata__"]["tensorguard"])


def renamed(document: Any, free: int = 0) -> Iterator[Any]:
    """The document with one field renamed, for every field but those of free mappings; one element per list."""
    if isinstance(document, dict):
        for key, value in document.items():
            if not free:
                yield {f"{name}x" if name == key else name: each for name, each in document.items()}
            for changed in renamed(value, max(free - 1, FREE.get(key, 0) if isinstance(value, dict) else 0)):
                yield {**document, key: changed}
    elif isinstance(document, list) and document:
        for changed in renamed(document[0]):
            yield [changed, *document[1:]]


def test_everything_written_meets_its_schema_and_no_field_could_be_renamed(documents: list[Any]) -> None:
    for document in documents:
        name = "" if "schema" in document else "features/1"
        check(document, name)
        named = name or document["schema"].removeprefix("tensorguard/")
        count = 0
        for changed in renamed(document):
            assert not schema(named).is_valid(changed)
            count += 1
        assert count >= 15
