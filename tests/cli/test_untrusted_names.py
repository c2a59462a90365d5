"""Names out of files, and names of files, reach neither a terminal nor a page raw."""

import json
import os
import re
from pathlib import Path

import pytest

from support.checkpoints import Arrays, gpt2, llama, save
from support.commands import Answer, CommandLine, check

EVIL = "\x1b[31m\x9b2J\x07[red]bold[/red]${HOME}$x$<script>alert(1)</script><img src=x onerror=y>&quot;'\"\u202e\u2028\x7f\r!"
RAW = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
FILE_NAME = EVIL.replace("/", "")


def evil_tensors(seed: int) -> Arrays:
    """A llama with names that attack whatever shows them; its q matrices have no place any more."""
    return {name.replace("q_proj", f"q{EVIL}") if "q_proj" in name else name: array for name, array in llama(seed).items()} | {
        f"{EVIL}.weight": llama(seed)["lm_head.weight"] * 0
    }


@pytest.fixture
def evil(tmp_path: Path) -> Path:
    metadata = {EVIL: EVIL, "format": EVIL}
    for number in range(2):
        folder = save(tmp_path / f"{number}{FILE_NAME}", evil_tensors(number), metadata=metadata)
        (folder / "config.json").write_text(json.dumps({"model_type": EVIL, "architectures": [EVIL], EVIL: EVIL}))
    save(tmp_path / "plain", gpt2(), "gpt2")
    return tmp_path


def harmless(answer: Answer, *codes: int) -> Answer:
    assert answer.code in (codes or (0,))
    for text in (answer.out, answer.err):
        assert not RAW.search(text)
    return answer


def test_every_table_and_every_json(cli: CommandLine, evil: Path) -> None:
    models = sorted(evil.iterdir())
    assert len(models) == 3
    out, saved = evil / "out", evil / "families.json"
    shown = harmless(cli("fingerprint", models[0], "-o", out, "--layers", "all"))
    assert "[red]bold[/red]" in shown.out.replace("\n", ""), "markup is shown as it stands"
    harmless(cli("fingerprint", *models, "-o", out, "--layers", "all", "--json", "--workers", "1")).json()
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+", path.name) for path in out.iterdir())
    for form in ([], ["--json"]):
        answers = [
            harmless(cli("inspect", models[0], *form)),
            harmless(cli("compare", models[0], models[1], *form)),
            harmless(cli("compare", *models, *form)),
            harmless(cli("sensitivity", *models, "--repeats", "2", *form)),
            harmless(cli("cluster", *models, "--bases", f"{models[0].name},plain", "--save", saved, *form)),
            harmless(cli("classify", models[1], "--families", saved, *form)),
        ]
        for answer in answers if form else ():
            answer.json()
    merged = harmless(cli("merge", models[0], models[1], "-o", evil / "merged", "--json"))
    assert merged.json()["result"][0]["error"] is None


def test_json_loses_nothing(cli: CommandLine, evil: Path) -> None:
    model = sorted(evil.iterdir())[0]
    document = cli("inspect", model, "--json").json()
    assert document["result"]["name"] == model.name
    assert f"{EVIL}.weight" in document["result"]["inventory"]["unknown"]


def test_errors(cli: CommandLine, evil: Path) -> None:
    for form in ([], ["--json"]):
        harmless(cli("inspect", evil / f"none{FILE_NAME}", *form), 4)
        harmless(cli("compare", evil / f"none{FILE_NAME}", evil / "plain", *form), 4)
        harmless(cli("inspect", evil, *form), 3)
    broken = evil / f"{FILE_NAME}.safetensors"
    broken.write_bytes(b"nonsense")
    harmless(cli("fingerprint", broken, "-o", evil / "out"), 3)
    harmless(cli("fingerprint", broken, evil / "plain", "-o", evil / "out", "--workers", "1"), 5)


def test_pages(cli: CommandLine, evil: Path) -> None:
    models = sorted(evil.iterdir())
    page = evil / "page.html"
    for arguments in (
        ["inspect", models[0]],
        ["compare", *models],
        ["sensitivity", models[0], "--repeats", "2"],
        ["cluster", *models, "--bases", f"{models[0].name},plain"],
    ):
        harmless(cli(*arguments, "-o", f"html={page}"))
        text = page.read_text("utf-8")
        assert not RAW.search(text)
        assert text.count("<script") == 2, "the page's own data and script"
        assert "onerror=y>" not in text
        assert "&lt;script&gt;" in text


@pytest.mark.skipif(os.name == "nt", reason="file names are bytes on POSIX only")
def test_a_name_that_is_not_utf_8(cli: CommandLine, tmp_path: Path) -> None:
    model = save(Path(os.fsdecode(os.fsencode(tmp_path) + b"/m\xff\xfe")), llama())
    out = tmp_path / "out"
    assert cli("fingerprint", model, "-o", out, "--json").json()["result"][0]["status"] == "done"
    assert cli("fingerprint", model, "-o", out, "--json").json()["result"][0]["status"] == "finished before"
    (features,) = out.glob("*_features.json")
    check(json.loads(features.read_bytes()), "features/1")
    assert cli("inspect", model, "--json").json()["result"]["name"] == r"m\udcff\udcfe"
    assert cli("inspect", model).code == 0
    assert cli("sensitivity", model, "--repeats", "1", "--json").code == 0
    assert cli("merge", model, "-o", tmp_path / "merged", "--json").json()["result"][0]["error"] is None
    missing = cli("inspect", f"{model}-none", "--json")
    assert (missing.code, json.loads(missing.err)["error"]["kind"]) == (4, "not-found")
