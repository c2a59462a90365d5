"""What comes from elsewhere: archives, catalogues, claims that are verified."""

import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from support.commands import CommandLine
from support.registries import Known, changed, forged
from tensorguard.fingerprint.file import read_fingerprint
from tensorguard.registry.registry import Registry


@pytest.fixture
def known(cli: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Known:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    return Known(cli, tmp_path / "registry")


@pytest.fixture
def archive(cli: CommandLine, models: Path, tmp_path: Path) -> Path:
    source = Known(cli, tmp_path / "source")
    source("add", models / "llama", models / "bert", "--family", "F")
    source("export", tmp_path / "known.tar")
    return tmp_path / "known.tar"


def verified(known: Known, *arguments: object) -> dict[str, str]:
    return {each["name"]: each["status"] for each in known.json("verify", *arguments)["entries"]}


def test_what_is_imported_is_a_claim_until_it_is_verified(known: Known, archive: Path, models: Path) -> None:
    assert known.statuses("import", archive) == ["added", "added"]
    assert known.statuses("import", archive) == ["there already", "there already"]
    entries = known.json("list")
    assert [(each["name"], each["origin"], each["verified"]) for each in entries] == [
        ("bert", "imported", False),
        ("llama", "imported", False),
    ]
    assert {each["facts"]["family"] for each in entries} == {"F"}
    assert verified(known) == {"bert": "sound", "llama": "sound"}
    assert len(known.json("list", "--unverified")) == 2, "sound files prove nothing of the weights"
    assert verified(known, "llama", "--model", models / "llama") == {"llama": "confirmed"}
    assert [each["name"] for each in known.json("list", "--unverified")] == ["bert"]
    assert verified(known, "--search", models) == {"bert": "confirmed", "llama": "confirmed"}
    assert known.json("list", "--unverified") == []


def test_an_import_keeps_what_was_verified_here(known: Known, archive: Path, models: Path, tmp_path: Path) -> None:
    known("add", changed(models / "llama", tmp_path / "llama"), models / "bert")
    before = known.json("list")
    answer = known("import", archive)
    assert answer.code == 5
    assert "verified weights of the name 'llama'" in answer.out
    assert known.json("list") == before
    assert known("import", archive, "--force").code == 0
    assert [each["verified"] for each in known.json("list")] == [False, False]


def test_a_newer_claim_goes_before_an_older_one(known: Known, archive: Path, fingerprints: Path) -> None:
    known("add", fingerprints / "alpaca.tgfp", "--name", "llama")
    assert known.statuses("import", archive) == ["added", "replaced"]


def test_no_archive_makes_no_registry(known: Known, tmp_path: Path) -> None:
    assert known("import", tmp_path / "none.tar").code == 4
    (tmp_path / "bad.tar").write_bytes(b"nonsense" * 1000)
    answer = known("import", tmp_path / "bad.tar")
    assert (answer.code, answer.out) == (3, "")
    assert not known.folder.exists()


def test_diff_of_registries_and_archives(known: Known, archive: Path, models: Path, tmp_path: Path) -> None:
    known("import", archive)
    source = tmp_path / "source"
    for first, second in ((source, archive), (archive, known.folder), (known.folder, source)):
        found = known.json("diff", first, second)
        assert (found["same"], found["only_first"], found["only_second"], found["changed"]) == (2, [], [], [])
    known("add", models / "gpt2")
    known("remove", "bert")
    known("add", models / "llama", "--licence", "mit")
    found = known.json("diff", archive, known.folder)
    assert [each["name"] for each in found["only_first"]] == ["bert"]
    assert [each["name"] for each in found["only_second"]] == ["gpt2"]
    assert found["changed"] == [{"name": "llama", "key": "public", "changed": [["licence", "", "mit"]]}]
    assert "1 changed" in known("diff", archive, known.folder).out
    assert known("diff", archive, tmp_path / "nothing").code == 4


WRONG = {
    "another model's": ({}, "are not in the fingerprint"),
    "operators": ({"fixed": lambda array: array[::-1].copy()}, "fixed"),
    "responses": ({"response": lambda array: -array}, "response"),
    "units": ({"unit_index": lambda array: np.where(array >= 0, array[:, ::-1], array)}, "unit_index"),
    "traces": ({"traces": lambda array: array * np.float32(1.1)}, "traces"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_false_claim_is_contradicted_loudly(
    known: Known, models: Path, fingerprints: Path, tmp_path: Path, what: str
) -> None:
    changes, reason = WRONG[what]
    source = fingerprints / ("llama.tgfp" if changes else "alpaca.tgfp")
    sketches = read_fingerprint(source).sketches
    claim = forged(source, tmp_path / "claim.tgfp", sketches={name: f(getattr(sketches, name)) for name, f in changes.items()})
    known("add", claim, "--name", "llama")
    answer = known("verify", "llama", "--model", models / "llama", "--json")
    assert answer.code == 3
    assert "contradicted" in answer.err
    (found,) = answer.json()["result"]["entries"]
    assert (found["status"], found["verified"]) == ("contradicted", False)
    assert reason in found["reason"]
    assert known("verify", "llama", "--model", models / "llama").code == 3
    assert len(known.json("list", "--unverified")) == 1


def test_false_numbers_are_contradicted_and_rounding_is_not(
    known: Known, models: Path, fingerprints: Path, tmp_path: Path
) -> None:
    found = read_fingerprint(fingerprints / "llama.tgfp")
    assert found.sketches is not None
    features = {name: value * 1.5 for name, value in found.features.items()} | {
        name: found.features[name] for name in ("total_params", "num_layers")
    }
    known("add", forged(fingerprints / "llama.tgfp", tmp_path / "a.tgfp", features=features), "--name", "llama")
    assert known("verify", "--search", models).code == 3
    rounded = {"traces": found.sketches.traces * np.float32(1 + 1e-6)}
    known("add", forged(fingerprints / "llama.tgfp", tmp_path / "b.tgfp", sketches=rounded), "--name", "llama")
    assert verified(known, "--search", models) == {"llama": "confirmed"}


def test_the_same_values_in_another_container_confirm(known: Known, models: Path, fingerprints: Path, tmp_path: Path) -> None:
    known("add", fingerprints / "llama.tgfp")
    copy = tmp_path / "copy"
    shutil.copytree(models / "llama", copy)
    tensors = load_file(copy / "model.safetensors")
    save_file({name: value.astype(np.float16) for name, value in tensors.items()}, copy / "model.safetensors")
    assert verified(known, "llama", "--model", copy) == {"llama": "confirmed"}


def test_an_entry_that_names_another_models_file_is_damaged(known: Known, models: Path) -> None:
    known("add", models / "llama", models / "bert")
    with sqlite3.connect(known.folder / "registry.sqlite") as database:
        database.execute(
            "UPDATE entry SET fingerprint = (SELECT fingerprint FROM entry WHERE name = 'bert') WHERE name = 'llama'"
        )
    answer = known("verify", "--json")
    assert answer.code == 3
    found = {each["name"]: (each["status"], each["reason"]) for each in answer.json()["result"]["entries"]}
    assert found["bert"][0] == "sound"
    assert found["llama"][0] == "damaged"
    assert "of other weights" in found["llama"][1]


def test_a_damaged_registry_is_found_out_and_leftovers_are_swept_once_it_is_mended(known: Known, models: Path) -> None:
    known("add", models / "llama", models / "bert", models / "gpt2")
    with Registry(known.folder) as registry:
        files = {entry.name: registry.path(entry) for entry in registry.entries()}
    files["llama"].write_bytes(files["llama"].read_bytes()[:-1] + b"x")
    files["bert"].unlink()
    orphan = files["gpt2"].with_name("f" * 64 + ".tgfp")
    orphan.write_bytes(b"left by a killed process")
    answer = known("verify", "--json")
    assert answer.code == 3
    document = answer.json()
    assert {each["name"]: each["status"] for each in document["result"]["entries"]} == {
        "llama": "damaged",
        "bert": "damaged",
        "gpt2": "sound",
    }
    assert document["result"]["swept"] == 0
    assert orphan.exists(), "it may be what a damaged entry meant"
    assert verified(known, "gpt2") == {"gpt2": "sound"}
    assert known("export", known.folder / "x.tar").code in (3, 4)
    assert sorted(known.statuses("add", models / "llama", models / "bert")) == ["replaced", "replaced"], "add mends it"
    answer = known("verify", "--json")
    assert answer.json()["result"]["swept"] == 1
    assert not orphan.exists()
    assert set(verified(known).values()) == {"sound"}


def test_a_model_at_hand_that_cannot_be_read(known: Known, fingerprints: Path, tmp_path: Path) -> None:
    known("add", fingerprints / "llama.tgfp")
    (tmp_path / "llama.safetensors").write_bytes(b"nonsense")
    answer = known("verify", "llama", "--model", tmp_path / "llama.safetensors", "--json")
    assert answer.code == 5
    assert [each["status"] for each in answer.json()["result"]["entries"]] == ["failed"]
    assert verified(known, "--search", tmp_path) == {"llama": "not at hand"}


def catalogue(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(["\t".join(("repository", "family", "licence")), *rows]) + "\n")
    return path


def test_build_from_a_catalogue(known: Known, models: Path, tmp_path: Path) -> None:
    place = tmp_path / "place"
    shutil.copytree(models / "llama", place / "org" / "one")
    shutil.copytree(models / "alpaca", place / "org--two")
    shutil.copytree(models / "vicuna", place / "three")
    shutil.copytree(models / "bert", tmp_path / "hub" / "models--org--four" / "snapshots" / ("a" * 40))
    (place / "org--five").mkdir()
    rows = catalogue(tmp_path / "c.tsv", *(f"org/{name}\tF\tmit" for name in ("one", "two", "three", "four", "five", "six")))
    answer = known("build", rows, "--search", place, "--json")
    assert answer.code == 0
    document = answer.json()
    assert [each["status"] for each in document["result"]] == ["added"] * 4 + ["not at hand"] * 2
    assert [each["name"] for each in document["skipped"]] == ["org/five", "org/six"]
    entries = known.json("list")
    assert [each["name"] for each in entries] == ["org/four", "org/one", "org/three", "org/two"]
    assert {each["facts"]["licence"] for each in entries} == {"mit"}
    assert entries[0]["facts"]["revision"] == "a" * 40
    assert known.statuses("build", rows, "--search", place)[:4] == ["there already"] * 4
    assert set(verified(known, "--search", place).values()) == {"confirmed", "not at hand"}


def test_a_catalogue_of_nothing_at_hand_or_of_nonsense(known: Known, tmp_path: Path) -> None:
    answer = known("build", "--shipped", "--json")
    assert answer.code == 4
    assert len(answer.json()["result"]) >= 120
    bad = catalogue(tmp_path / "bad.tsv", "../../etc\tF\tmit")
    assert known("build", bad).code == 3
    (tmp_path / "models--org--x").mkdir()
    assert known("build", catalogue(tmp_path / "c.tsv", "org/x\tF\tmit"), "--search", tmp_path).code == 4


def test_index(known: Known, models: Path) -> None:
    known("add", models / "llama")
    assert known.json("index") == {"entries": 1, "vectors": 0}
