"""tree: families, directions, merges, and nothing at all."""

from pathlib import Path

import pytest

from support.commands import CommandLine


def test_a_family_with_a_merge(cli: CommandLine, prints: Path, tmp_path: Path) -> None:
    names = ("base", "tuned-a", "tuned-b", "blended", "coarse", "shallow", "stranger")
    picture, page = tmp_path / "tree.png", tmp_path / "tree.html"
    models = [prints / f"{name}.tgfp" for name in names]
    answer = cli("tree", *models, "--json", "-o", f"png={picture}", "-o", f"html={page}")
    result = answer.json()["result"]
    assert [node["name"] for node in result["nodes"]] == list(names)
    kinds = {node["name"]: node["kind"] for node in result["nodes"]}
    assert (kinds["stranger"], kinds["blended"]) == ("isolated", "merge")
    weights = {edge["parent"]: edge["weight"] for edge in result["edges"] if edge["child"] == "blended"}
    assert weights == pytest.approx({"tuned-a": 0.7, "tuned-b": 0.3}, abs=0.01)
    known = {(edge["parent"], edge["child"]) for edge in result["edges"] if edge["direction"] == "known"}
    assert known >= {("base", "coarse"), ("base", "shallow")}
    assert len(result["pairs"]) == 21
    assert picture.read_bytes()[:4] == b"\x89PNG"
    assert 'class="tree"' in page.read_text()


def test_the_terminal_shows_it_indented(cli: CommandLine, prints: Path) -> None:
    out = cli("tree", *(prints / f"{name}.tgfp" for name in ("base", "coarse", "stranger"))).out
    lines = out.splitlines()
    assert " ".join(out.split()).startswith(
        "3 models in 1 family, 1 related to no other; of 1 link the weights tell the direction of 1."
    )
    at = lines.index("'base'")
    assert lines[at + 1].startswith("└── 'coarse': 7")
    assert "'stranger'" in lines


def test_what_came_first_is_not_always_known(cli: CommandLine, prints: Path) -> None:
    said = " ".join(cli("tree", prints / "base.tgfp", prints / "tuned-a.tgfp").out.split())
    assert "tell the direction of 0" in said
    assert "which of the two came first is not known" in said


def test_no_two_are_related(cli: CommandLine, prints: Path, tmp_path: Path) -> None:
    models = prints / "base.tgfp", prints / "stranger.tgfp"
    answer = cli("tree", *models, "-o", "table", "-o", f"png={tmp_path / 'none.png'}")
    assert (answer.code, answer.out) == (0, "No two of these 2 models are related.\n")
    assert (tmp_path / "none.png").read_bytes()[:4] == b"\x89PNG"
    assert cli("tree", *models, "--json").json()["result"]["edges"] == []


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (["base.tgfp"], 2, "two models or more"),
        (["base.tgfp", "base.tgfp"], 2, "two models are called"),
        (["base.tgfp", "coarse_features.json"], 2, "16 numbers"),
        (["base.tgfp", "none.tgfp"], 4, "no such file"),
        (["base.tgfp", "base_features.json"], 2, "16 numbers"),
    ],
)
def test_what_cannot_be_done(cli: CommandLine, prints: Path, arguments: list[str], code: int, word: str) -> None:
    answer = cli("tree", *(prints / each for each in arguments))
    assert (answer.code, answer.out) == (code, "")
    assert word in answer.err
