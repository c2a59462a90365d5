import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from support.checkpoints import llama, save
from support.commands import PROGRAM, CommandLine, check
from tensorguard.fingerprint.base import FEATURES
from tensorguard.fingerprint.file import read_fingerprint

PAPER = [*FEATURES, "model_name"]


def written(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_one_model(cli: CommandLine, models: Path, tmp_path: Path) -> None:
    answer = cli("fingerprint", models / "llama", "-o", tmp_path)
    assert (answer.code, answer.err) == (0, "")
    assert "1 model: 1 done." in answer.out
    assert all(key in answer.out for key in FEATURES)
    assert written(tmp_path) == ["llama.tgfp", "llama_features.json"]
    features = json.loads((tmp_path / "llama_features.json").read_bytes())
    assert list(features) == PAPER
    check(features, "features/1")
    assert read_fingerprint(tmp_path / "llama.tgfp").features == {key: features[key] for key in FEATURES}


def test_json(cli: CommandLine, models: Path, tmp_path: Path) -> None:
    answer = cli("fingerprint", models / "gpt2", "-o", tmp_path, "--json", "--features", "extended", "--layers", "all")
    result = answer.json()["result"]
    assert [entry["status"] for entry in result] == ["done"]
    assert result[0]["fingerprint"]["features"]["num_layers"] == len(result[0]["fingerprint"]["layers"]) == 26
    assert result[0]["fingerprint"]["extended"]
    again = cli("fingerprint", models / "gpt2", "-o", tmp_path, "--json", "--features", "extended", "--layers", "all").json()
    assert again["result"][0]["status"] == "finished before"
    assert again["result"][0]["fingerprint"] == result[0]["fingerprint"]


def test_many_with_a_bad_one(cli: CommandLine, models: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(b"nonsense")
    out = tmp_path / "out"
    answer = cli("fingerprint", models / "llama", bad, models / "bert", tmp_path / "none", "-o", out, "--json")
    assert answer.code == 5
    assert json.loads(answer.err)["error"]["code"] == 5
    document = answer.json()
    assert [entry["status"] for entry in document["result"]] == ["done", "failed", "done", "failed"]
    assert [entry["error"] and entry["error"]["kind"] for entry in document["result"]] == [None, "input", None, "not-found"]
    assert [entry["name"] for entry in document["skipped"]] == [str(bad), str(tmp_path / "none")]
    assert written(out) == ["bert.tgfp", "bert_features.json", "llama.tgfp", "llama_features.json"]
    table = cli("fingerprint", models / "llama", bad, "-o", out)
    assert table.code == 5
    assert "left out" in table.out
    assert table.err.startswith("tensorguard: error: 1 of 2 models failed")


def test_finished_ones_are_skipped_until_something_changes(cli: CommandLine, tmp_path: Path) -> None:
    model, out = save(tmp_path / "m", llama()), tmp_path / "out"

    def status(*options: str) -> str:
        (entry,) = cli("fingerprint", model, "-o", out, "--json", *options).json()["result"]
        return entry["status"]

    assert status() == "done"
    assert status() == "finished before"
    assert status("--force") == "done"
    assert status("--seed", "1") == "done"
    assert status("--seed", "1") == "finished before"
    assert status("--seed", "1", "--features", "extended") == "done"
    assert status("--seed", "1") == "finished before", "more than asked for is there already"
    file = model / "model.safetensors"
    os.utime(file, ns=(0, (out / "m.tgfp").stat().st_mtime_ns + 1))
    assert status("--seed", "1") == "done", "its file is newer"
    os.utime(file, ns=(0, 0))
    assert status("--seed", "1") == "finished before"
    save_file({name: array for name, array in load_file(file).items() if "layers.3" not in name}, file)
    os.utime(file, ns=(0, 0))
    assert status("--seed", "1") == "done", "its header is another one"
    (out / "m_features.json").unlink()
    assert status("--seed", "1") == "done", "half of it was missing"
    (out / "m.tgfp").write_bytes((out / "m.tgfp").read_bytes()[:-1])
    assert status("--seed", "1") == "done", "it was truncated"


def test_two_models_of_one_name_are_refused_before_any_work(cli: CommandLine, models: Path, tmp_path: Path) -> None:
    other = save(tmp_path / "elsewhere" / "llama", llama(5))
    answer = cli("fingerprint", models / "llama", other, "-o", tmp_path / "out")
    assert answer.code == 2
    assert "both be written as llama.tgfp" in answer.err
    assert not (tmp_path / "out").exists()
    assert cli("fingerprint", models / "llama", models / "llama" / "model.safetensors", "-o", tmp_path / "out").code == 2


def test_the_output_cannot_be_written(cli: CommandLine, models: Path, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    assert cli("fingerprint", models / "llama", "-o", file).code == 2
    assert cli("fingerprint", models / "llama", "-o", file / "below").code == 6
    answer = cli("fingerprint", models / "llama", "-o", "/proc/self")  # no file can be made there, by root neither
    assert answer.code == 6
    assert answer.err.count("\n") == 2
    assert file.read_text() == "mine"


def test_a_full_disk_leaves_nothing(models: Path, tmp_path: Path) -> None:
    command = [*PROGRAM, "fingerprint", str(models / "llama"), "-o", str(tmp_path / "out")]
    limited = ["sh", "-c", 'ulimit -f 0; exec "$0" "$@"', *command]  # no file may grow, as on a full disk
    done = subprocess.run(limited, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (6, "")
    assert done.stderr.startswith("tensorguard: error: cannot be written")
    assert list((tmp_path / "out").iterdir()) == []


def test_an_adapter_on_its_base(cli: CommandLine, models: Path, tmp_path: Path) -> None:
    from support.adapters import write_adapter

    name = "base_model.model.model.layers.0.self_attn.q_proj"
    rng = np.random.default_rng(0)
    factors = {
        f"{name}.lora_A.weight": rng.standard_normal((2, 32)).astype(np.float32),
        f"{name}.lora_B.weight": rng.standard_normal((32, 2)).astype(np.float32),
    }
    adapter = write_adapter(tmp_path / "adapter", tensors=factors)
    out = tmp_path / "out"
    answer = cli("fingerprint", adapter, models / "llama", "--base", models / "llama", "-o", out, "--json", "--workers", "1")
    assert answer.code == 0
    merged = tmp_path / "merged" / "adapter.safetensors"
    merged.parent.mkdir()
    assert cli("merge", adapter, "--base", models / "llama", "-o", merged).code == 0
    assert cli("fingerprint", merged, "-o", tmp_path / "out2").code == 0
    ours, whole = read_fingerprint(out / "adapter.tgfp"), read_fingerprint(tmp_path / "out2" / "adapter.tgfp")
    assert ours.features == whole.features
    assert ours.features != read_fingerprint(out / "llama.tgfp").features
    lone = cli("fingerprint", adapter, "-o", out)
    assert lone.code == 4
    assert "--base" in lone.err
    found = cli("fingerprint", adapter, "--search", models, "-o", tmp_path / "out3")
    assert found.code == 4, "its configuration names no base"
    needless = cli("fingerprint", models / "bert", "--base", models / "llama", "-o", out)
    assert needless.code == 2
    assert "a base goes with an adapter" in needless.err


@pytest.mark.parametrize(
    "options", [["--layers", "0"], ["--layers", "x"], ["--features", "all"], ["--repeats", "0"], ["--seed", "-1"]]
)
def test_options_out_of_range(cli: CommandLine, models: Path, tmp_path: Path, options: list[str]) -> None:
    assert cli("fingerprint", models / "llama", "-o", tmp_path / "out", *options).code == 2
    assert not (tmp_path / "out").exists()


def test_workers_do_not_change_the_files(cli: CommandLine, models: Path, tmp_path: Path) -> None:
    both = models / "llama", models / "phi3"
    assert cli("fingerprint", *both, "-o", tmp_path / "one", "--workers", "1").code == 0
    assert cli("fingerprint", *both, "-o", tmp_path / "two", "--workers", "2", "--memory", "4").code == 0
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()
