import math
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from benchmarks.rivals.base import NotRunError, Rival
from benchmarks.rivals.environment import find_python
from benchmarks.rivals.pairs import DERIVED, TWIN, Pair
from benchmarks.rivals.process import ProcessRival
from benchmarks.rivals.summary import summarise
from benchmarks.rivals.tables import render


@pytest.fixture
def rival() -> Iterator[Rival]:
    made = ProcessRival("raw_cosine", "raw_cosine", lambda: Path(sys.executable))
    yield made
    made.close()


def _model(folder: Path, **tensors: np.ndarray) -> Path:
    folder.mkdir()
    save_file(tensors, folder / "model.safetensors")
    return folder


def test_a_rival_answers_abstains_and_is_summarised(tmp_path: Path, rival: Rival) -> None:
    random = np.random.default_rng(0)
    x, y = random.normal(size=(2, 30, 40)).astype(np.float32)
    a, b = _model(tmp_path / "a", w=x), _model(tmp_path / "b", w=x + y)
    other, empty = _model(tmp_path / "other", v=x), tmp_path / "empty"
    empty.mkdir()
    rival.prepare([a, b, other, empty])
    assert rival.costs[a].size == (a / "model.safetensors").stat().st_size
    assert rival.costs[empty].failure == "no safetensors"

    close = rival.score(b, a)
    expected = float(x.ravel() @ (x + y).ravel() / np.linalg.norm(x) / np.linalg.norm(x + y))
    assert close.score == pytest.approx(expected, abs=1e-6)
    assert (close.linked, close.abstained) == (None, False)
    apart, nothing = rival.score(other, a), rival.score(empty, a)
    assert apart.abstained
    assert apart.note == "no matrix of one name and one shape"
    assert nothing.abstained
    assert math.isnan(nothing.score)

    pairs = [
        Pair(b, a, True, DERIVED, "ft", ("a",)),
        Pair(empty, a, True, DERIVED, "cut", ("a",)),
        Pair(other, a, False, TWIN, "", ("a", "o")),
    ]
    summary = summarise(rival, list(zip(pairs, [close, nothing, apart], strict=True)))
    assert summary.auc == 0.75  # the abstention on a linked pair ties with that on the unlinked one
    assert (summary.found.count, summary.found.of) == (1, 2)
    assert (summary.abstained["linked"].count, summary.abstained["unlinked"].count) == (1, 1)
    assert summary.own_found is None
    assert summary.by_transformation["ft"]["found"]["count"] == 1
    assert summary.by_transformation["cut"]["abstained"] == 1
    assert summary.costs["models_failed"] == 1
    assert summary.costs["peak_memory"] >= summary.costs["memory_at_start"] > 0
    text = render({"raw_cosine": summary}, {"another": "no interpreter"})
    assert "| raw_cosine | 0.750" in text
    assert "not run: another: no interpreter" in text


def test_a_process_that_dies_is_not_run(tmp_path: Path) -> None:
    broken = ProcessRival("broken", "no_such_module", lambda: Path(sys.executable))
    with pytest.raises(NotRunError, match=r"No module named .*no_such_module"):
        broken.prepare([tmp_path])
    broken.close()


def test_an_interpreter_that_is_not_there_is_not_run() -> None:
    with pytest.raises(NotRunError, match=r"no interpreter: looked for python9\.99"):
        find_python(["python9.99"])
    assert find_python([], Path(sys.executable)).exists()
