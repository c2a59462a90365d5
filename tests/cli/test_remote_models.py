"""Models that are never downloaded: the same answers as from the disk, and how much was read for them."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from support.checkpoints import Arrays, llama, save
from support.commands import CommandLine
from support.containers import save_index
from support.hub_server import COMMIT, Hub
from support.packed_files import write_model
from support.packing import gptq
from tensorguard.fingerprint.file import read_fingerprint
from tensorguard.registry.catalogue import COLUMNS
from tensorguard.sources import hub as hubs


def shard(folder: Path, tensors: Arrays, count: int) -> None:
    """Write a model in several files with their index."""
    folder.mkdir()
    names = [f"model-{number:05}-of-{count:05}.safetensors" for number in range(1, count + 1)]
    held = {name: list(tensors)[number::count] for number, name in enumerate(names)}
    for name, inside in held.items():
        save_file({tensor: tensors[tensor] for tensor in inside}, folder / name)
    save_index(folder, {tensor: name for name, inside in held.items() for tensor in inside})
    (folder / "config.json").write_text('{"model_type": "llama", "num_attention_heads": 4, "num_key_value_heads": 2}')


@pytest.mark.parametrize("name", ["llama", "guanaco", "gpt2"])
def test_inspect_tells_the_same_as_of_the_folder(hub: Hub, cli: CommandLine, models: Path, name: str) -> None:
    remote, local = cli("inspect", f"org/{name}", "--json"), cli("inspect", models / name, "--json")
    assert remote.code == local.code == 0
    ours, theirs = remote.json(), local.json()
    for document in (ours, theirs):
        for place in ("name", "location", "model", "traffic"):
            document["result"].pop(place, None)
    assert ours["result"] == theirs["result"]
    assert "read over the network" in remote.err
    assert "read over the network" not in local.err


def test_a_large_model_is_inspected_by_its_header(hub: Hub, cli: CommandLine, tmp_path: Path) -> None:
    save(tmp_path / "large", llama(width=512))
    hub.repositories["org/large"] = tmp_path / "large"
    size = sum(path.stat().st_size for path in (tmp_path / "large").iterdir())
    answer = cli("inspect", "org/large", "--json")
    assert answer.code == 0
    traffic = answer.json()["result"]["traffic"]
    assert hub.bytes_sent() <= traffic["read"] < 0.1 * size <= traffic["offered"]


def test_shards_are_found_by_their_index_and_read_by_their_headers(hub: Hub, cli: CommandLine, tmp_path: Path) -> None:
    save(tmp_path / "whole", llama(width=256))
    shard(tmp_path / "sharded", llama(width=256), 5)
    hub.repositories["org/sharded"] = tmp_path / "sharded"
    assert (
        cli("compare", "org/sharded", tmp_path / "whole", "--full", "--json").json()["result"]["pairs"][0]["verdict"]
        == "same-weights"
    )
    (tmp_path / "sharded" / "model-00003-of-00005.safetensors").unlink()
    hubs._listed.cache_clear()
    answer = cli("inspect", "org/sharded")
    assert (answer.code, "model-00003" in answer.err) == (3, True)


@pytest.mark.parametrize("name", ["llama", "guanaco"])
def test_a_fingerprint_is_that_of_the_files(hub: Hub, cli: CommandLine, models: Path, tmp_path: Path, name: str) -> None:
    assert cli("fingerprint", f"org/{name}", "-o", tmp_path / "remote").code == 0
    assert cli("fingerprint", models / name, "-o", tmp_path / "local").code == 0
    (ours,), (theirs,) = (tmp_path / "remote").glob("*.tgfp"), (tmp_path / "local").glob("*.tgfp")
    one, two = read_fingerprint(ours), read_fingerprint(theirs)
    assert one.digests == two.digests
    assert one.header_digest == two.header_digest
    assert two.name in one.name


def test_remote_and_local_models_are_compared(hub: Hub, cli: CommandLine, models: Path) -> None:
    answer = cli("compare", "org/llama", models / "llama", "--full", "--json")
    assert answer.code == 0
    assert answer.json()["result"]["pairs"][0]["verdict"] == "identical"


def test_a_remote_model_is_scanned_and_checked(hub: Hub, cli: CommandLine, models: Path, tmp_path: Path) -> None:
    known = tmp_path / "known"
    assert cli("registry", "add", models / "llama", models / "bert", "--registry", known).code == 0
    assert "org/llama" in str(cli("scan", "org/llama", "--registry", known, "--json").json()["result"])
    assert "'llama'" in cli("scan", "org/llama", "--registry", known).out
    (models / "llama" / "README.md").write_text("---\nlicense: mit\n---\nA model.\n")
    try:
        hubs._listed.cache_clear()
        answer = cli("check", "org/llama", "--registry", known, "--json")
    finally:
        (models / "llama" / "README.md").unlink()
    assert answer.code == 0, answer.err
    assert "README.md" in answer.out
    assert any(request.path.endswith("/README.md") for request in hub.of("hub"))


def test_a_name_is_added_with_its_commit(hub: Hub, cli: CommandLine, tmp_path: Path) -> None:
    assert cli("registry", "add", "org/llama", "--registry", tmp_path / "known").code == 0
    shown = cli("registry", "show", "org/llama", "--registry", tmp_path / "known", "--json")
    assert COMMIT in shown.out


def test_several_models_are_read_by_processes(hub: Hub, cli: CommandLine, tmp_path: Path) -> None:
    assert cli("fingerprint", "org/llama", "org/vicuna", "-o", tmp_path / "out", "--workers", 2).code == 0
    assert len(list((tmp_path / "out").glob("*.tgfp"))) == 2


def test_a_revision_is_part_of_the_name(hub: Hub, cli: CommandLine, tmp_path: Path) -> None:
    assert cli("fingerprint", "org/llama@v1", "-o", tmp_path).code == 0
    assert any("v1" in path.name for path in tmp_path.glob("*.tgfp"))
    assert any("/revision/v1" in request.path for request in hub.requests)
    assert all(COMMIT in request.path for request in hub.of("hub") if "/resolve/" in request.path)


def test_a_local_path_goes_before_a_name(hub: Hub, cli: CommandLine, models: Path, tmp_path: Path) -> None:
    shutil.copytree(models / "gpt2", tmp_path / "org" / "llama")
    assert "gpt2" in cli("inspect", "org/llama").out
    assert not hub.requests
    assert "llama" in cli("inspect", "hf://org/llama").out
    assert hub.requests


def test_pages_and_files_of_the_hub_are_named_by_their_address(hub: Hub, cli: CommandLine) -> None:
    assert cli("inspect", f"{hub.url}/org/llama/tree/main").code == 0
    assert cli("inspect", f"{hub.url}/org/guanaco/blob/main/guanaco.gguf").code == 0
    assert cli("inspect", "org/guanaco/guanaco.gguf").code == 0


def test_a_file_on_any_server(hub: Hub, cli: CommandLine) -> None:
    hub.issued["model.safetensors"] = 1
    answer = cli("inspect", f"{hub.cdn}/org/llama/model.safetensors?signature=1", "--json")
    assert answer.code == 0, answer.err
    assert "signature" not in answer.out + answer.err
    assert not hub.of("hub")


def test_what_is_on_disk_already_is_not_read_again(hub: Hub, cli: CommandLine, models: Path, tmp_path: Path) -> None:
    snapshot = tmp_path / "cache" / "models--org--llama" / "snapshots" / COMMIT
    shutil.copytree(models / "llama", snapshot)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text(COMMIT)
    assert cli("inspect", "org/llama").code == 0
    assert not [request for request in hub.requests if "/resolve/" in request.path]


def test_offline_only_the_cache_is_read(
    hub: Hub, cli: CommandLine, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    answer = cli("inspect", "org/llama")
    assert (answer.code, "HF_HUB_OFFLINE" in answer.err) == (4, True)
    test_what_is_on_disk_already_is_not_read_again(hub, cli, models, tmp_path)
    assert not hub.requests


@pytest.mark.parametrize(
    ("given", "said"),
    [("org/none", "not there"), ("org/llama@v9", "no such revision"), ("org/llama/none.gguf", "no such file")],
)
def test_what_is_not_there(hub: Hub, cli: CommandLine, given: str, said: str) -> None:
    answer = cli("inspect", given)
    assert answer.code == 4
    assert said in answer.err


def test_a_gated_model_says_what_to_do(hub: Hub, cli: CommandLine) -> None:
    hub.trouble.gated = True
    answer = cli("scan", "org/llama", "--registry", "none")
    assert answer.code == 4
    answer = cli("inspect", "org/llama")
    assert answer.code == 4
    assert "gated" in answer.err
    assert "HF_TOKEN" in answer.err


def test_a_registry_is_built_from_the_hub(hub: Hub, cli: CommandLine, tmp_path: Path) -> None:
    catalogue = tmp_path / "catalogue.tsv"
    rows = ["org/llama", "org/none", "org/vicuna"]
    catalogue.write_text(
        "\t".join(COLUMNS)
        + "\n"
        + "".join("\t".join([row if c == "repository" else "" for c in COLUMNS]) + "\n" for row in rows)
    )
    arguments = ("registry", "build", catalogue, "--registry", tmp_path / "known", "--json")
    assert cli(*arguments).code == 4
    first = cli(*arguments, "--remote")
    found = {each["given"]: each["status"] for each in first.json()["result"]}
    assert found == {"org/llama": "added", "org/none": "not at hand", "org/vicuna": "added"}
    before = hub.bytes_sent()
    again = cli(*arguments, "--remote")
    assert {each["status"] for each in again.json()["result"]} == {"there already", "not at hand"}
    assert hub.bytes_sent() == before  # the listing was asked for, and headers were kept


def test_shards_and_adapters_on_the_hub_are_merged(hub: Hub, cli: CommandLine, models: Path, tmp_path: Path) -> None:
    shard(tmp_path / "sharded", llama(width=256), 5)
    hub.repositories["org/sharded"] = tmp_path / "sharded"
    assert cli("merge", "org/sharded", "-o", tmp_path / "remote.safetensors").code == 0
    assert hub.bytes_sent() < 1.05 * sum(path.stat().st_size for path in (tmp_path / "sharded").iterdir())
    assert cli("merge", tmp_path / "sharded", "-o", tmp_path / "local.safetensors").code == 0
    assert (tmp_path / "remote.safetensors").read_bytes() == (tmp_path / "local.safetensors").read_bytes()
    again = cli("merge", tmp_path / "sharded", "-o", tmp_path / "remote.safetensors", "--json")
    assert "there already" in again.out or '"skipped": true' in again.out


def test_weights_packed_in_small_pieces_take_few_requests(hub: Hub, cli: CommandLine, tmp_path: Path) -> None:
    tensors = {name: torch.from_numpy(values) for name, values in llama().items()}
    (tmp_path / "zip").mkdir()
    torch.save(tensors, tmp_path / "zip" / "pytorch_model.bin")
    arrays: dict[str, np.ndarray] = {}
    for name, values in llama().items():
        packed = values.ndim == 2 and "proj" in name and values.shape[1] % 32 == 0
        arrays |= {name.removesuffix(".weight") + end: v for end, v in gptq(values)[0].items()} if packed else {name: values}
    write_model(tmp_path / "gptq", arrays, {"model_type": "llama", "num_attention_heads": 4, "num_key_value_heads": 2})
    for name in ("zip", "gptq"):
        hub.repositories[f"org/{name}"] = tmp_path / name
        hub.requests.clear()
        assert cli("fingerprint", f"org/{name}", "-o", tmp_path / "out").code == 0
        assert cli("fingerprint", tmp_path / name, "-o", tmp_path / "out").code == 0
        assert len(hub.requests) < 12 * len(tensors)
        ours, theirs = (read_fingerprint(next((tmp_path / "out").glob(f"{stem}.tgfp"))) for stem in (f"org_{name}", name))
        assert ours.digests == theirs.digests


def test_every_tensor_is_read_once(hub: Hub, cli: CommandLine, tmp_path: Path) -> None:
    save(tmp_path / "large", llama(width=512))  # the 16 numbers are made of some tensors that are read twice
    twice = llama(width=512)
    twice["lm_head.weight"] = twice["model.embed_tokens.weight"]  # stored twice: compared value by value
    save(tmp_path / "tied", twice)
    for name in ("large", "tied"):
        hub.repositories[f"org/{name}"] = tmp_path / name
        hub.requests.clear()
        assert cli("fingerprint", f"org/{name}", "-o", tmp_path / "out").code == 0
        assert hub.bytes_sent() <= 1.05 * sum(path.stat().st_size for path in (tmp_path / name).iterdir())
