import json
import os
import shutil
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

from support.commands import PROGRAM, CommandLine, program
from support.registries import Known, changed
from tensorguard.registry.registry import DATABASE, Registry

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def known(cli: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Known:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    return Known(cli, tmp_path / "registry")


def test_add_list_show_remove(known: Known, models: Path) -> None:
    facts = [
        "--repository",
        "org/llama",
        "--family",
        "Llama",
        "--publisher",
        "Org",
        "--licence",
        "mit",
        "--released",
        "2024-05",
    ]
    (added,) = known.json("add", models / "llama", "--parent", "org/base", "--relation", "finetune", "--revision", "v1", *facts)
    assert added["status"] == "added"
    (entry,) = added["entries"]
    assert (entry["name"], entry["key"], entry["origin"], entry["verified"]) == ("org/llama", "public", "made", True)
    assert entry["facts"] == {
        "repository": "org/llama",
        "revision": "v1",
        "family": "Llama",
        "publisher": "Org",
        "licence": "mit",
        "parents": ["org/base"],
        "relation": "finetune",
        "released": "2024-05",
    }
    known("add", models / "alpaca", "--parent", "ORG/llama", "--relation", "finetune")
    assert [each["name"] for each in known.json("list")] == ["alpaca", "org/llama"]
    assert [each["name"] for each in known.json("list", "--licence", "MIT")] == ["org/llama"]
    assert [each["name"] for each in known.json("list", "--family", "llama")] == ["org/llama"]
    assert known.json("list", "--unverified") == []
    shown = known.json("show", "org/llama")
    assert shown["children"] == ["alpaca"]
    assert shown["parents"] == [{"name": "org/base", "known": False}]
    assert known.json("show", "alpaca")["parents"] == [{"name": "ORG/llama", "known": True}]
    assert (shown["holds"]["architecture"], shown["holds"]["blocks"]) == ("llama", 4)
    assert "computed here from" in known("show", "org/llama").out
    assert known.json("remove", "alpaca") == [{"name": "alpaca", "removed": 1}]
    assert known("show", "alpaca").code == 4
    assert known("remove", "org/llama", "nothing").code == 4
    assert len(known.json("list")) == 1, "nothing is removed if one name is wrong"


def test_without_a_registry(known: Known, models: Path) -> None:
    for command in (["list"], ["show", "x"], ["remove", "x"], ["verify"], ["export", "x.tar"], ["index"]):
        answer = known(*command)
        assert (answer.code, answer.out) == (4, "")
        assert "registry" in answer.err
    assert not known.folder.exists()
    assert not Path("x.tar").exists()


def test_what_is_there_is_skipped_until_something_changes(known: Known, models: Path, tmp_path: Path) -> None:
    model = tmp_path / "m"
    shutil.copytree(models / "llama", model)
    assert known.statuses("add", model) == ["added"]
    assert known.statuses("add", model) == ["there already"]
    assert known.statuses("add", model, "--licence", "mit") == ["facts changed"]
    assert known.statuses("add", model, "--licence", "mit") == ["there already"]
    assert known.statuses("add", model, "--force") == ["replaced"]
    assert known.json("list")[0]["facts"]["licence"] == "mit", "what is known is kept"
    os.utime(model / "model.safetensors", ns=(0, time.time_ns() + 10**10))
    assert known.statuses("add", model) == ["replaced"], "its file is newer"
    os.utime(model / "model.safetensors", ns=(0, 0))
    assert known.statuses("add", model) == ["there already"]


def test_other_weights_of_the_same_name_do_not_replace_verified_ones(known: Known, models: Path, tmp_path: Path) -> None:
    known("add", models / "llama", "--licence", "mit")
    (before,) = known.json("list")
    other = changed(models / "llama", tmp_path / "llama")
    answer = known("add", other)
    assert (answer.code, answer.out) == (2, "")
    assert "verified weights of the name 'llama', and these are others" in answer.err
    assert known.json("list") == [before]
    assert known.statuses("add", other, "--name", "other") == ["added"]
    assert known.statuses("add", other, "--force") == ["replaced"]
    (after,) = (each for each in known.json("list") if each["name"] == "llama")
    assert after["source_digest"] != before["source_digest"]
    assert after["facts"]["licence"] == "", "facts of other weights are not inherited"


def test_a_bad_model_does_not_stop_the_rest(known: Known, models: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(b"nonsense")
    answer = known("add", models / "llama", bad, models / "bert", tmp_path / "none", "--json")
    assert answer.code == 5
    document = answer.json()
    assert [each["status"] for each in document["result"]] == ["added", "failed", "added", "failed"]
    assert [each["name"] for each in document["skipped"]] == [str(bad), str(tmp_path / "none")]
    assert [each["name"] for each in known.json("list")] == ["bert", "llama"]
    assert known("add", bad).code == 3
    assert known("add", tmp_path / "none").code == 4


def test_calls_that_cannot_be_meant(known: Known, models: Path) -> None:
    two = [models / "llama", models / "bert"]
    assert known("add", *two, "--name", "x").code == 2
    assert known("add", *two, "--repository", "x/y").code == 2
    assert known("add", models / "llama", "--relation", "cousin").code == 2
    assert known("add", models / "llama", "--released", "yesterday").code == 2
    assert known("build").code == 2
    assert known("build", "x.tsv", "--shipped").code == 2
    known("add", *two)
    assert known("verify", "--model", models / "llama").code == 2
    assert known("verify", "nobody").code == 4


def test_facts_come_from_the_catalogue_by_the_folder_s_name(known: Known, models: Path, tmp_path: Path) -> None:
    hub = tmp_path / "hub" / "models--gpt2" / "snapshots" / COMMIT
    shutil.copytree(models / "gpt2", hub)
    flat = tmp_path / "mistralai--Mistral-7B-v0.1"
    shutil.copytree(models / "llama", flat)
    known("add", hub.parents[1], flat, models / "bert")
    entries = {each["name"]: each["facts"] for each in known.json("list")}
    assert list(entries) == ["bert", "gpt2", "mistralai/Mistral-7B-v0.1"]
    assert entries["gpt2"]["revision"] == COMMIT
    assert entries["mistralai/Mistral-7B-v0.1"]["licence"] == "apache-2.0"
    assert entries["bert"]["licence"] == entries["bert"]["repository"] == ""
    known("add", models / "alpaca", "--repository", "mistralai/Mistral-7B-v0.1", "--name", "mine", "--licence", "other")
    facts = known.json("show", "mine")["entry"]["facts"]
    assert (facts["licence"], facts["publisher"]) == ("other", entries["mistralai/Mistral-7B-v0.1"]["publisher"])
    assert known.statuses("add", models / "alpaca", "--name", "mine") == ["there already"]
    assert known.json("show", "mine")["entry"]["facts"] == facts, "what a user said goes before the catalogue"


def test_a_fingerprint_is_a_claim(known: Known, models: Path, fingerprints: Path) -> None:
    assert known.statuses("add", fingerprints / "llama.tgfp") == ["added"]
    (entry,) = known.json("list", "--unverified")
    assert (entry["name"], entry["origin"], entry["verified"]) == ("llama", "imported", False)
    assert "a claim until" in known("show", "llama").out
    assert known.statuses("add", fingerprints / "llama.tgfp") == ["there already"]
    assert known.statuses("add", models / "llama") == ["replaced"], "the weights go before a claim"
    assert known.json("list", "--unverified") == []
    assert known.statuses("add", fingerprints / "llama.tgfp") == ["there already"]
    answer = known("add", fingerprints / "alpaca.tgfp", "--name", "llama")
    assert answer.code == 2, "a claim does not go before what was computed here"
    assert known.json("list", "--unverified") == []


def test_keyed_fingerprints_are_kept_beside_the_public_ones(known: Known, models: Path, tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_bytes(b"very secret bytes of a key")
    (added,) = known.json("add", models / "llama", "--key-file", secret)
    public, keyed = added["entries"]
    assert (public["key"], len(keyed["key"])) == ("public", 16)
    assert public["source_digest"] == keyed["source_digest"]
    assert known.statuses("add", models / "llama", "--key-file", secret) == ["there already"]
    assert known.statuses("add", models / "llama") == ["there already"]
    assert known.json("show", "llama", "--key", keyed["key"])["entry"] == keyed
    out = tmp_path / "public.tar"
    document = known("export", out, "--json").json()
    assert [each["key"] for each in document["result"]["entries"]] == ["public"]
    assert [each["name"] for each in document["skipped"]] == ["llama"]
    assert len(known.json("export", tmp_path / "both.tar", "--with-key")["entries"]) == 2
    assert secret.read_bytes() not in (tmp_path / "both.tar").read_bytes()
    found = {each["key"]: each["status"] for each in known.json("verify", "--search", models)["entries"]}
    assert found == {"public": "confirmed", keyed["key"]: "not at hand"}
    found = {each["key"]: each["status"] for each in known.json("verify", "--search", models, "--key-file", secret)["entries"]}
    assert set(found.values()) == {"confirmed"}
    assert known.json("remove", "llama") == [{"name": "llama", "removed": 2}]


def test_names_meant_to_break_the_terminal_do_nothing(known: Known, models: Path) -> None:
    nasty = "\x1b[2J\u202e<script>alert(1)</script>\n'; DROP TABLE entry; --"
    known("add", models / "llama", "--name", nasty, "--family", nasty, "--parent", nasty, "--relation", "merge")
    for answer in (known("list"), known("show", nasty), known("verify"), known("list", "--json"), known("remove", nasty)):
        assert answer.code == 0
        assert not {"\x1b", "\u202e"} & set(answer.out)
    assert known.json("list") == []


def test_an_interruption_keeps_what_is_done(known: Known, models: Path) -> None:
    many = [models / name for name in ("llama", "bert", *["gpt2"] * 2000)]
    call = [*PROGRAM, "registry", "add", *many, "--registry", known.folder, "--force", "--quiet"]
    process = subprocess.Popen(list(map(str, call)), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        listed = known("list", "--json")  # not 0 while the registry is being made
        if listed.code == 0 and len(json.loads(listed.out)["result"]) >= 2:
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, b"")
    assert b"Traceback" not in err
    names = [each["name"] for each in known.json("list")]
    assert {"llama", "bert"} <= set(names)
    assert {each["status"] for each in known.json("verify")["entries"]} == {"sound"}
    assert set(known.statuses("add", *(models / name for name in names))) == {"there already"}


def test_two_processes_add_at_once(known: Known, models: Path) -> None:
    names = ("llama", "bert", "gpt2", "phi3")
    calls = [
        [*PROGRAM, "registry", "add", *(models / name for name in order), "--registry", known.folder]
        for order in (names, names[::-1])
    ]
    running = [subprocess.Popen(list(map(str, call)), stdout=subprocess.DEVNULL) for call in calls]
    assert [process.wait(timeout=120) for process in running] == [0, 0]
    assert [each["name"] for each in known.json("list")] == sorted(names)
    assert {each["status"] for each in known.json("verify")["entries"]} == {"sound"}


def test_the_folder_may_come_from_the_environment(models: Path, tmp_path: Path) -> None:
    answer = program("registry", "add", models / "bert", "--quiet", TENSORGUARD_REGISTRY=str(tmp_path / "mine"))
    assert answer.code == 0
    with Registry(tmp_path / "mine") as registry:
        assert [entry.name for entry in registry.entries()] == ["bert"]


def test_a_malformed_row_stops_no_list_no_scan_and_verify_names_it(known: Known, models: Path, cli: CommandLine) -> None:
    known("add", models / "llama", models / "alpaca", models / "vicuna")
    with sqlite3.connect(known.folder / DATABASE) as database:
        database.execute("UPDATE entry SET facts = '{' WHERE name = 'alpaca'")
    listed = cli("registry", "list", "--registry", known.folder, "--json", "-q")
    assert [entry["name"] for entry in listed.json()["result"]] == ["llama", "vicuna"]
    scanned = cli("scan", models / "llama", "--registry", known.folder, "--json")
    assert scanned.result()["relatives"][0]["entry"]["name"] == "llama"
    exported = cli("registry", "export", known.folder.parent / "all.tar", "--registry", known.folder, "--json", "--quiet")
    assert len(exported.result()["entries"]) == 2
    for answer in (listed, scanned, exported):
        assert "'alpaca' is malformed" in " ".join(answer.json()["notices"])
    verified = cli("registry", "verify", "--registry", known.folder, "--json")
    assert (verified.code, "'alpaca' is malformed" in verified.json()["result"]["problems"][0]) == (3, True)
    assert cli("registry", "show", "alpaca", "--registry", known.folder).code == 3
    assert cli("registry", "add", models / "alpaca", "--registry", known.folder).code == 0
    assert cli("registry", "verify", "--registry", known.folder).code == 0
