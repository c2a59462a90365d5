"""Fingerprints of every method so far load for ever, and those of the present one are reproduced; see tests/golden/README.md."""

from pathlib import Path

import pytest

from support.checkpoints import MAKERS, save
from tensorguard.api.fingerprints import Settings, fingerprint_model
from tensorguard.fingerprint.base import FEATURES
from tensorguard.fingerprint.features import load_features, vector, write_features
from tensorguard.fingerprint.file import read_fingerprint, write_fingerprint
from tensorguard.fingerprint.specification import METHOD

GOLDEN = Path(__file__).parents[1] / "golden"
STATISTICS = ("mean", "std", "norm", "skewness", "kurtosis", "gain")


def recorded() -> list[Path]:
    return sorted(GOLDEN.glob("*.tgfp"))


@pytest.fixture(scope="module", autouse=True)
def _add(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> None:
    if not request.config.getoption("--add-goldens"):
        return
    for name in MAKERS:
        path = GOLDEN / f"{METHOD}-{name}.tgfp"
        if not path.exists():
            folder = save(tmp_path_factory.mktemp("golden") / name, MAKERS[name](0), name)
            made = fingerprint_model(folder, settings=Settings(extended=True))
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
    made = fingerprint_model(save(tmp_path / name, MAKERS[name](0), name), settings=Settings(extended=True))
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


def scale(key: str, features: dict[str, float]) -> float:
    """A mean may cancel to nearly 0, so it is held against the standard deviation."""
    return 1e-6 * (features[key.replace("_mean", "_std")] if key.endswith("_mean") else 1)
