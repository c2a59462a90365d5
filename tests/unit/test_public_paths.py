"""Public functions take paths as text or `Path` alike."""

from pathlib import Path

import pytest

import tensorguard
from support.checkpoints import llama, save

SPECIFICATION = tensorguard.Specification(tensorguard.ProbeSpec(repeats=2))


@pytest.mark.parametrize("form", [str, Path])
def test_paths_as_text_or_path(tmp_path: Path, form: type[str] | type[Path]) -> None:
    models = [tmp_path / name for name in ("a", "b", "c")]
    for seed, model in enumerate(models):
        save(model, llama(seed))
    given, out = [form(model) for model in models], form(tmp_path / "out")
    settings = tensorguard.Settings(SPECIFICATION)
    outcomes = list(tensorguard.fingerprint_many(given, out, settings=settings, workers=1))
    assert [(outcome.model, outcome.status) for outcome in outcomes] == [(str(model), "done") for model in models]
    assert [outcome.status for outcome in tensorguard.fingerprint_many(given[:1], out, settings=settings)] == [
        "finished before"
    ]

    copy = form(tmp_path / "copy.tgfp")
    tensorguard.write_fingerprint(copy, outcomes[0].fingerprint)
    assert tensorguard.read_fingerprint(copy) == outcomes[0].fingerprint
    families, _ = tensorguard.cluster([out], bases=["a", "b"])
    tensorguard.save_clustering(form(tmp_path / "families.json"), families)
    assert tensorguard.load_clustering(form(tmp_path / "families.json")) == families
    assert tensorguard.classify(copy, form(tmp_path / "families.json")).nearest in {"a", "b"}

    merged = list(tensorguard.merge_many(given[:2], form(tmp_path / "merged"), search=[form(tmp_path)]))
    assert [outcome.result.output for outcome in merged if outcome.result] == [
        tmp_path / "merged" / f"{name}.safetensors" for name in ("a", "b")
    ]
    assert tensorguard.open_model(form(tmp_path / "merged" / "a.safetensors"), search=[form(tmp_path)]).name == "a"
