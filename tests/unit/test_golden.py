"""Fingerprints of every method so far load for ever, and those of the present one are reproduced; see tests/golden/README.md."""

import json
from pathlib import Path

import numpy as np
import pytest

from support.checkpoints import MAKERS, save
from tensorguard.api.fingerprints import Settings, fingerprint_model
from tensorguard.fingerprint.base import FEATURES, Fingerprint
from tensorguard.fingerprint.features import load_features, vector, write_features
from tensorguard.fingerprint.file import read_fingerprint, write_fingerprint
from tensorguard.fingerprint.sketch_file import describe
from tensorguard.fingerprint.sketches import ARRAYS
from tensorguard.fingerprint.specification import METHOD
from tensorguard.probes.anchors import ANCHOR_WORDS

GOLDEN = Path(__file__).parents[1] / "golden"
WITHOUT_LONG_VOCABULARY = {"ids", "id_rows", "id_gram", "head_id_rows", "head_id_gram"}
STATISTICS = ("mean", "std", "norm", "skewness", "kurtosis", "gain")


def fingerprinted(folder: Path, name: str) -> Fingerprint:
    """The fingerprint of a model with a vocabulary that has every anchor word."""
    save(folder, MAKERS[name](0), name)
    vocabulary = {f"Ġ{word}": 2 * place for place, word in enumerate(ANCHOR_WORDS)}
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"type": "BPE", "vocab": vocabulary, "merges": []}}))
    return fingerprint_model(folder, settings=Settings(extended=True))


def recorded() -> list[Path]:
    return sorted(GOLDEN.glob("*.tgfp"))


@pytest.fixture(scope="module", autouse=True)
def _add(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> None:
    if not request.config.getoption("--add-goldens"):
        return
    for name in MAKERS:
        path = GOLDEN / f"{METHOD}-{name}.tgfp"
        if not path.exists():
            made = fingerprinted(tmp_path_factory.mktemp("golden") / name, name)
            write_fingerprint(path, made)
            write_features(GOLDEN / f"{METHOD}-{name}_features.json", vector(made))


def test_the_present_method_has_its_goldens() -> None:
    assert {f"{METHOD}-{name}" for name in MAKERS} <= {path.stem for path in recorded()}, "add them with --add-goldens"


@pytest.mark.parametrize("path", recorded(), ids=lambda path: path.stem)
def test_every_golden_loads(path: Path) -> None:
    found = read_fingerprint(path)
    features = load_features(path.with_name(f"{path.stem}_features.json"), found.specification)
    assert features.values == vector(found).values
    assert len(found.layers) == found.features["num_layers"]
    assert found.specification.startswith(f"{path.stem.rpartition('-')[0]};")


@pytest.mark.parametrize("name", MAKERS)
def test_the_present_method_reproduces_its_goldens(tmp_path: Path, name: str) -> None:
    golden = read_fingerprint(GOLDEN / f"{METHOD}-{name}.tgfp")
    made = fingerprinted(tmp_path / name, name)
    assert (made.name, made.specification, made.header_digest) == (golden.name, golden.specification, golden.header_digest)
    assert (made.architecture, made.elements, made.elements_read) == (
        golden.architecture,
        golden.elements,
        golden.elements_read,
    )
    assert made.digests == golden.digests != (), "to the bit: nothing is computed but casts"
    for key in FEATURES:
        assert made.features[key] == pytest.approx(golden.features[key], rel=1e-6, abs=scale(key, golden.features)), key
    assert {key: made.extended[key] for key in golden.extended} == pytest.approx(dict(golden.extended), rel=1e-5, abs=1e-6)
    for mine, theirs in zip(made.layers, golden.layers, strict=True):
        assert (mine.name, mine.role, mine.category, mine.layer, mine.shape) == (
            theirs.name,
            theirs.role,
            theirs.category,
            theirs.layer,
            theirs.shape,
        )
        for statistic in STATISTICS:
            expected = getattr(theirs, statistic)
            assert getattr(mine, statistic) == pytest.approx(
                expected, rel=1e-6, abs=1e-6 * (theirs.std if statistic == "mean" else 1)
            )


@pytest.mark.parametrize("name", MAKERS)
def test_the_present_method_reproduces_its_golden_sketches(tmp_path: Path, name: str) -> None:
    golden, made = read_fingerprint(GOLDEN / f"{METHOD}-{name}.tgfp").sketches, fingerprinted(tmp_path / name, name).sketches
    assert golden is not None
    assert made is not None
    assert describe(made) == describe(golden)
    for array in ARRAYS:
        mine, theirs = getattr(made, array), getattr(golden, array)
        assert (mine.shape, mine.dtype) == (theirs.shape, theirs.dtype), array
        assert theirs.any() or array in WITHOUT_LONG_VOCABULARY, array
        if array == "unit_index":
            assert (mine == theirs).mean() > 0.95, "equal but for ties"
        elif array != "unit_vectors":
            step = 1 if mine.dtype == np.int8 else 1e-3 if mine.dtype == np.float16 else 1e-5 * np.abs(theirs).max(initial=0)
            assert np.abs(mine.astype(np.float64) - theirs).max(initial=0) <= step, array


def scale(key: str, features: dict[str, float]) -> float:
    """A mean may cancel to nearly 0, so it is held against the standard deviation."""
    return 1e-6 * (features[key.replace("_mean", "_std")] if key.endswith("_mean") else 1)
