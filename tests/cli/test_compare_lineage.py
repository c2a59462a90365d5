"""compare: how two models are related, and many."""

import re
from pathlib import Path

import pytest

from support.commands import CommandLine


def said(cli: CommandLine, *arguments: object) -> str:
    """The answer, on one line."""
    answer = cli("compare", *arguments)
    assert (answer.code, answer.err) == (0, "")
    return " ".join(answer.out.split("\n\n")[0].split())


@pytest.mark.parametrize(
    ("first", "second", "start"),
    [
        (
            "coarse",
            "base",
            "'coarse' derives from 'base' or a relative of it: quantised; blocks act alike (mean cosine 1.00), p < 1e-",
        ),
        ("base", "coarse", "'coarse' derives from 'base' or a relative of it: quantised; blocks act alike"),
        ("shallow", "base", "'shallow' derives from 'base' or a relative of it: blocks dropped; "),
        (
            "tuned-a",
            "base",
            "one of 'tuned-a' and 'base' derives from the other, or both from a third: fine-tuned; blocks act alike",
        ),
        ("stranger", "base", "'stranger' and 'base' are independent as far as weights tell: "),
    ],
)
def test_the_answer_is_one_sentence(cli: CommandLine, prints: Path, first: str, second: str, start: str) -> None:
    sentence = said(cli, prints / f"{first}.tgfp", prints / f"{second}.tgfp")
    assert sentence.startswith(start)
    assert sentence.endswith(".")
    if "independent" in sentence:
        assert re.search(
            r"\d+ tests find nothing, and the agreement of blocks is at most 0\.0\d+ \(99 % bound\), below 0\.13", sentence
        )
    else:
        assert re.search(r"p < 1e-\d+ \((exact|extrapolated|conditional), corrected for \d+ tests\)", sentence)


def test_json_holds_the_whole_evidence(cli: CommandLine, prints: Path) -> None:
    result = cli("compare", prints / "shallow.tgfp", prints / "base.tgfp", "--json").json()["result"]
    lineage = result["lineage"]
    assert result["verdict"] == lineage["verdict"] == "derived"
    assert lineage["direction"] == "first from second"
    assert [kind["name"] for kind in lineage["kinds"]] == ["layers"]
    assert lineage["evidence"]["layers"]["origins"] == [0, 1, 3, 4, 5]
    assert {each["name"]: each["status"] for each in lineage["components"]}["embeddings"] == "same"
    smallest = min(each["corrected"] for each in lineage["evidence"]["tests"])
    assert lineage["log10_p"] == smallest < -100
    assert all(-300 <= each["test"]["log10_p"] <= each["corrected"] <= 0 for each in lineage["evidence"]["tests"])
    assert result["deep"] is None
    assert 0 < result["distance"] < 2


def test_the_tables_show_components_layers_and_every_test(cli: CommandLine, prints: Path) -> None:
    out = cli("compare", prints / "shallow.tgfp", prints / "base.tgfp").out
    titles = ["Component by component", "What was done", "Layer map", "Equal trained matrices", "Every test", "The 16 numbers"]
    places = [out.index(title) for title in titles]
    assert places == sorted(places)
    assert re.search(r"^0-1 +0-1 *$", out, re.MULTILINE)
    assert re.search(r"^2-4 +3-5 *$", out, re.MULTILINE)
    assert "A second opinion" in out
    assert "secret key" in " ".join(out.split())


def test_deep_reads_both_models(cli: CommandLine, kin: Path, tmp_path: Path) -> None:
    answer = cli("compare", kin / "coarse", kin / "base", "--deep", "--json", "-o", f"png={tmp_path / 'a.png'}")
    deep = answer.json()["result"]["deep"]
    assert (deep["kind"], deep["made"]) == ("quantised", "first")
    assert {path.name for path in tmp_path.iterdir()} == {"a.png", "a-profile.png", "a-deep.png", "a-differences.png"}
    assert all(path.read_bytes()[:4] == b"\x89PNG" for path in tmp_path.iterdir())
    assert "Value by value: all matrices are quantised (4 bits per row) in the first model." in said(
        cli, kin / "coarse", kin / "base", "--deep"
    )


def test_many_models_give_matrices_and_a_picture(cli: CommandLine, prints: Path, tmp_path: Path) -> None:
    page, picture = tmp_path / "m.html", tmp_path / "m.svg"
    answer = cli("compare", prints, "-o", "table", "-o", f"html={page}", "-o", f"svg={picture}")
    assert answer.code == 0
    assert answer.out.startswith("21 of the 28 pairs of 8 models are of one family (21 derived, 7 independent).")
    assert all(title in answer.out for title in ("Verdicts", "Effects", "Pairs that have something in common"))
    assert picture.read_text().startswith("<svg")
    assert page.read_text().count("<svg") == 2
    result = cli("compare", prints, "--json").json()["result"]
    assert (result["verdict"], result["lineage"], len(result["pairs"])) == (None, None, 28)
    apart = {frozenset((each["first"], each["second"])) for each in result["pairs"] if each["verdict"] == "independent"}
    assert apart == {
        frozenset(("stranger", name)) for name in ("base", "blended", "coarse", "shallow", "stitched", "tuned-a", "tuned-b")
    }


def test_a_key_of_ones_own(cli: CommandLine, kin: Path, prints: Path, tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_bytes(b"0123456789abcdef")
    answer = cli("compare", kin / "tuned-a", kin / "base", "--key-file", secret, "--json").json()
    assert answer["settings"]["key"] not in (None, "public")
    assert answer["result"]["verdict"] == "derived"
    assert not any("secret key" in notice for notice in answer["notices"])
    mixed = cli("compare", kin / "tuned-a", prints / "base.tgfp", "--key-file", secret)
    assert mixed.code == 2
    assert "different keys" in mixed.err


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["{prints}/base.tgfp", "{prints}/coarse.tgfp", "--deep"], "reads the models"),
        (["{kin}/base", "{kin}/coarse", "{kin}/shallow", "--deep"], "two models"),
        (["{prints}/base_features.json", "{kin}/none", "--deep"], "no such file"),
        (["{prints}/base.tgfp"], "2 to"),
        (["{kin}/base", "{kin}/coarse", "--key-file", "{kin}/none"], "no such file"),
    ],
)
def test_what_cannot_be_done(cli: CommandLine, kin: Path, prints: Path, arguments: list[str], word: str) -> None:
    answer = cli("compare", *(each.format(kin=kin, prints=prints) for each in arguments))
    assert (answer.code in (2, 4), answer.out) == (True, "")
    assert word in answer.err


def test_the_16_numbers_alone_say_no_verdict(cli: CommandLine, prints: Path, tmp_path: Path) -> None:
    for name in ("base", "coarse"):
        (tmp_path / f"{name}_features.json").write_bytes((prints / f"{name}_features.json").read_bytes())
    result = cli("compare", tmp_path, "--json").json()["result"]
    assert (result["verdict"], result["lineage"], result["pairs"]) == (None, None, [])
    assert result["distance"] > 0
