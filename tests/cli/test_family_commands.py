"""compare, cluster and classify."""

import json
from pathlib import Path

import pytest

from support.commands import CommandLine, check
from support.paper import paper_data


def test_two_models(cli: CommandLine, models: Path) -> None:
    answer = cli("compare", models / "llama", models / "alpaca", "--json")
    result = answer.json()["result"]
    assert (answer.code, answer.err) == (0, "")
    assert result["names"] == ["alpaca", "llama"]
    assert 0 < result["distance"] <= 2
    assert len(result["differences"]) == 15
    assert "scale from 0 (equal) to 2" in " ".join(cli("compare", models / "llama", models / "alpaca").out.split())


def test_the_same_weights_in_two_containers(cli: CommandLine, models: Path) -> None:
    answer = cli("compare", models / "alpaca", models / "guanaco" / "guanaco.gguf", "--json")
    result = answer.json()["result"]
    assert (result["distance"], result["verdict"]) == (0, "same-weights")
    said = " ".join(cli("compare", models / "alpaca", models / "guanaco").out.split())
    assert "hold the same weights" in said
    assert "The 16 numbers of 'alpaca' and 'guanaco' are equal. A second opinion" in said


def test_a_matrix_of_everything(cli: CommandLine, models: Path, fingerprints: Path, tmp_path: Path) -> None:
    answer = cli("compare", fingerprints, "--json", "-o", f"png={tmp_path / 'd.png'}", "-o", f"html={tmp_path / 'd.html'}")
    result = answer.json()["result"]
    assert len(result["distances"]) == len(result["plane_distances"]) == 7
    assert result["distance"] is None
    neighbours = {each["name"]: each["nearest"] for each in result["neighbours"]}
    assert (neighbours["alpaca"], neighbours["guanaco"]) == ("guanaco", "alpaca")
    assert (tmp_path / "d.png").read_bytes()[:4] == b"\x89PNG"
    mixed = cli("compare", fingerprints / "llama_features.json", fingerprints / "bert.tgfp", models / "gpt2", "--json")
    assert mixed.json()["result"]["names"] == ["bert", "gpt2", "llama"]


def test_families_and_one_more_model(cli: CommandLine, models: Path, fingerprints: Path, tmp_path: Path) -> None:
    saved = tmp_path / "families.json"
    answer = cli("cluster", fingerprints, "--bases", "llama,gpt2,bert", "--save", saved, "--json")
    clustering = answer.json()["result"]["clustering"]
    check(json.loads(saved.read_bytes()), "clustering/1")
    family = {member["name"]: member["family"] for member in clustering["members"]}
    assert {name for name, base in family.items() if base == "llama"} >= {"llama", "alpaca", "vicuna", "guanaco"}
    assert (family["gpt2"], family["bert"]) == ("gpt2", "bert")
    inside = cli("classify", models / "vicuna", "--families", saved, "--json").json()["result"]
    assert inside["verdict"] == inside["classification"]["family"] == "llama"
    assert "belongs to the family of 'llama'" in cli("classify", fingerprints / "alpaca.tgfp", "--families", saved).out
    outside = cli("classify", models / "vicuna", "--families", saved, "--threshold", "1e-9", "--json").json()["result"]
    assert (outside["verdict"], outside["classification"]["family"]) == ("out of cluster", None)
    near = cli("compare", models / "vicuna", models / "gpt2", "--reference", saved, "--json").json()
    assert near["settings"]["method"] == "standardised"


def test_labels_measure_the_accuracy(cli: CommandLine, fingerprints: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.json"
    truth = dict.fromkeys(("alpaca", "vicuna", "guanaco"), "llama")
    labels.write_text(json.dumps({"bases": ["llama", "gpt2", "bert"], "labels": truth}))
    picture = tmp_path / "families.svg"
    answer = cli("cluster", fingerprints, "--labels", labels, "--json", "-o", f"svg={picture}")
    result = answer.json()["result"]
    assert (result["accuracy"]["right"], result["accuracy"]["derivatives"]) == (3, 3)
    assert {each["strategy"] for each in result["strategies"]} >= {"DBSCAN", "hierarchical"}
    assert {path.name for path in tmp_path.glob("*.svg")} == {
        "families.svg",
        "families-strategies.svg",
        "families-accuracies.svg",
    }


def test_the_published_features_give_47_of_50(cli: CommandLine) -> None:
    data = paper_data()
    answer = cli("cluster", data / "features", "--labels", data / "labels.json", "--json")
    accuracy = answer.json()["result"]["accuracy"]
    assert (accuracy["right"], accuracy["derivatives"], accuracy["of_derivatives"]) == (47, 50, 0.94)


def test_numbers_of_two_specifications_are_never_compared(
    cli: CommandLine, models: Path, fingerprints: Path, tmp_path: Path
) -> None:
    assert cli("fingerprint", models / "llama", "-o", tmp_path, "--seed", "3").code == 0
    answer = cli("compare", tmp_path / "llama.tgfp", fingerprints / "bert.tgfp", "--json").json()
    assert answer["result"]["verdict"] == "inconclusive"
    assert {answer["result"][name] for name in ("names", "distance", "distances", "neighbours", "order")} == {None}
    assert {answer["settings"][name] for name in ("method", "columns", "specification")} == {None}
    assert "not compared" in " ".join(answer["notices"])
    published = next((paper_data() / "features").iterdir())
    assert "cannot be compared" in cli("compare", published, fingerprints / "bert.tgfp").err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["compare", "{fingerprints}/llama.tgfp"], 2),
        (["compare", "{fingerprints}/llama.tgfp", "{fingerprints}/llama_features.json"], 2),
        (["compare", "{fingerprints}/llama.tgfp", "{fingerprints}/none.tgfp"], 4),
        (["compare", "{fingerprints}/llama.tgfp", "{fingerprints}/none_features.json"], 4),
        (["compare", "{fingerprints}/llama.tgfp", "{fingerprints}/none"], 4),
        (["cluster", "{fingerprints}"], 2),
        (["cluster", "{fingerprints}", "--bases", "lama"], 2),
        (["cluster", "{fingerprints}", "--labels", "{fingerprints}/none.json"], 4),
        (["cluster", "{fingerprints}", "--labels", "{fingerprints}/llama_features.json"], 3),
        (["classify", "{fingerprints}/llama.tgfp"], 2),
        (["classify", "{fingerprints}/llama.tgfp", "--families", "{fingerprints}/none.json"], 4),
        (["classify", "{fingerprints}/llama.tgfp", "--families", "{fingerprints}/llama_features.json"], 3),
        (["classify", "{fingerprints}", "--families", "{fingerprints}/none.json"], 4),
    ],
)
def test_what_cannot_be_done(cli: CommandLine, fingerprints: Path, arguments: list[str], code: int) -> None:
    answer = cli(*(argument.format(fingerprints=fingerprints) for argument in arguments))
    assert (answer.code, answer.out) == (code, "")
    assert answer.err
