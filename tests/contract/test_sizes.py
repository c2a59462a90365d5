"""The house rule on size: small files, two levels deep."""

from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[2]
LONGEST = 300


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_no_python_file_is_long() -> None:
    files = [path for part in ("src", "tests", "benchmarks", "examples") for path in (ROOT / part).rglob("*.py")]
    assert len(files) > 50
    assert {str(path.relative_to(ROOT)): lines(path) for path in files if lines(path) > LONGEST} == {}


def test_the_median_source_file_is_short_and_nothing_lies_deep() -> None:
    package = ROOT / "src" / "tensorguard"
    files = list(package.rglob("*.py"))
    assert median(lines(path) for path in files) <= 140
    assert max(len(path.relative_to(package).parents) for path in files) <= 3
