"""parents: what a merge is made of."""

from pathlib import Path

import pytest

from support.commands import CommandLine


def test_a_linear_merge(cli: CommandLine, prints: Path, tmp_path: Path) -> None:
    models = [prints / f"{name}.tgfp" for name in ("blended", "tuned-a", "tuned-b", "base", "stranger")]
    picture = tmp_path / "w.png"
    result = cli("parents", *models, "--json", "-o", f"png={picture}").json()["result"]
    assert (result["verdict"], result["child"]) == ("linear", "blended")
    weights = {each["name"]: each for each in result["mixture"]["parents"]}
    assert list(weights) == ["tuned-a", "tuned-b"]
    assert weights["tuned-a"]["low"] <= 0.7 <= weights["tuned-a"]["high"]
    assert weights["tuned-a"]["weight"] == pytest.approx(0.7, abs=0.01)
    assert {each["name"] for each in result["mixture"]["excluded"]} == {"base", "stranger"}
    assert picture.read_bytes()[:4] == b"\x89PNG"
    out = cli("parents", *models).out
    assert out.startswith("'blended' is a merge: 0.700 ± 0.")
    assert all(title in out for title in ("Role by role", "Group by group", "Block by block", "Not parents"))
    assert "-0.0 " not in out


def test_the_base_is_named(cli: CommandLine, kin: Path) -> None:
    models = [kin / name for name in ("blended", "tuned-a", "tuned-b", "base")]
    answer = cli("parents", *models, "--base", "base", "--json").json()
    assert answer["settings"] == {"base": "base"}
    assert answer["result"]["mixture"]["base_weight"]["name"] == "base"
    assert "on the base 'base'" in cli("parents", *models, "--base", "base").out


def test_whole_blocks(cli: CommandLine, prints: Path, tmp_path: Path) -> None:
    models = [prints / f"{name}.tgfp" for name in ("stitched", "tuned-a", "tuned-b", "base")]
    answer = cli("parents", *models, "-o", "table", "-o", f"svg={tmp_path / 'm.svg'}")
    lines = [line.split() for line in answer.out.splitlines()]
    assert "put together from whole blocks: 67% from 'tuned-a'" in answer.out
    assert ["0-3", "tuned-a", "0-3"] in [line[:3] for line in lines]
    assert ["4-5", "tuned-b", "4-5"] in [line[:3] for line in lines]
    assert (tmp_path / "m.svg").read_text().startswith("<svg")


def test_one_parent_and_none(cli: CommandLine, prints: Path) -> None:
    one = cli("parents", prints / "coarse.tgfp", prints / "base.tgfp", prints / "stranger.tgfp")
    assert "derives from 'base' alone" in one.out
    none = cli("parents", prints / "stranger.tgfp", prints / "base.tgfp", prints / "tuned-a.tgfp")
    assert none.out.startswith("'stranger' is no mixture of these candidates.")
    assert cli("parents", prints / "stranger.tgfp", prints / "base.tgfp", "--json").json()["result"]["verdict"] == "none"


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (["blended.tgfp"], 2, ""),
        (["blended.tgfp", "base.tgfp", "--base", "lama"], 2, "not among the candidates"),
        (["blended.tgfp", "base.tgfp", "base.tgfp"], 2, "two models are called"),
        (["blended_features.json", "base.tgfp"], 2, "16 numbers"),
        (["blended.tgfp", "none.tgfp"], 4, "no such file"),
    ],
)
def test_what_cannot_be_done(cli: CommandLine, prints: Path, arguments: list[str], code: int, word: str) -> None:
    answer = cli("parents", *(prints / each if "." in each else each for each in arguments))
    assert (answer.code, answer.out) == (code, "")
    assert word in answer.err
