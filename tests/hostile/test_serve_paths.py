"""The server against paths that lead out of its roots."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support import kin
from support.served import API, JSON, Client, error_kind, registry, served


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return registry(tmp_path_factory.mktemp("served") / "known")


@pytest.fixture
def client(folder: Path, tmp_path: Path) -> Iterator[Client]:
    (tmp_path / "root").mkdir()
    with served(folder, roots=(tmp_path / "root",)) as found:
        yield found


def test_paths_lead_nowhere_but_under_the_roots(client: Client, tmp_path: Path) -> None:
    root, outside = tmp_path / "root", kin.save(tmp_path / "outside", kin.kin()["base"])
    inside = kin.save(root / "inside", kin.kin()["base"])
    (root / "folder-link").symlink_to(outside)
    (root / "file-link.safetensors").symlink_to(outside / "model.safetensors")
    (root / "circle").symlink_to(root / "circle")
    (tmp_path / "root-2").mkdir()
    kin.save(tmp_path / "root-2" / "m", kin.kin()["base"])
    links = ["folder-link", "folder-link/model.safetensors", "file-link.safetensors", "circle"]
    elsewhere = [
        str(outside),
        "../outside",
        "inside/../../outside",
        "../root-2/m",
        str(tmp_path / "root-2" / "m"),
        "/etc/passwd",
        "/",
        "..",
    ]
    for path in (*links, *elsewhere, "~", "registry:stranger", "x" * 300, "nothing"):
        answer = client.post(f"{API}/jobs", json={"path": path})
        assert answer.status_code == 404, path
        assert error_kind(answer) == "not-found"
    for path in ("", " ", "a\0b", "x" * 5000):
        assert client.post(f"{API}/jobs", json={"path": path}).status_code == 400, path
    assert client.post(f"{API}/jobs", content=rb'{"path": "\ud800"}', headers=JSON).status_code in (400, 404)
    assert client.post(f"{API}/jobs", json={"path": str(inside)}).status_code == 202
    told = client.post(f"{API}/jobs", json={"path": "/etc/passwd"}).text
    assert told.replace("/etc/passwd", "") == client.post(f"{API}/jobs", json={"path": "/etc/none"}).text.replace(
        "/etc/none", ""
    )


@pytest.mark.parametrize(
    "name", ["model.safetensors", "config.json", "README.md", "LICENSE", "tokenizer.json", "model.safetensors.index.json"]
)
def test_a_model_with_a_link_that_leads_out_is_refused(client: Client, tmp_path: Path, name: str) -> None:
    model = kin.save(tmp_path / "root" / "m", kin.kin()["base"])
    (tmp_path / "secret").write_text("secret")
    (model / name).unlink(missing_ok=True)
    (model / name).symlink_to(tmp_path / "secret")
    for path in ("m", "m/model.safetensors"):
        assert client.post(f"{API}/jobs", json={"path": path}).status_code == 404
    (model / name).unlink()
    (model / name).symlink_to(tmp_path / "not-there")
    assert client.post(f"{API}/jobs", json={"path": "m"}).status_code == 404


def test_the_hubs_cache_is_read_and_its_links_are_followed_within_the_roots(client: Client, tmp_path: Path) -> None:
    repository = tmp_path / "root" / "models--org--name"
    snapshot = kin.save(repository / "snapshots" / ("a" * 40), kin.kin()["base"])
    (repository / "blobs").mkdir()
    (snapshot / "model.safetensors").rename(repository / "blobs" / "b")
    (snapshot / "model.safetensors").symlink_to("../../blobs/b")
    assert client.post(f"{API}/jobs", json={"path": "models--org--name"}).status_code == 202
    (repository / "refs").mkdir()
    (repository / "refs" / "main").symlink_to("/etc/hostname")
    assert client.post(f"{API}/jobs", json={"path": "models--org--name"}).status_code == 404


def test_an_adapters_base_is_looked_for_under_the_roots_only(client: Client, tmp_path: Path) -> None:
    outside = kin.save(tmp_path / "outside" / "base-model", kin.kin()["base"])
    adapter = tmp_path / "root" / "adapter"
    adapter.mkdir()
    from safetensors.numpy import save_file

    save_file({"x": kin.numbers("x", 2, 2)}, adapter / "adapter_model.safetensors")
    for named in (str(outside), "../outside/base-model", "base-model", "org/base-model"):
        (adapter / "adapter_config.json").write_text(f'{{"peft_type": "LORA", "r": 2, "base_model_name_or_path": "{named}"}}')
        assert client.post(f"{API}/jobs", json={"path": "adapter"}).status_code == 404
        assert client.post(f"{API}/jobs", json={"path": "adapter", "base": str(outside)}).status_code == 404
    (tmp_path / "root" / "base-model").symlink_to(outside)
    answer = client.post(f"{API}/jobs", json={"path": "adapter"})
    assert answer.status_code == 404
    assert "under a root" in answer.json()["error"]["message"]


def test_without_roots_no_path_is_read(folder: Path) -> None:
    with served(folder) as client:
        assert client.post(f"{API}/jobs", json={"path": "/"}).status_code == 400
