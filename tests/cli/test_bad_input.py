"""What bad input gets: one line that says what is wrong and where, at most one hint, exit code 3 or 4, nothing written."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from support.adapters import write_adapter, write_base
from support.checkpoints import Arrays, llama, save
from support.commands import Answer, CommandLine, program
from support.containers import entry, safetensors_bytes, save_index, save_model, save_sharded, weight_map_of
from support.hostile import GGUF, SAFETENSORS

Q = "model.layers.0.self_attn.q_proj.weight"


def file(name: str, raw: bytes) -> Callable[[Path], list[Path]]:
    def build(folder: Path) -> list[Path]:
        (folder / name).write_bytes(raw)
        return [folder / name]

    return build


def one(dtype: str, shape: list[int], begin: int, end: int, data: int) -> Callable[[Path], list[Path]]:
    return file("m.safetensors", safetensors_bytes({Q: entry(dtype, shape, begin, end)}, bytes(data)))


def missing_shard(folder: Path) -> list[Path]:
    save_sharded(folder)[1].unlink()
    return [folder]


def missing_indexed_shard(folder: Path) -> list[Path]:
    shards = save_sharded(folder)
    save_index(folder, weight_map_of(shards))
    shards[2].unlink()
    return [folder]


def wrong_index(folder: Path) -> list[Path]:
    shards = save_sharded(folder)
    save_index(folder, weight_map_of(shards) | {"elsewhere": shards[0].name})
    return [folder]


def escaping(target: str) -> Callable[[Path], list[Path]]:
    def build(folder: Path) -> list[Path]:
        save_model(folder / "secret.safetensors")
        (folder / "model").mkdir()
        save_index(folder / "model", {"a": target.format(folder=folder)})
        return [folder / "model"]

    return build


def changed(change: Callable[[Arrays], object]) -> Callable[[Path], list[Path]]:
    def build(folder: Path) -> list[Path]:
        tensors = llama(blocks=1)
        change(tensors)
        return [save(folder / "m", tensors)]

    return build


def filled(value: float, dtype: type = np.float32) -> Callable[[Path], list[Path]]:
    def change(tensors: Arrays) -> None:
        tensors[Q] = tensors[Q].astype(dtype)
        tensors[Q][3, 4] = value

    return changed(change)


def pickled(name: str) -> Callable[[Path], list[Path]]:
    return file(name, pickle.dumps({"weights": [1, 2]}, protocol=4))


def folder_of_pickles(folder: Path) -> list[Path]:
    pickled("pytorch_model.bin")(folder)
    return [folder]


def no_matrices(folder: Path) -> list[Path]:
    return [save(folder / "m", {"model.norm.weight": np.ones(8, np.float32)})]


def adapter_without_base(folder: Path) -> list[Path]:
    return [write_adapter(folder / "adapter", {"base_model_name_or_path": "nobody/\x1b[31mnothing"})]


def adapter_for_another_base(folder: Path) -> list[Path]:
    base = write_base(folder / "base", {"model.layers.0.self_attn.q_proj.weight": np.ones((5, 3), np.float32)})
    return [write_adapter(folder / "adapter"), Path("--base"), base]


BAD: dict[str, tuple[Callable[[Path], list[Path]], int, str]] = {
    "not a safetensors file": (file("m.safetensors", b"hello, world"), 3, "m.safetensors"),
    "not a file of any kind": (file("m.txt", b"hello, world"), 3, "known kind"),
    "an empty file": (file("m.safetensors", b""), 3, "too few"),
    "truncated header": (file("m.safetensors", safetensors_bytes({Q: entry("F32", [2, 2], 0, 16)})[:40]), 3, "only"),
    "truncated data": (one("F32", [2, 2], 0, 16, 15), 3, "truncated"),
    "absurd header length": (file("m.safetensors", safetensors_bytes({}, length=2**63)), 3, "more than"),
    "overlapping offsets": (file("m.safetensors", SAFETENSORS["overlap"][0]), 3, "overlaps"),
    "offsets out of range": (one("F32", [2, 2], 0, 2**40, 16), 3, "offsets"),
    "offsets that do not match the shape": (one("F32", [2, 2], 0, 12, 12), 3, "span 12"),
    "duplicate names": (file("m.safetensors", SAFETENSORS["tensor twice"][0]), 3, "twice"),
    "unknown dtype": (one("F31", [2, 2], 0, 16, 16), 3, "F31"),
    "missing shard": (missing_shard, 3, "missing"),
    "missing indexed shard": (missing_indexed_shard, 3, "not there"),
    "index naming a tensor its shard lacks": (wrong_index, 3, "elsewhere"),
    "index escaping upwards": (escaping("../secret.safetensors"), 3, "inside its folder"),
    "index escaping absolutely": (escaping("{folder}/secret.safetensors"), 3, "inside its folder"),
    "NaN": (filled(np.nan), 3, "1 NaN"),
    "infinity": (filled(np.inf), 3, "1 infinite"),
    "NaN in bfloat16": (filled(np.nan, ml_dtypes.bfloat16), 3, "1 NaN"),
    "infinity in float16": (filled(-np.inf, np.float16), 3, "1 infinite"),
    "a pickle": (pickled("model.pkl"), 3, "pickle"),
    "a pickle called safetensors": (pickled("model.safetensors"), 3, "model.safetensors"),
    "a folder of pickles": (folder_of_pickles, 3, "pickle"),
    "an empty folder": (lambda folder: [folder], 3, "empty folder"),
    "no 2-D weights": (no_matrices, 3, "no 2-D weights"),
    "nothing there": (lambda folder: [folder / "none"], 4, "no such file"),
    "adapter without its base": (adapter_without_base, 4, "base"),
    "adapter for another base": (adapter_for_another_base, 3, "base"),
    "GGUF truncated": (file("m.gguf", GGUF["data cut"][0]), 3, "truncated"),
    "GGUF with 2^60 tensors": (file("m.gguf", GGUF["2^60 tensors"][0]), 3, "more than"),
}


def one_line(answer: Answer, code: int, said: str) -> None:
    assert (answer.code, answer.out) == (code, "")
    error, *hint = answer.err.splitlines()
    assert error.startswith("tensorguard: error: ")
    assert said in error
    assert len(hint) <= 1
    assert all(line.startswith("hint: ") for line in hint)
    assert all(line.isprintable() for line in (error, *hint))


@pytest.mark.parametrize(("build", "code", "said"), BAD.values(), ids=BAD)
def test_bad_input(cli: CommandLine, tmp_path: Path, build: Callable[[Path], list[Path]], code: int, said: str) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    arguments = build(folder)
    before = sorted(tmp_path.rglob("*"))
    one_line(cli("fingerprint", *arguments, "-o", out), code, said)
    assert list(out.rglob("*")) == []
    one_line(cli("fingerprint", *arguments, "-o", out, "--layers", "all", "--workers", "1"), code, said)
    assert [path for path in sorted(tmp_path.rglob("*")) if path != out] == before, "nothing is written anywhere"
    failed = cli("fingerprint", *arguments, "-o", out, "--json")
    assert (failed.code, failed.out) == (code, "")
    error = json.loads(failed.err)["error"]
    assert (error["code"], set(error)) == (code, {"code", "kind", "message", "where", "hint"})


@pytest.mark.parametrize("command", ["inspect", "merge", "sensitivity", "compare"])
@pytest.mark.parametrize("name", ["truncated data", "missing shard", "index escaping upwards", "a pickle", "an empty folder"])
def test_other_commands_say_the_same(cli: CommandLine, models: Path, tmp_path: Path, command: str, name: str) -> None:
    build, code, said = BAD[name]
    (tmp_path / "in").mkdir()
    arguments: list[object] = [*build(tmp_path / "in")]
    if command == "merge":
        arguments += ["-o", tmp_path / "out.safetensors"]
    if command == "compare":
        arguments.insert(0, models / "llama")
    one_line(cli(command, *arguments), code, said)
    assert not (tmp_path / "out.safetensors").exists()


def test_no_warnings_reach_a_users_terminal(tmp_path: Path) -> None:
    (model,) = filled(np.inf)(tmp_path)
    one_line(program("fingerprint", model, "-o", tmp_path / "out"), 3, "infinite")
    done = program("fingerprint", model, "-o", tmp_path / "out", "--skip-nonfinite")
    assert (done.code, done.err) == (0, "")
    assert "left out" in done.out


def test_empty_and_scalar_tensors_are_fine(cli: CommandLine, tmp_path: Path) -> None:
    extra = {"model.none": np.zeros((0, 4), np.float32), "model.scale": np.array(2, np.float32)}
    model = save(tmp_path / "m", llama(blocks=1) | extra)
    assert cli("fingerprint", model, "-o", tmp_path / "out").code == 0
    assert "has no elements" in cli("inspect", model).out


NOT_ASKED = ("model.layers.2.mlp.up_proj.weight", "model.layers.1.input_layernorm.weight")


@pytest.mark.parametrize("name", NOT_ASKED)
@pytest.mark.parametrize("value", [np.nan, -np.inf], ids=["NaN", "infinite"])
def test_values_that_the_16_numbers_never_see(cli: CommandLine, tmp_path: Path, name: str, value: float) -> None:
    sound = save(tmp_path / "sound", llama())
    tensors = llama()
    tensors[name].flat[-1] = value
    model, out = save(tmp_path / "m", tensors), tmp_path / "out"
    one_line(cli("fingerprint", model, "-o", out), 3, f"tensor '{name}' holds")
    assert list(out.iterdir()) == []
    assert cli("fingerprint", sound, "-o", out).code == 0
    answer = cli("fingerprint", model, "-o", out, "--no-lineage", "--json")
    assert (answer.code, answer.json()["notices"]) == (0, [])
    one_line(cli("fingerprint", model, "-o", out), 3, f"tensor '{name}' holds")
    listed = cli("fingerprint", model, "-o", out, "--skip-nonfinite", "--json").json()
    (made,) = (entry["fingerprint"] for entry in listed["result"])
    counts = [(each["nan"], each["infinite"]) for each in made["digests"] if each["nan"] or each["infinite"]]
    assert counts == [(1, 0) if np.isnan(value) else (0, 1)]
    *unfolded, notice = listed["notices"]
    assert notice == f"values that are not finite are in '{name}'"
    assert unfolded == ([f"'{name}' is not folded: it holds numbers that are not finite"] if "input_layernorm" in name else [])
    assert made["features"] | {"model_name": "sound"} == json.loads((out / "sound_features.json").read_bytes())
    one_line(cli("fingerprint", model, "-o", out), 3, f"tensor '{name}' holds")


def test_many_damaged_tensors_are_counted(cli: CommandLine, tmp_path: Path) -> None:
    tensors = llama()
    for name in tensors:
        if "norm" in name:
            tensors[name][0] = np.nan
    listed = cli("fingerprint", save(tmp_path / "m", tensors), "-o", tmp_path / "out", "--skip-nonfinite", "--json").json()
    *unfolded, notice = listed["notices"]
    assert [each.endswith("is not folded: it holds numbers that are not finite") for each in unfolded] == [True] * 5 + [False]
    assert unfolded[5] == "4 more norms are not folded"
    assert notice.startswith("values that are not finite are in 'model.norm.weight', ")
    assert notice.endswith(", 4 more")


def test_left_out_tensors_are_listed(cli: CommandLine, tmp_path: Path) -> None:
    (model,) = filled(np.nan)(tmp_path)
    document = cli("fingerprint", model, "-o", tmp_path / "out", "--skip-nonfinite", "--json").json()
    assert document["skipped"] == [{"name": f"m: {Q}", "reason": "1 NaN and 0 infinite values"}]
