"""What every release so far wrote is read, means what it meant, and compares with what is made today; see docs/compatibility.md."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from golden.models import KEY
from golden.releases import RELEASES, named
from tensorguard.api.fingerprints import Settings, fingerprint_model
from tensorguard.api.lineage import compare_models, find_parents
from tensorguard.api.loading import load_fingerprint
from tensorguard.fingerprint import file
from tensorguard.fingerprint.base import FEATURES, Fingerprint
from tensorguard.fingerprint.features import load_features, vector
from tensorguard.fingerprint.file import read_fingerprint, write_fingerprint
from tensorguard.fingerprint.sketch_file import describe
from tensorguard.fingerprint.sketches import ARRAYS
from tensorguard.fingerprint.specification import Specification
from tensorguard.formats.safetensors import read_safetensors
from tensorguard.probes.rademacher import PUBLIC, Key
from tensorguard.sources.local import LocalFile

FILES = [path for release in RELEASES for path in sorted(release.glob("*/*.tgfp"))]
PAIRS = [(release, pair) for release in RELEASES for pair in json.loads((release / "expected.json").read_text())]


def settings(path: Path | str) -> Settings:
    kinds = Path(path).parent.name.split("-")
    key, plain = Key(KEY) if "keyed" in kinds else PUBLIC, "plain" in kinds
    return Settings(key=key, quick="sampled" in kinds, lineage=not plain, extended=plain)


def test_there_are_goldens_of_every_kind() -> None:
    assert RELEASES
    for release in RELEASES:
        kinds = {path.parent.name for path in FILES if release in path.parents}
        assert kinds == {"fingerprints", "keyed", "plain", "sampled", "sampled-keyed"}


@pytest.mark.parametrize("path", FILES, ids=named)
def test_a_golden_fingerprint_is_read_and_written_again_to_the_byte(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = read_fingerprint(path)
    assert found.name == path.stem
    assert (found.sketches is None) == (path.parent.name == "plain")
    if found.sketches is not None:
        assert found.sketches.key == settings(path).key.identity()
    assert (found.coverage is None) == (not settings(path).quick)
    features = path.with_name(f"{path.stem}_features.json")
    if features.exists():
        assert load_features(features, found.specification).values == vector(found).values
    tool = json.loads(read_safetensors(LocalFile(path)).metadata["tensorguard"])["tool"]
    monkeypatch.setattr(file, "__version__", tool["version"])  # all that another release says otherwise
    write_fingerprint(tmp_path / path.name, found)
    assert (tmp_path / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("path", FILES, ids=named)
def test_the_same_model_gives_the_same_fingerprint_today(path: Path, models: Path) -> None:
    golden = read_fingerprint(path)
    if not golden.specification.startswith(f"{Specification()}".partition(";")[0]):
        pytest.skip(f"made by {golden.specification}, which is read and no longer made")
    made = fingerprint_model(models / path.stem, settings=settings(path), workers=1)
    assert (made.name, made.specification, made.architecture) == (golden.name, golden.specification, golden.architecture)
    assert (made.header_digest, made.digests, made.coverage) == (golden.header_digest, golden.digests, golden.coverage)
    assert_equal_features(made, golden)
    assert (made.sketches is None) == (golden.sketches is None)
    if golden.sketches is not None:
        assert_equal_sketches(made, golden)


def assert_equal_features(made: Fingerprint, golden: Fingerprint) -> None:
    """The 16 numbers within 1e-6; means, which cancel, as a share of the standard deviation."""
    assert set(made.features) == set(golden.features)
    for name in set(FEATURES) & set(golden.features):
        size = golden.features[name.replace("_mean", "_std")] if name.endswith("_mean") else 1
        assert made.features[name] == pytest.approx(golden.features[name], rel=1e-6, abs=1e-6 * size), name
    assert dict(made.extended) == pytest.approx(dict(golden.extended), rel=1e-5, abs=1e-6)


def assert_equal_sketches(made: Fingerprint, golden: Fingerprint) -> None:
    """Floats within 1e-5 of the largest, halves and bytes within one step; strongest neurons but for ties."""
    assert made.sketches is not None
    assert golden.sketches is not None
    assert describe(made.sketches) == describe(golden.sketches)
    same = made.sketches.unit_index == golden.sketches.unit_index
    assert same.size == 0 or same.mean() > 0.95, "equal but for ties"
    for name in set(ARRAYS) - {"unit_index"}:
        mine, theirs = getattr(made.sketches, name), getattr(golden.sketches, name)
        assert (mine.shape, mine.dtype) == (theirs.shape, theirs.dtype), name
        if name == "unit_vectors":
            mine, theirs = mine[same], theirs[same]
        step = 1 if mine.dtype == np.int8 else 1e-3 if mine.dtype == np.float16 else 1e-5 * np.abs(theirs).max(initial=0)
        assert np.abs(mine.astype(np.float64) - theirs).max(initial=0) <= step, name


@pytest.mark.parametrize(("release", "pair"), PAIRS, ids=[f"{release.name}-{p['first']}-{p['second']}" for release, p in PAIRS])
def test_a_comparison_says_what_it_said(release: Path, pair: dict[str, Any], models: Path) -> None:
    both = [models.parent / each if each.startswith("models/") else release / each for each in (pair["first"], pair["second"])]
    asked = Settings(key=settings(pair["first"]).key)
    lineage = compare_models(both, settings=asked)[0].lineage
    assert lineage.verdict == pair["verdict"]
    assert lineage.effect == pytest.approx(pair["effect"], abs=5e-3), "null draws may come from another generator"
    assert (lineage.log10_p < -6) == (pair["log10_p"] < -6)
    assert (lineage.how == "certain") == (pair["how"] == "certain")


@pytest.mark.parametrize("release", RELEASES, ids=named)
def test_a_merge_of_today_is_taken_apart_by_golden_fingerprints(release: Path, models: Path) -> None:
    known = [release / "fingerprints" / f"{name}.tgfp" for name in ("llama", "llama-tuned", "llama-other")]
    _, found = find_parents(models / "llama-merged", known)
    weights = {parent.name: parent.weight for parent in found.parents}
    assert "llama-tuned" in weights
    assert "llama-other" not in weights


@pytest.mark.parametrize("release", RELEASES, ids=named)
def test_fingerprints_of_different_keys_are_told_apart(release: Path) -> None:
    public, keyed = (load_fingerprint(release / kind / "llama.tgfp") for kind in ("fingerprints", "keyed"))
    assert public.sketches is not None
    assert keyed.sketches is not None
    assert keyed.sketches.key == Key(KEY).identity() != public.sketches.key
    assert keyed.digests == public.digests
