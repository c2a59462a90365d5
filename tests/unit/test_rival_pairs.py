import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.rivals.pairs import (
    DERIVED,
    DISTILLED,
    OTHER,
    REAL,
    SIBLINGS,
    TWIN,
    TWIN_DERIVED,
    limited,
    models,
    real_pairs,
    zoo_pairs,
)
from benchmarks.zoo.manifest import Entry, write


def _add(out: Path, name: str, *, width: int = 8, relation: str = "derived", split: str = "evaluation", **more: Any) -> None:
    base, _, transformation = name.partition(".")
    facts: dict[str, Any] = {
        "bases": [base],
        "parents": {},
        "kind": "",
        "transformation": transformation,
        "architecture": "llama",
    } | more
    folder = out / name
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"hidden_size": width, "_name_or_path": name}))
    write(Entry(name=name, split=split, relation=relation, **facts), folder)


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    """Twins e and f, a stranger s of another width, and what comes of them; one base of the other split."""
    for name in ("e", "f"):
        _add(tmp_path, name, relation="base")
    _add(tmp_path, "s", relation="base", width=16)
    _add(tmp_path, "d", relation="base", split="development")
    _add(tmp_path, "e.ft")
    _add(tmp_path, "e.lora")
    _add(tmp_path, "e.merge", bases=["e", "s"])
    _add(tmp_path, "e.distil", relation="distilled", bases=[], teacher="e")
    _add(tmp_path, "e.init", relation="shared-initialisation", bases=[], shared_with="e")
    return tmp_path


def test_every_pair_has_its_truth_and_its_group(zoo: Path) -> None:
    found = {(pair.a.name, pair.b.name): (pair.linked, pair.group) for pair in zoo_pairs(zoo, "evaluation")}
    assert found == {
        ("e", "f"): (False, TWIN),
        ("e", "s"): (False, OTHER),
        ("f", "s"): (False, OTHER),
        ("e.ft", "e"): (True, DERIVED),
        ("e.ft", "f"): (False, TWIN_DERIVED),
        ("e.ft", "s"): (False, OTHER),
        ("e.lora", "e"): (True, DERIVED),
        ("e.lora", "f"): (False, TWIN_DERIVED),
        ("e.lora", "s"): (False, OTHER),
        ("e.merge", "e"): (True, DERIVED),
        ("e.merge", "s"): (True, DERIVED),
        ("e.merge", "f"): (False, TWIN_DERIVED),
        ("e.distil", "e"): (False, DISTILLED),
        ("e.distil", "f"): (False, OTHER),
        ("e.distil", "s"): (False, OTHER),
        ("e.init", "e"): (None, "shared-initialisation"),
        ("e.init", "f"): (False, OTHER),
        ("e.init", "s"): (False, OTHER),
        ("e.ft", "e.lora"): (True, SIBLINGS),
    }


def test_a_pair_names_the_bases_and_what_was_done(zoo: Path) -> None:
    pairs = {(pair.a.name, pair.b.name): pair for pair in zoo_pairs(zoo, "evaluation")}
    assert pairs["e.merge", "e"].bases == ("e", "s")
    assert pairs["e.merge", "e"].transformation == "merge"
    assert pairs["e.ft", "f"].bases == ("e", "f")
    assert pairs["e.ft", "f"].transformation == ""


def test_a_limit_keeps_some_of_each_group(zoo: Path) -> None:
    pairs = zoo_pairs(zoo, "evaluation")
    few = limited(pairs, 1)
    assert sorted(pair.group for pair in few) == sorted({pair.group for pair in pairs})
    assert few == limited(pairs, 1)
    assert {model.name for model in models(pairs)} == {"e", "f", "s", "e.ft", "e.lora", "e.merge", "e.distil", "e.init"}


def test_real_models_are_linked_within_their_family(tmp_path: Path) -> None:
    for name in ("all-minilm-l6-v2", "paraphrase-minilm-l3-v2", "multilingual-e5-small", "unknown"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(f'{{"of": "{name}"}}')
    (tmp_path / "all-minilm-l6-v2" / "tokenizer.json").write_text("{}")
    pairs = real_pairs(tmp_path, tmp_path / "made")
    assert {(pair.a.name, pair.b.name): pair.linked for pair in pairs} == {
        ("paraphrase-minilm-l3-v2", "all-minilm-l6-v2"): True,
        ("multilingual-e5-small", "all-minilm-l6-v2"): False,
        ("multilingual-e5-small", "paraphrase-minilm-l3-v2"): False,
    }
    assert {pair.group for pair in pairs} == {REAL}
    lent = pairs[0].a
    assert lent == tmp_path / "made" / "paraphrase-minilm-l3-v2"  # its own files, and the tokenizer of its family
    assert (lent / "tokenizer.json").resolve() == tmp_path / "all-minilm-l6-v2" / "tokenizer.json"
    assert json.loads((lent / "config.json").read_text())["of"] == "paraphrase-minilm-l3-v2"
    assert pairs[1].a == tmp_path / "multilingual-e5-small"  # nobody here has a tokenizer for it
