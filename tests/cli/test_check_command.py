"""check: truthful and lying models, end to end."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from support.adapters import write_adapter
from support.commands import CommandLine

LLAMA = "meta-llama/Llama-3.2-1B"
AGREEMENT = "LLAMA 3.2 COMMUNITY LICENSE AGREEMENT\nLlama 3.2 Version Release Date: September 25, 2024\n"
NOTICE = "Llama 3.2 is licensed under the Llama 3.2 Community License, Copyright © Meta Platforms, Inc. All Rights Reserved."
TRUE = f"---\nlicense: llama3.2\nbase_model: {LLAMA}\nbase_model_relation: finetune\n---\n# Llama-mine\nBuilt with Llama\n"
KEPT = {"LICENSE": AGREEMENT, "NOTICE": NOTICE, "USE_POLICY.md": "Llama 3.2 Acceptable Use Policy"}


@pytest.fixture(scope="module")
def registry(prints: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry that takes the base for Llama 3.2, one of its fine-tunes for somebody's, and a stranger for Mistral's."""
    from tensorguard.fingerprint.file import read_fingerprint
    from tensorguard.registry.entry import Facts
    from tensorguard.registry.registry import Registry

    folder = tmp_path_factory.mktemp("known") / "registry"
    with Registry(folder, create=True) as known:
        known.add(
            read_fingerprint(prints / "base.tgfp"), Facts(repository=LLAMA, licence="llama3.2", publisher="Meta"), name=LLAMA
        )
        known.add(read_fingerprint(prints / "tuned-a.tgfp"), Facts(licence="cc-by-nc-4.0"), name="somebody/tuned-a")
        facts = Facts(repository="mistralai/Mistral-7B-v0.1", licence="apache-2.0")
        known.add(read_fingerprint(prints / "stranger.tgfp"), facts, name="mistralai/Mistral-7B-v0.1")
    return folder


@pytest.fixture
def model(kin: Path, tmp_path: Path) -> Any:
    """Make a model of one of the kin's weights, with a card and files of its own."""

    def make(weights: str = "tuned-b", card: str = "", files: dict[str, str] | None = None, name: str = "Llama-mine") -> Path:
        folder = tmp_path / name
        shutil.copytree(kin / weights, folder, dirs_exist_ok=True)
        for file, content in {"README.md": card, **(files or {})}.items():
            (folder / file).write_text(content)
        return folder

    return make


@pytest.fixture
def check(cli: CommandLine, registry: Path) -> Any:
    return lambda model, *more: cli("check", model, "--registry", registry, *more)


def rules(answer: Any, severity: str = "") -> list[str]:
    return [each["rule"] for each in answer.json()["result"]["findings"] if severity in ("", each["severity"])]


def test_a_truthful_model_passes_and_is_told_what_was_verified(check: Any, model: Any) -> None:
    mine = model(card=TRUE, files=KEPT)
    answer = check(mine, "--fail-on", "warning", "--fail-on", "TG101")
    assert answer.code == 0
    assert "The claims" not in answer.out
    said = " ".join(answer.out.split())
    assert f"base_model: '{LLAMA}' is confirmed (derived, p < 1e-" in said
    assert "Llama 3.2 Community License Agreement is compatible" in said
    assert "duties of the ancestors' licences to keep" in said
    assert "not legal advice" in said
    result = check(mine, "--json").json()["result"]
    assert [(each["declared"], each["status"]) for each in result["bases"]] == [(LLAMA, "confirmed")]
    assert (result["verdict"], result["count"]["error"], result["count"]["warning"]) == ("derived", 0, 0)


@pytest.mark.parametrize(
    ("weights", "card", "expected"),
    [
        ("tuned-b", "---\nlicense: mit\n---\nWe trained it from scratch.\n", ["TG103", "TG203"]),
        ("tuned-b", "---\nlicense: llama3.2\n---\nBuilt with Llama", ["TG102"]),
        ("tuned-b", "---\nlicense: llama3.2\nbase_model: mistralai/Mistral-7B-v0.1\n---\nBuilt with Llama", ["TG101"]),
        ("tuned-b", TRUE.replace("llama3.2", "apache-2.0"), ["TG203"]),
        ("base", "---\nlicense: llama3.2\n---\nBuilt with Llama", ["TG102"]),
        ("coarse", "---\nlicense: llama3.2\n---\nBuilt with Llama", ["TG102"]),
        ("shallow", "---\nlicense: llama3.2\nbase_model: mistralai/Mistral-7B-v0.1\n---\nBuilt with Llama", ["TG101"]),
        ("stranger", TRUE, ["TG101"]),
    ],
)
def test_a_lying_model_is_caught(check: Any, model: Any, weights: str, card: str, expected: list[str]) -> None:
    answer = check(model(weights, card, KEPT), "--fail-on", "error", "--json")
    assert answer.code == 10
    found = rules(answer, "error")
    assert [rule for rule in found if rule in expected] == expected
    assert answer.json()["result"]["count"]["error"] == len(found)


def test_another_relation_another_configuration_and_another_name(check: Any, model: Any) -> None:
    mine = model("base", TRUE, KEPT | {"config.json": '{"hidden_size": 4096, "num_hidden_layers": 6, "vocab_size": 2048}'})
    answer = check(mine, "--json", "--name", "org/Mine", "--fail-on", "TG301,TG105")
    assert answer.code == 10
    assert {"TG105", "TG301", "TG401"} <= set(rules(answer))
    (wrong,) = (each for each in answer.json()["result"]["findings"] if each["rule"] == "TG401")
    assert (wrong["where"], "hidden_size" in wrong["claimed"]) == ("config.json", True)


def test_a_merge_that_names_one_parent(check: Any, model: Any) -> None:
    config = f"merge_method: linear\nmodels:\n- model: {LLAMA}\n  parameters: {{weight: 1.0}}\n"
    answer = check(model("tuned-a", TRUE, KEPT | {"mergekit_config.yml": config}), "--json")
    assert "TG108" in rules(answer)
    assert ("merge_parent", LLAMA) in [(each["field"], each["value"]) for each in answer.json()["result"]["claims"]]


def test_the_recipe_of_a_merge(cli: CommandLine, model: Any, prints: Path, tmp_path: Path) -> None:
    from tensorguard.fingerprint.file import read_fingerprint
    from tensorguard.registry.entry import Facts
    from tensorguard.registry.registry import Registry

    with Registry(tmp_path / "parents", create=True) as known:
        for name in ("tuned-a", "tuned-b"):
            known.add(read_fingerprint(prints / f"{name}.tgfp"), Facts(licence="mit"), name=f"org/{name}")
    card = "---\nlicense: mit\nbase_model: [org/tuned-a, org/tuned-b]\nbase_model_relation: {}\n---\n"
    recipe = "merge_method: linear\nmodels:\n" + "".join(
        f"- model: org/tuned-{name}\n  parameters: {{weight: WEIGHT-{name}}}\n" for name in "ab"
    )
    for relation, weights, expected in (
        ("merge", ("0.7", "0.3"), []),
        ("merge", ("0.2", "0.8"), ["TG106", "TG106"]),
        ("finetune", ("0.7", "0.3"), ["TG105"]),
    ):
        written = recipe.replace("WEIGHT-a", weights[0]).replace("WEIGHT-b", weights[1])
        mine = model("blended", card.format(relation), {"mergekit_config.yml": written})
        found = rules(cli("check", mine, "--registry", tmp_path / "parents", "--json"))
        assert [rule for rule in found if rule.startswith("TG1")] == expected


def test_an_adapter_that_names_another_base(check: Any, kin: Path, tmp_path: Path) -> None:
    import numpy as np

    key = "base_model.model.model.layers.0.self_attn.o_proj"
    wide = np.ones((2, 64), np.float32), np.ones((64, 2), np.float32) / 1000
    tensors = {f"{key}.lora_A.weight": wide[0], f"{key}.lora_B.weight": wide[1]}
    for name, expected in (("mistralai/Mistral-7B-v0.1", ["TG110"]), (LLAMA, [])):
        adapter = write_adapter(tmp_path / "lora", {"base_model_name_or_path": name}, tensors)
        found = rules(check(adapter, "--base", kin / "base", "--json"))
        assert [rule for rule in found if rule in ("TG101", "TG102", "TG110")] == expected


def test_a_fingerprint_claims_nothing(check: Any, prints: Path) -> None:
    answer = check(prints / "tuned-b.tgfp", "--json")
    assert {"TG102", "TG905"} <= set(rules(answer))
    assert "a fingerprint says nothing of card and licence" in answer.json()["notices"]


def test_an_empty_registry(cli: CommandLine, model: Any, tmp_path: Path) -> None:
    from tensorguard.registry.registry import Registry

    Registry(tmp_path / "empty", create=True).close()
    answer = cli("check", model(card=TRUE), "--registry", tmp_path / "empty", "--fail-on", "warning", "--json")
    assert (answer.code, rules(answer)) == (0, ["TG901", "TG903"])


def test_failing_comes_after_the_reports(check: Any, model: Any, tmp_path: Path) -> None:
    mine = model(card="---\nlicense: mit\n---\n")
    answer = check(mine, "--fail-on", "note", "-o", f"json={tmp_path / 'a.json'}", "-o", f"html={tmp_path / 'a.html'}")
    assert (answer.code, answer.out) == (10, "")
    assert json.loads((tmp_path / "a.json").read_text())["schema"] == "tensorguard/check/1"
    assert "TG102" in (tmp_path / "a.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (["--fail-on", "fatal"], 2, "no severity"),
        (["--fail-on", "error,TG999"], 2, "TG999"),
        (["--fail-on", ""], 2, "no severity"),
        (["-o", "nonsense"], 2, "no report"),
        (["--registry", "nowhere"], 4, ""),
    ],
)
def test_what_cannot_be_done(check: Any, model: Any, arguments: list[str], code: int, word: str) -> None:
    answer = check(model(card=TRUE), *arguments)
    assert (answer.code, answer.out) == (code, "")
    assert word in answer.err


NASTY = "<script>alert(1)</script>\x1b[31m=cmd|'/c calc'!A1\u202eevil %0a::error::x {{7*7}} '\"]</table>"


def test_nasty_claims_do_nothing(check: Any, model: Any, tmp_path: Path) -> None:
    said = json.dumps(NASTY)
    card = f"---\nlicense: {said}\nbase_model: [{said}, {LLAMA}]\nbase_model_relation: {said}\nmodel_name: {said}\n---\n# {NASTY}\n"
    mine = model(
        card=card, files={"LICENSE <b>.md": NASTY, "config.json": json.dumps({"_name_or_path": NASTY, "model_type": NASTY})}
    )
    answer = check(
        mine, "--name", NASTY, "-o", "table", "-o", f"html={tmp_path / 'a.html'}", "-o", f"json={tmp_path / 'a.json'}"
    )
    assert answer.code == 0
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202a-\u202e]", answer.out)
    page = (tmp_path / "a.html").read_text()
    assert "<script>alert" not in page
    assert "</table>'" not in page
    assert not re.search(r"[\x1b\u202e]", page + (tmp_path / "a.json").read_text())
    assert NASTY in [each["value"] for each in json.loads((tmp_path / "a.json").read_text())["result"]["claims"]]


def test_a_registered_model_claims_its_name_alone(check: Any) -> None:
    answer = check("registry:somebody/tuned-a", "--json")
    assert [(each["field"], each["value"]) for each in answer.json()["result"]["claims"]] == [("name", "somebody/tuned-a")]
    assert {"TG102", "TG905"} <= set(rules(answer))
    assert check("registry:nothing-of-that-name").code == 4
