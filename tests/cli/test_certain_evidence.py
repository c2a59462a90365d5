"""What digests prove, from models and from stored fingerprints."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from support.adapters import write_adapter
from support.checkpoints import MAKERS, WIDTH, llama, numbers, save, save_gguf
from support.commands import Answer, CommandLine
from tensorguard.fingerprint.file import read_fingerprint, write_fingerprint

Q = "model.layers.0.self_attn.q_proj.weight"


def finding(answer: Answer) -> dict[str, object]:
    """What digests say of two models; where they say `same-weights`, so does the whole answer."""
    result = answer.json()["result"]
    assert (answer.code, len(result["pairs"])) == (0, 1)
    assert result["verdict"] == result["lineage"]["verdict"] == result["pairs"][0]["verdict"]
    found = result["lineage"]["identity"]
    assert (result["verdict"] in ("same-weights", "identical")) == (found["verdict"] == "same-weights")
    assert result["lineage"]["how"] == "certain" or not found["equal"]
    return found


@pytest.fixture
def lora(tmp_path: Path) -> Path:
    """An adapter of one q matrix of `org/llama`."""
    stem = f"base_model.model.{Q.removesuffix('.weight')}"
    factors = {f"{stem}.lora_A.weight": numbers("A", 2, WIDTH), f"{stem}.lora_B.weight": numbers("B", WIDTH, 2)}
    return write_adapter(tmp_path / "tuned", {"base_model_name_or_path": "org/llama"}, factors)


@pytest.mark.parametrize("name", MAKERS)
def test_the_same_weights_in_two_containers(cli: CommandLine, tmp_path: Path, name: str) -> None:
    plain, other = save(tmp_path / "plain", MAKERS[name](0), name), save_gguf(tmp_path / "x.gguf", MAKERS[name](0), name)
    found = finding(cli("compare", plain, other, "--json"))
    assert (found["verdict"], found["moved"]) == ("same-weights", 0)
    assert found["equal"] == found["comparable"] > 0
    assert all(role["equal"] == role["first"] == role["second"] for role in found["roles"])
    said = " ".join(cli("compare", plain, other).out.split())
    assert said.startswith(f"'plain' and 'x' hold the same weights: all {found['equal']} trained matrices are equal (certain).")


@pytest.mark.parametrize("name", [Q, "lm_head.weight", "model.norm.weight", "model.layers.3.post_attention_layernorm.weight"])
def test_one_element_anywhere_counts(cli: CommandLine, models: Path, tmp_path: Path, name: str) -> None:
    tensors = llama(1)
    tensors[name].flat[-1] = np.nextafter(tensors[name].flat[-1], np.float32(9))
    found = finding(cli("compare", models / "llama", save(tmp_path / "other", tensors), "--json"))
    assert found["verdict"] == "shares-components"
    assert found["comparable"] - found["equal"] == ("norm" not in name)


def test_models_of_one_shape_share_nothing(cli: CommandLine, models: Path) -> None:
    found = finding(cli("compare", models / "llama", models / "vicuna", "--json"))
    assert (found["verdict"], found["equal"]) == ("inconclusive", 0)
    assert "equal" not in cli("compare", models / "llama", models / "vicuna").out.split("Component")[0]


def test_an_adapter_and_its_base(cli: CommandLine, models: Path, lora: Path) -> None:
    for how in (("--base", models / "llama"), ("--search", models), ("--search", models / "llama")):
        found = finding(cli("compare", lora, models / "llama", *how, "--json"))
        assert (found["verdict"], found["comparable"] - found["equal"]) == ("shares-components", 1)
        assert [role["role"] for role in found["roles"] if role["equal"] < role["first"]] == ["q"]
    assert cli("compare", lora, models / "llama").code == 4
    assert cli("compare", lora, models / "llama", "--search", models / "bert").code == 4


def test_every_command_finds_the_base(cli: CommandLine, models: Path, fingerprints: Path, lora: Path, tmp_path: Path) -> None:
    saved, out = tmp_path / "families.json", tmp_path / "out"
    assert cli("cluster", fingerprints, "--bases", "llama,gpt2,bert", "--save", saved).code == 0
    commands: tuple[list[object], ...] = (
        ["fingerprint", lora, "-o", out],
        ["classify", lora, "--families", saved],
        ["sensitivity", lora, "--repeats", "1"],
        ["inspect", lora],
        ["merge", lora, "-o", tmp_path / "merged"],
    )
    for command in commands:
        assert cli(*command).code in ((0,) if command[0] == "inspect" else (4, 5))  # what headers tell needs no base
        on_base, found = cli(*command, "--base", models / "llama", "--json"), cli(*command, "--search", models, "--json")
        assert on_base.code == found.code == 0
    assert on_base.json()["result"][0]["changed"] == found.json()["result"][0]["changed"] == 1
    merged = cli("compare", tmp_path / "merged" / "tuned.safetensors", out / "tuned.tgfp", "--json")
    assert [each["model"] for each in merged.json()["inputs"]] == ["merged/tuned", "out/tuned"]  # both are called tuned
    assert finding(merged)["verdict"] == "same-weights"


def test_stored_fingerprints_say_the_same(cli: CommandLine, models: Path, fingerprints: Path, tmp_path: Path) -> None:
    names = ("alpaca", "guanaco")
    expected = finding(cli("compare", models / "alpaca", models / "guanaco", "--json"))
    assert finding(cli("compare", *(fingerprints / f"{name}.tgfp" for name in names), "--json")) == expected
    features = [fingerprints / f"{name}_features.json" for name in names]
    assert finding(cli("compare", *features, "--json")) == expected, "the .tgfp lies beside it"
    alone = [shutil.copy(path, tmp_path) for path in features]
    result = cli("compare", *alone, "--json").json()["result"]
    assert (result["verdict"], result["pairs"], result["distance"]) == (None, [], 0)
    mixed = cli("compare", fingerprints / "alpaca.tgfp", *alone[1:])
    assert mixed.code == 2, "a features file alone does not say how it was made"


def test_of_many_models_those_that_share_are_listed(cli: CommandLine, fingerprints: Path) -> None:
    result = cli("compare", fingerprints, "--json").json()["result"]
    assert result["verdict"] is None
    found = {(each["first"], each["second"]): (each["equal"], each["comparable"]) for each in result["pairs"] if each["equal"]}
    assert found == {("alpaca", "guanaco"): (22, 22), ("alpaca", "phi3"): (10, 22), ("guanaco", "phi3"): (10, 22)}
    pair = finding(cli("compare", fingerprints / "alpaca.tgfp", fingerprints / "phi3.tgfp", "--json"))
    same = {role["role"]: role["equal"] for role in pair["roles"] if role["equal"]}
    assert same == {"embed": 1, "lm_head": 1, "o": 4, "down": 4}, "they are filled by name, shape and seed"
    said = " ".join(cli("compare", fingerprints).out.split())
    assert "alpaca guanaco same-weights" in said
    assert ("22 of 22" in said, said.count("10 of 22")) == (True, 2)


def test_without_digests_there_is_no_verdict_until_they_are_made(cli: CommandLine, models: Path, tmp_path: Path) -> None:
    both = models / "llama", models / "alpaca"
    stored = [tmp_path / f"{path.name}.tgfp" for path in both]

    def statuses(*options: str) -> set[str]:
        answer = cli("fingerprint", *both, "-o", tmp_path, "--workers", "1", "--json", *options).json()
        assert answer["settings"]["lineage"] is ("--no-lineage" not in options)
        return {entry["status"] for entry in answer["result"]}

    assert statuses("--no-lineage") == {"done"}
    without = [read_fingerprint(path) for path in stored]
    assert [found.digests for found in without] == [(), ()]
    result = cli("compare", *stored, "--json").json()["result"]
    assert (result["verdict"], result["lineage"], result["pairs"]) == (None, None, [])
    assert "certain" not in cli("compare", *stored).out
    assert statuses("--no-lineage") == {"finished before"}
    assert statuses() == {"done"}
    assert statuses("--no-lineage") == {"finished before"}, "more than asked for is there already"
    assert [read_fingerprint(path).features for path in stored] == [found.features for found in without]
    assert finding(cli("compare", *stored, "--json"))["verdict"] == "inconclusive"


def test_one_of_two_without_digests(cli: CommandLine, fingerprints: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    write_fingerprint(tmp_path / "bare.tgfp", replace(read_fingerprint(fingerprints / "alpaca.tgfp"), name="bare", digests=()))
    result = cli("compare", tmp_path / "bare.tgfp", fingerprints / "guanaco.tgfp", "--json").json()["result"]
    assert (result["verdict"], result["lineage"]["identity"], result["pairs"][0]["equal"]) == ("derived", None, None)


def test_engines_do_not_change_digests(cli: CommandLine, models: Path, tmp_path: Path) -> None:
    both = models / "phi3", models / "gpt2"
    for name, options in {"inline": ("--workers", "1"), "processes": ("--workers", "2", "--memory", "4")}.items():
        assert cli("fingerprint", *both, "-o", tmp_path / name, *options).code == 0
    for path in both:
        assert cli("fingerprint", path, "-o", tmp_path / "threads", "--workers", "3").code == 0
        made = [read_fingerprint(tmp_path / name / f"{path.name}.tgfp").digests for name in ("inline", "processes", "threads")]
        assert made[0] == made[1] == made[2] != ()


def test_a_role_out_of_a_file_is_shown_escaped(cli: CommandLine, fingerprints: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    made = read_fingerprint(fingerprints / "alpaca.tgfp")
    evil = tuple(replace(each, role=f"\x1b[31m{each.role}\u202e") for each in made.digests)
    for name in "ab":
        write_fingerprint(tmp_path / f"{name}.tgfp", replace(made, name=name, digests=evil))
    shown = cli("compare", tmp_path / "a.tgfp", tmp_path / "b.tgfp", "-o", "table").out
    assert "are identical" in " ".join(shown.split())
    assert not {"\x1b", "\u202e"} & set(shown)
    page = tmp_path / "page.html"
    assert cli("compare", tmp_path / "a.tgfp", tmp_path / "b.tgfp", "-o", f"html={page}").code == 0
    assert not {"\x1b", "\u202e"} & set(page.read_text())
    assert json.loads(cli("compare", tmp_path / "a.tgfp", tmp_path / "b.tgfp", "--json").out)["result"]["verdict"]
