"""sensitivity, merge and inspect."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from support.checkpoints import llama, phi3
from support.commands import CommandLine


def test_sensitivity_of_one_model(cli: CommandLine, models: Path, tmp_path: Path) -> None:
    answer = cli("sensitivity", models / "llama", "--repeats", "3", "--attention", "--json", "-o", f"png={tmp_path / 's.png'}")
    result = answer.json()["result"]
    assert (answer.code, answer.err, result["comparison"]) == (0, "", None)
    (model,) = result["models"]
    assert len(model["measured"]["layers"]) == 28
    assert set(model["findings"]) == {"norm", "gain", "pullback"}
    assert (tmp_path / "s.png").stat().st_size > 1000
    assert "amplifies its input most" in cli("sensitivity", models / "llama", "--repeats", "3").out


def test_sensitivity_of_two_models(cli: CommandLine, models: Path, tmp_path: Path) -> None:
    both = models / "llama", models / "gpt2"
    answer = cli("sensitivity", *both, "--repeats", "2", "--layers", "0-1,3", "--roles", "o,down,fc_out", "--json")
    comparison = answer.json()["result"]["comparison"]
    assert comparison["models"] == ["llama", "gpt2"]
    assert {place["at"] for place in comparison["layers"]} == {0, 1, 3}


def test_sensitivity_of_what_is_not_there(cli: CommandLine, models: Path) -> None:
    for options, code in ((["--layers", "99"], 3), (["--roles", "nothing"], 3), (["--layers", "1-x"], 2), (["--top", "0"], 2)):
        answer = cli("sensitivity", models / "llama", "--repeats", "1", *options)
        assert (answer.code, answer.out) == (code, "")


def shards(folder: Path) -> Path:
    folder.mkdir()
    tensors = list(llama().items())
    for number in range(3):
        save_file(dict(tensors[number::3]), folder / f"model-{number + 1:05d}-of-00003.safetensors")
    return folder


def test_merge(cli: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, out = shards(tmp_path / "m"), tmp_path / "one.safetensors"
    answer = cli("merge", model, "-o", out, "--json")
    (entry,) = answer.json()["result"]
    assert (answer.code, entry["tensors"], entry["skipped"]) == (0, len(llama()), False)
    merged = load_file(out)
    assert merged.keys() == llama().keys()
    assert all(np.array_equal(merged[name], array) for name, array in llama().items())
    assert cli("merge", model, "-o", out, "--json").json()["result"][0]["skipped"] is True
    monkeypatch.setenv("COLUMNS", "200")
    assert "was there already" in cli("merge", model, "-o", out).out


def test_merge_many(cli: CommandLine, models: Path, tmp_path: Path) -> None:
    model, out = shards(tmp_path / "m"), tmp_path / "out"
    answer = cli("merge", model, tmp_path / "none", models / "bert", "-o", out, "--json")
    assert answer.code == 5
    assert [entry["error"] and entry["error"]["kind"] for entry in answer.json()["result"]] == [None, "not-found", None]
    assert sorted(path.name for path in out.iterdir()) == ["bert.safetensors", "m.safetensors"]
    assert cli("merge", model, model, "-o", out).code == 2
    assert cli("merge", model, models / "bert", "-o", tmp_path / "x.safetensors").code == 2
    assert not (tmp_path / "x.safetensors").exists()


def test_merge_makes_the_folder_but_not_below_a_file(cli: CommandLine, models: Path, tmp_path: Path) -> None:
    out = tmp_path / "a" / "b" / "one.safetensors"
    assert cli("merge", models / "llama", "-o", out).code == 0
    assert load_file(out).keys() == llama().keys()
    for below, code in ((out / "y.safetensors", 2), (out / "z" / "y.safetensors", 6)):
        answer = cli("merge", models / "llama", "-o", below)
        assert (answer.code, answer.out) == (code, "")
    assert [path.name for path in out.parent.iterdir()] == ["one.safetensors"]


def test_inspect(cli: CommandLine, models: Path, tmp_path: Path) -> None:
    answer = cli("inspect", models / "phi3", "--json")
    result = answer.json()["result"]
    assert (answer.code, answer.err, result["name"], result["container"]) == (0, "", "phi3", "safetensors")
    roles = {component["role"]: component["weights"] for component in result["inventory"]["components"]}
    assert roles == {"embed": 1, "lm_head": 1} | dict.fromkeys(("q", "k", "v", "o", "gate", "up", "down"), 4)
    assert result["inventory"]["parameters"] == sum(array.size for array in phi3().values())
    page = tmp_path / "i.html"
    assert cli("inspect", models / "guanaco", "-o", f"html={page}").out == ""
    assert "gguf" in page.read_text()
