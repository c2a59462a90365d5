"""Every attack of the corpus through the command line, in a process with limits: one clear line, soon, in little memory, nothing left."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hostile.attacks.catalogue import ATTACKS, index

SECONDS, BYTES = 5.0, 100_000_000
"""What no attack may cost."""

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("attacks")
    (folder / "work").mkdir()
    command = [sys.executable, "-m", "hostile.attacks.runner", str(folder / "work"), str(folder / "results.json")]
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'tests'}", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads((folder / "results.json").read_text())
    return found


@pytest.mark.parametrize("name", ATTACKS)
def test_attack(results: dict[str, Any], name: str) -> None:
    attack, found = ATTACKS[name], results[name]
    assert found["code"] == attack.code, found
    assert attack.words in (found["err"] if attack.code else found["out"] + found["err"]), found
    assert "Traceback" not in found["err"]
    assert found["seconds"] < SECONDS
    assert found["bytes"] < BYTES
    assert found["left"] == []
    for text in (found["out"], found["err"]):
        assert all(line.isprintable() for line in text.split("\n")), text
    if attack.code:
        first, *more = found["err"].splitlines()
        assert first.startswith("tensorguard: error: ")
        assert len(first) < 1500
        assert all(line.startswith("hint: ") for line in more)
        assert len(more) <= 1
        assert found["out"] == ""


def test_the_index_lists_all_attacks() -> None:
    told = (Path(__file__).parent / "attacks" / "INDEX.md").read_text(encoding="utf-8")
    assert told.split("\n\n", 1)[1] == index()
