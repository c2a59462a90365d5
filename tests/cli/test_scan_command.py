"""scan: what a user is told of relatives, merges, copies, adapters and strangers, and what a key adds."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.adapters import write_adapter
from support.commands import CommandLine
from support.kin_registry import BASE, NAMES, STRANGER, make
from tensorguard.api.fingerprints import Settings, fingerprint_model
from tensorguard.api.keys import read_key
from tensorguard.registry.entry import Facts
from tensorguard.registry.registry import Registry


def names(relatives: list[dict[str, Any]]) -> list[str]:
    return [each["entry"]["name"] for each in relatives]


def test_a_fine_tune_is_found_and_named_with_what_its_licence_asks(
    cli: CommandLine, kin: Path, prints: Path, tmp_path: Path
) -> None:
    folder = make(tmp_path / "two", prints, "stranger", "base")
    answer = cli("scan", kin / "tuned-a", "--registry", folder)
    assert answer.code == 0
    said = answer.words()
    assert said.startswith(f"'tuned-a' derives from '{BASE}' or shares a parent with it")
    assert "corrected for all tests and 2 known models" in said
    assert f"Llama 3.2 Community License Agreement (of '{BASE}') obliges you" in said
    assert "not legal advice" in said
    assert "The probes are public" in said
    found = cli("scan", kin / "tuned-a", "--registry", folder, "--json").result()
    assert (found["verdict"], names(found["relatives"]), names(found["others"])) == ("derived", [BASE], [STRANGER])
    assert found["relatives"][0]["holm"] <= found["relatives"][0]["log10_p"] < -6
    assert {each["licence"] for each in found["obligations"]} == {"llama3.2"}


def test_a_merge_is_taken_apart_and_owes_to_all_parents(scan: Any, kin: Path) -> None:
    found = scan(kin / "blended", "--json").result()
    weights = {each["name"]: each["weight"] for each in found["parents"]["parents"]}
    assert found["parents"]["method"] == "linear"
    assert weights == {NAMES["tuned-a"]: pytest.approx(0.7, abs=0.05), NAMES["tuned-b"]: pytest.approx(0.3, abs=0.05)}
    assert {"mit", "cc-by-nc-4.0", "llama3.2"} <= {each["licence"] for each in found["obligations"]}
    assert "merge" in scan(kin / "blended").words().split(".")[0]


def test_a_copy_is_certain(scan: Any, kin: Path) -> None:
    answer = scan(kin / "base")
    assert answer.words().startswith(f"'base' is '{BASE}': every tensor has the same name, shape and values (certain)")
    assert "The probes are public" not in answer.words()
    assert scan(kin / "base", "--json").result()["verdict"] == "identical"


def test_a_stranger_has_no_relatives_and_is_told_what_that_does_not_mean(
    cli: CommandLine, kin: Path, prints: Path, tmp_path: Path
) -> None:
    folder = make(tmp_path / "two", prints, "base", "tuned-a")
    answer = cli("scan", kin / "stranger", "--registry", folder)
    assert answer.code == 0
    assert answer.words().startswith("No relative of 'stranger' among 2 known models: the most alike,")
    assert "does not mean trained from scratch" in answer.words()
    assert "obliges" not in answer.words()
    found = cli("scan", kin / "stranger", "--registry", folder, "--json").result()
    assert (found["verdict"], found["relatives"], found["obligations"]) == ("independent", [], [])


def test_an_empty_registry_says_nothing_and_a_missing_one_is_not_found(cli: CommandLine, kin: Path, tmp_path: Path) -> None:
    Registry(tmp_path / "empty", create=True).close()
    answer = cli("scan", kin / "base", "--registry", tmp_path / "empty")
    assert answer.code == 0
    assert answer.words().startswith("Nothing can be said of 'base': the registry knows no model to compare it with.")
    document = cli("scan", kin / "base", "--registry", tmp_path / "empty", "--json").json()
    assert (document["result"]["verdict"], document["settings"]["searched"]) == ("inconclusive", 0)
    missing = cli("scan", kin / "base", "--registry", tmp_path / "none")
    assert (missing.code, missing.out) == (4, "")
    assert "there is no registry" in missing.err
    assert "hint: make one with: tensorguard registry add" in missing.err


def test_a_fingerprint_says_what_its_model_does(scan: Any, kin: Path, prints: Path) -> None:
    assert scan(prints / "coarse.tgfp", "--json").result() == scan(kin / "coarse", "--json").result()


def test_an_adapter_is_what_it_makes_of_its_base(scan: Any, kin: Path, tmp_path: Path) -> None:
    key = "base_model.model.model.layers.0.self_attn.o_proj"
    factors = {
        f"{key}.lora_A.weight": np.ones((2, 64), np.float32),
        f"{key}.lora_B.weight": np.ones((64, 2), np.float32) / 1000,
    }
    adapter = write_adapter(tmp_path / "lora", {"base_model_name_or_path": "base"}, factors)
    found = scan(adapter, "--base", kin / "base", "--json").result()
    assert (found["verdict"], found["relatives"][0]["entry"]["name"]) == ("derived", BASE)
    assert found["relatives"][0]["lineage"]["how"] == "certain"
    assert scan(adapter).code == 4


def test_an_entry_is_compared_with_all_others(
    scan: Any, registry: Path, cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = scan(f"registry:{BASE}", "--json")
    found = answer.result()
    assert (found["model"], answer.json()["settings"]["searched"]) == (BASE, 3)
    assert BASE not in names(found["relatives"] + found["others"])
    assert set(names(found["relatives"])) == {NAMES["tuned-a"], NAMES["tuned-b"]}
    checked = cli("check", f"registry:{BASE}", "--registry", registry, "--json")
    assert "a fingerprint says nothing of card and licence" in checked.json()["notices"]
    monkeypatch.setenv("TENSORGUARD_REGISTRY", str(registry))
    known = [f"registry:{name}" for name in NAMES.values()]
    assert cli("compare", *known[:2], "--json").json()["result"]["verdict"] == "derived"
    assert BASE in cli("tree", *known).out
    assert NAMES["tuned-a"] in cli("parents", known[1], known[0], known[2]).out
    unknown = cli("compare", "registry:meta-llama/Llama-3.2-1", known[0])
    assert (unknown.code, f"similar names: '{BASE}'" in unknown.err) == (4, True)
    assert cli("fingerprint", known[0], "-o", registry.parent / "out").code == 2


@pytest.fixture(scope="module")
def keyed(kin: Path, prints: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A registry with fingerprints under a key, too: the base's are its own, those called tuned-b are a stranger's."""
    folder = tmp_path_factory.mktemp("keyed")
    (folder / "key").write_bytes(bytes(range(32)))
    settings = Settings(key=read_key(folder / "key"))
    make(folder / "registry", prints, "base", "tuned-b")
    with Registry(folder / "registry") as known:
        for model, name in (("base", BASE), ("stranger", NAMES["tuned-b"])):
            known.add(fingerprint_model(kin / model, settings=settings), Facts(), name=name)
    return folder / "registry", folder / "key"


def test_a_key_confirms_what_is_true_and_takes_back_what_was_forged(
    cli: CommandLine, kin: Path, prints: Path, keyed: tuple[Path, Path], tmp_path: Path
) -> None:
    registry, key = keyed
    call = ("scan", kin / "tuned-a", "--registry", registry)
    assert set(names(cli(*call, "--json").result()["relatives"])) == {BASE, NAMES["tuned-b"]}
    answer = cli(*call, "--key-file", key, "--json")
    found = answer.result()
    assert [(each["entry"]["name"], each["confirmed"]) for each in found["relatives"]] == [
        (BASE, True),
        (NAMES["tuned-b"], False),
    ]
    assert answer.json()["settings"]["key"] != "public"
    said = cli(*call, "--key-file", key).words()
    assert "; confirmed under the secret key." in said
    assert "The probes are public" not in said
    with Registry(registry) as known:
        known.remove(BASE)
    taken = cli(*call, "--key-file", key)
    assert taken.words().startswith(f"'tuned-a' resembles '{NAMES['tuned-b']}', but that is not confirmed")
    assert cli(*call, "--key-file", key, "--json").result()["verdict"] == "inconclusive"
    of_public = cli("scan", prints / "tuned-a.tgfp", "--registry", registry, "--key-file", key)
    assert (of_public.code, "another key" in of_public.err) == (2, True)


def test_so_many_are_compared_in_full(scan: Any, kin: Path) -> None:
    for most in (1, 2, 4):
        found = scan(kin / "coarse", "--compared", most, "--json").result()
        assert len(found["relatives"]) + len(found["others"]) == most
        assert found["relatives"][0]["entry"]["name"] == BASE
    assert scan(kin / "coarse", "--compared", 0).code == 2


def test_neither_the_order_of_entries_nor_threads_matter(
    cli: CommandLine, kin: Path, prints: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = []
    for threads, models in ((1, list(NAMES)), (4, list(NAMES)[::-1])):
        for place in ("api.fingerprints", "api.auditing", "registry.search"):
            monkeypatch.setattr(f"tensorguard.{place}.processors", lambda count=threads: count)
        folder = make(tmp_path / str(threads), prints, *models)
        found = cli("scan", kin / "blended", "--registry", folder, "--json").result()
        for each in found["relatives"] + found["others"]:
            each["entry"].pop("added")
        answers.append(found)
    assert answers[0] == answers[1]
