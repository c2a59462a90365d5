"""The documents for machines that every release wrote still fit its schemas, which are never changed; its clusterings still classify."""

import json
import shutil
from pathlib import Path

import blake3
import pytest

from compat.commands import SCHEMAS, told, validate
from golden.releases import RELEASES, named

DOCUMENTS = [path for release in RELEASES for path in sorted((release / "documents").glob("*.json"))]


@pytest.mark.parametrize("release", RELEASES, ids=named)
def test_no_published_schema_was_changed_or_removed(release: Path) -> None:
    published = json.loads((release / "schemas.json").read_text())
    now = {name: blake3.blake3((SCHEMAS / name).read_bytes()).hexdigest() for name in published if (SCHEMAS / name).exists()}
    changed = sorted(name for name in published if now.get(name) != published[name])
    assert not changed, f"of {release.name}: what gains, loses or renames a field gets the next number, in a new file"


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_a_golden_document_fits_its_schema(path: Path) -> None:
    document = json.loads(path.read_text())
    validate(document)
    assert document["schema"].startswith("tensorguard/")


@pytest.mark.parametrize("release", RELEASES, ids=named)
def test_golden_features_and_clustering_fit_theirs(release: Path) -> None:
    validate(json.loads((release / "clustering.json").read_text()), "clustering-1")
    for path in release.glob("*/*_features.json"):
        validate(json.loads(path.read_text()), "features-1")


@pytest.mark.parametrize("release", RELEASES, ids=named)
def test_a_golden_clustering_classifies_models_of_today_as_it_did(release: Path, models: Path) -> None:
    golden = json.loads((release / "documents" / "classify.json").read_text())["result"]["classification"]
    found = told("classify", models / "llama-tuned", "--families", release / "clustering.json")["classification"]
    assert found["family"] == golden["family"] == "llama"
    assert found["distances"] == pytest.approx(golden["distances"], rel=1e-6)
    for path in (release / "plain" / "llama.tgfp", release / "fingerprints" / "llama_features.json"):
        assert told("classify", path, "--families", release / "clustering.json")["classification"]["family"] == "llama"


@pytest.mark.parametrize("release", RELEASES, ids=named)
def test_golden_fingerprints_are_clustered_as_they_were(release: Path) -> None:
    golden = json.loads((release / "documents" / "cluster.json").read_text())["result"]
    names = ("llama", "llama-tuned", "bert", "gpt2")
    paths = [release / "fingerprints" / f"{name}.tgfp" for name in names]
    found = told("cluster", *paths, "--labels", release / "labels.json")
    for mine, theirs in zip(found["clustering"]["members"], golden["clustering"]["members"], strict=True):
        assert (mine["name"], mine["family"]) == (theirs["name"], theirs["family"])
        assert mine["distance"] == pytest.approx(theirs["distance"], rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("release", RELEASES, ids=named)
def test_a_check_finds_what_it_found_by_the_same_rules(release: Path, models: Path, tmp_path: Path) -> None:
    golden = json.loads((release / "documents" / "check.json").read_text())["result"]
    known = shutil.copytree(release / "registry", tmp_path / "registry")
    found = told("check", models / "llama-tuned", "--registry", known)
    rules = {(each["rule"], each["name"], each["severity"]) for each in found["findings"]}
    assert rules >= {(each["rule"], each["name"], each["severity"]) for each in golden["findings"]}
    assert found["verdict"] == golden["verdict"]
