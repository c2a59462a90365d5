"""A hub, or what it redirects to, that means harm: tokens stay, private addresses are not reached, listings lead nowhere."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.checkpoints import llama, save
from support.hub_server import COMMIT, Hub, serving
from tensorguard.api.models import open_model
from tensorguard.errors import InputError, NotFoundError, TensorGuardError
from tensorguard.sources import hub as hubs
from tensorguard.sources import network, retries
from tensorguard.sources.hub import open_repository
from tensorguard.sources.names import Name
from tensorguard.sources.network import Origin, origin
from tensorguard.sources.places import locate
from tensorguard.sources.remote import RemotePath


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    save(tmp_path / "model", llama())
    monkeypatch.setattr(retries, "sleep", lambda _: None)
    monkeypatch.setenv("TENSORGUARD_ALLOW_PRIVATE", "1")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    hubs._listed.cache_clear()
    with serving({"org/model": tmp_path / "model"}) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        yield served


def test_the_token_goes_to_the_hub_alone(hub: Hub) -> None:
    hub.trouble.token = "hf_secret"
    opened = open_model("org/model")
    assert opened.tensors
    assert {request.headers.get("authorization") for request in hub.of("hub")} == {"Bearer hf_secret"}
    assert hub.of("cdn")
    assert not any("authorization" in request.headers or "hf_secret" in str(request) for request in hub.of("cdn"))


def test_a_file_on_another_server_gets_no_token(hub: Hub, tmp_path: Path) -> None:
    with serving({"org/model": tmp_path / "model"}) as other, pytest.raises(TensorGuardError):
        locate(f"{other.url}/org/model/resolve/{COMMIT}/none.safetensors")
    assert other.requests
    assert not any("authorization" in request.headers for request in other.requests)


def test_a_private_address_is_not_reached_by_a_redirect(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TENSORGUARD_ALLOW_PRIVATE")
    for elsewhere in (
        "https://127.0.0.1:1/x",
        "https://169.254.169.254/latest",
        "https://[::1]/x",
        "https://10.0.0.1/x",
        "https://[::ffff:10.0.0.1]/x",
        "https://2130706433/x",
        "https://0x7f.1/x",
        "https://localhost/x",
    ):
        hub.trouble.elsewhere = elsewhere
        with pytest.raises(InputError, match="private address"):
            open_model("org/model")
    hub.trouble.elsewhere = hub.cdn + "/x"
    with pytest.raises(InputError, match="plain http"):
        open_model("org/model")
    assert not hub.of("cdn")


def test_the_address_that_was_checked_is_the_one_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([["93.184.216.34"], ["127.0.0.1"]])
    asked: list[str] = []
    connected: list[str] = []

    def resolve(host: str, port: int, **_: object) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in next(answers)]

    class StopError(Exception): ...

    def connect(_: object, host: str, *__: object) -> None:
        connected.append(host)
        raise StopError

    monkeypatch.setattr(network.socket, "getaddrinfo", resolve)
    monkeypatch.setattr(network.httpcore.SyncBackend, "connect_tcp", connect)
    backend = network._Checked(secure=True, private=False, through_proxy=False)
    with pytest.raises(StopError):
        backend.connect_tcp("rebinding.example", 443)
    assert (asked, connected) == (["rebinding.example"], ["93.184.216.34"])
    with pytest.raises(InputError, match=r"private address 127\.0\.0\.1"):
        backend.connect_tcp("rebinding.example", 443)
    assert connected == ["93.184.216.34"]


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "::1",
        "fe80::1",
        "fc00::1",
        "::ffff:127.0.0.1",
        "2002:7f00:1::",
        "64:ff9b::7f00:1",
    ],
)
def test_addresses_that_are_not_public_are_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        network.socket, "getaddrinfo", lambda *_, **__: [(0, 0, 0, "", ("8.8.8.8", 443)), (0, 0, 0, "", (address, 443))]
    )
    with pytest.raises(InputError, match="private address"):
        network._Checked(secure=True, private=False, through_proxy=False).connect_tcp("host.example", 443)


def test_plain_http_goes_nowhere_but_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network.socket, "getaddrinfo", lambda *_, **__: [(0, 0, 0, "", ("93.184.216.34", 80))])
    with pytest.raises(InputError, match="plain http"):
        locate("http://files.example/model.safetensors")


def test_origins_of_odd_addresses() -> None:
    assert origin("https://Hub.example/x") == Origin("https", "hub.example", 443)
    for url in (
        "https://user@hub.example/x",
        "https:///x",
        "file:///etc/passwd",
        "https://hub.example:99999/",
        "https://hüb.example/x",
    ):
        with pytest.raises(InputError):
            origin(url)


@pytest.mark.parametrize(
    "listing",
    [
        [],
        {},
        {"sha": COMMIT},
        {"sha": "../../etc", "siblings": []},
        {"sha": COMMIT, "siblings": 3},
        {"sha": COMMIT, "siblings": []},
        {
            "sha": COMMIT,
            "siblings": [3, {"rfilename": "../model.safetensors", "size": 3}, {"rfilename": "/etc/passwd", "size": 3}],
        },
        {
            "sha": COMMIT,
            "siblings": [{"rfilename": "model.safetensors", "size": -1}, {"rfilename": "model.safetensors", "size": "3"}],
        },
        {"sha": COMMIT, "siblings": [{"rfilename": "model.safetensors", "size": 10**30}]},
        {"sha": COMMIT, "siblings": [{"rfilename": "model.safetensors", "size": 5}]},
    ],
)
def test_a_listing_that_lies_is_an_input_error(hub: Hub, listing: object) -> None:
    hub.trouble.listing = listing
    with pytest.raises(InputError) as caught:
        open_model("org/model")
    assert "Traceback" not in str(caught.value)


def test_listed_paths_that_lead_out_are_not_there(hub: Hub) -> None:
    bad = ["../x", "a/../x", "/x", "a//x", "./x", "a\\x", "x\n", "", "x" * 5000]
    hub.trouble.listing = {"sha": COMMIT, "siblings": [{"rfilename": name, "size": 1} for name in [*bad, "kept.txt"]]}
    place = open_repository(Name("org/model"))
    assert isinstance(place, RemotePath)
    assert list(place.repository.files) == ["kept.txt"]


def test_nothing_is_fetched_because_a_file_names_it(hub: Hub, tmp_path: Path) -> None:
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text(
        '{"peft_type": "LORA", "base_model_name_or_path": "org/model", "r": 2, "lora_alpha": 2}'
    )
    (adapter / "adapter_model.safetensors").write_bytes(next((tmp_path / "model").glob("*.safetensors")).read_bytes())
    with pytest.raises(NotFoundError):
        open_model(adapter)
    assert not hub.requests
