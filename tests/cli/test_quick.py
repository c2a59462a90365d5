"""Models on a server are sampled unless all of them is asked for: the answers, what was read, and what a sample leaves open."""

from pathlib import Path

import numpy as np
import pytest

from support.checkpoints import Arrays, llama, numbers, save
from support.commands import CommandLine
from support.hub_server import Hub
from tensorguard.fingerprint import plan
from tensorguard.fingerprint.file import read_fingerprint

TOKENS, WIDTH = 8192, 128


@pytest.fixture
def large(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """A base and a fine-tune of it whose embeddings hold most of 9 MB; returns the bytes of one."""
    base = llama(width=WIDTH, blocks=6) | {
        name: numbers(name, TOKENS, WIDTH) for name in ("model.embed_tokens.weight", "lm_head.weight")
    }
    save(tmp_path / "large", base)
    save(tmp_path / "tuned", {name: moved(name, values) for name, values in base.items()})
    hub.repositories |= {f"org/{name}": tmp_path / name for name in ("large", "tuned")}
    monkeypatch.setattr(plan, "SMALL", 2**18)
    return sum(path.stat().st_size for path in (tmp_path / "large").iterdir())


def moved(name: str, values: Arrays) -> np.ndarray:
    return (values + 0.05 * numbers(f"moved {name}", *values.shape)).astype(np.float32)  # type: ignore[attr-defined]


def test_two_models_on_a_server_are_compared_by_a_sample(hub: Hub, large: int, cli: CommandLine) -> None:
    answer = cli("compare", "org/tuned", "org/large", "--json")
    result = answer.json()["result"]
    assert (result["verdict"], result["lineage"]["log10_p"] < -9) == ("derived", True)
    assert [kind["name"] for kind in result["lineage"]["kinds"]] == ["fine-tuned"]
    assert hub.bytes_sent() < 0.1 * 2 * large
    assert [(each["model"], each["whole"], each["words"]) for each in result["coverage"]] == [
        ("org/tuned", 0, False),
        ("org/large", 0, False),
    ]
    assert any("org/tuned" in notice and "only a sample was read" in notice for notice in answer.json()["notices"])


def test_everything_is_read_where_that_is_asked_for(hub: Hub, large: int, cli: CommandLine) -> None:
    answer = cli("compare", "org/large", hub.repositories["org/large"], "--full", "--json")
    assert answer.json()["result"]["verdict"] == "identical"
    assert answer.json()["result"]["coverage"] == []
    assert hub.bytes_sent() > large


def test_a_local_model_is_sampled_where_that_is_asked_for(hub: Hub, kin: Path, cli: CommandLine) -> None:
    result = cli("compare", kin / "tuned-a", kin / "base", "--quick", "--json").json()["result"]
    assert (result["verdict"], len(result["coverage"]), result["distances"]) == ("derived", 2, None)
    assert cli("compare", kin / "tuned-a", kin / "base", "--json").json()["result"]["coverage"] == []


def test_many_models_are_compared_by_rows_alone(hub: Hub, kin: Path, cli: CommandLine) -> None:
    result = cli("compare", "org/tuned-a", "org/tuned-b", kin / "stranger", "--json").json()["result"]
    verdicts = {(pair["first"], pair["second"]): pair["verdict"] for pair in result["pairs"]}
    assert verdicts["org/tuned-a", "org/tuned-b"] == "derived"
    assert {verdict for names, verdict in verdicts.items() if "stranger" in names} <= {"independent", "inconclusive"}


def test_a_scan_of_a_model_on_a_server_reads_a_sample(hub: Hub, registry: Path, cli: CommandLine) -> None:
    answer = cli("scan", "org/coarse", "--registry", registry, "--json")
    result = answer.json()["result"]
    assert (result["verdict"], result["relatives"][0]["entry"]["name"]) == ("derived", "meta-llama/Llama-3.2-1B")
    assert result["relatives"][0]["log10_p"] < -9
    assert result["coverage"]["whole"] == 0
    assert result["obligations"]
    assert result["parents"] is None


def test_a_scan_of_a_stranger_reads_as_much_as_a_sample_may_hold(hub: Hub, registry: Path, cli: CommandLine) -> None:
    result = cli("scan", "org/vicuna", "--registry", registry, "--json").json()["result"]
    assert (result["relatives"], result["verdict"] in ("independent", "inconclusive")) == ([], True)
    assert result["coverage"]["whole"] > 0


def test_a_scan_says_in_words_what_was_read(hub: Hub, registry: Path, cli: CommandLine) -> None:
    answer = cli("scan", "org/tuned-a", "--registry", registry)
    assert "only a sample was read, the first rows of" in " ".join((answer.out + answer.err).split())


def test_a_check_of_a_model_on_a_server_reads_a_sample(hub: Hub, registry: Path, cli: CommandLine) -> None:
    answer = cli("check", "org/tuned-a", "--registry", registry, "--json")
    assert answer.json()["result"]["verdict"] == "derived"
    assert "read over the network" in answer.err


def test_sampled_fingerprints_are_kept_and_compared(kin: Path, prints: Path, tmp_path: Path, cli: CommandLine) -> None:
    answer = cli("fingerprint", kin / "tuned-a", "--quick", "-o", tmp_path / "out", "--json")
    assert answer.code == 0
    found = read_fingerprint(tmp_path / "out" / "tuned-a.tgfp")
    assert found.coverage is not None
    assert not list((tmp_path / "out").glob("*_features.json"))
    result = cli("compare", tmp_path / "out" / "tuned-a.tgfp", prints / "base.tgfp", "--json").json()["result"]
    assert (result["verdict"], [each["model"] for each in result["coverage"]]) == ("derived", ["tuned-a"])
    again = cli("fingerprint", kin / "tuned-a", "--quick", "-o", tmp_path / "out", "--json").json()["result"][0]
    assert again["status"] == "finished before"
    whole = cli("fingerprint", kin / "tuned-a", "-o", tmp_path / "out", "--json").json()["result"][0]
    assert (whole["status"], whole["fingerprint"]["coverage"]) == ("done", None)


def test_a_registry_of_a_server_is_made_of_samples_and_searched(hub: Hub, kin: Path, tmp_path: Path, cli: CommandLine) -> None:
    place = tmp_path / "known"
    assert cli("registry", "add", "org/base", "org/stranger", "org/vicuna", "--registry", place).code == 0
    sent = hub.bytes_sent()
    again = cli("registry", "add", "org/base", "--registry", place, "--json").json()["result"][0]
    assert again["status"] == "there already"
    assert cli("registry", "verify", "--registry", place, "--search", kin).code == 0
    for model in ("org/tuned-a", kin / "tuned-b"):
        result = cli("scan", model, "--registry", place, "--json").json()["result"]
        assert [each["entry"]["name"] for each in result["relatives"]] == ["org/base"]
    whole = cli("registry", "add", "org/base", "--full", "--registry", place, "--json").json()["result"][0]
    assert whole["status"] == "replaced"
    assert hub.bytes_sent() > sent
