"""Servers and files on them that are not what they say, or name other files: nothing is fetched but the repository's own."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import pytest

from support.hub_server import COMMIT, Hub, serving
from support.onnx_models import save_onnx
from tensorguard import open_model
from tensorguard.errors import InputError, NotFoundError, TensorGuardError
from tensorguard.sources import exchange, retries
from tensorguard.sources import hub as hubs
from tensorguard.sources.base import Source
from tensorguard.sources.hub import open_repository
from tensorguard.sources.names import Name
from tensorguard.sources.places import locate
from tensorguard.sources.remote import RemotePath
from tensorguard.tensors.base import extent

WEIGHTS: dict[str, np.ndarray] = {
    f"layers.{n}.fc.weight": np.random.default_rng(n).normal(size=(64, 32)).astype(np.float32) for n in range(4)
}


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setattr(retries, "sleep", lambda _: None)
    monkeypatch.setenv("TENSORGUARD_ALLOW_PRIVATE", "1")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    hubs._listed.cache_clear()
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "numbers.dat").write_bytes(bytes(SIZE))
    with serving({"org/model": folder}) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        yield served


SIZE = 100_000


def opened() -> Source:
    """A file of some bytes on the hub, not yet read."""
    place = open_repository(Name("org/model"))
    assert isinstance(place, RemotePath)
    return (place / "numbers.dat").source()


def beside(folder: Path, location: str = "values.data", **options: object) -> Path:
    """Write an ONNX model whose values lie in a file beside it, under another name if one is given."""
    path = save_onnx(folder / "model.onnx", WEIGHTS)
    onnx.save_model(
        onnx.load(path), path, save_as_external_data=True, location="values.data", size_threshold=0, convert_attribute=False
    )
    if location != "values.data":
        model = onnx.load(path, load_external_data=False)
        for tensor in model.graph.initializer:
            next(fact for fact in tensor.external_data if fact.key == "location").value = location
        path.write_bytes(model.SerializeToString())
    return path


def test_values_in_a_file_of_the_repository_are_read(hub: Hub, tmp_path: Path) -> None:
    beside(tmp_path / "model")
    found = {stored.name: stored for stored in open_model("org/model").tensors}
    for name, weight in WEIGHTS.items():
        rows, columns = extent(found[name])
        assert np.array_equal(found[name].read(slice(0, rows), slice(0, columns)), weight)
    assert {request.path.partition("?")[0].rpartition("/")[2] for request in hub.of("cdn")} == {"model.onnx", "values.data"}


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("../values.data", "no plain path inside its folder"),
        ("/etc/passwd", "no plain path inside its folder"),
        ("https://files.example/values.data", "not there"),
        ("https://169.254.169.254/latest", "not there"),
        ("other.data", "not there"),
        ("C:\\values.data", "no plain path inside its folder"),
    ],
)
def test_values_elsewhere_are_not_fetched(hub: Hub, tmp_path: Path, location: str, said: str) -> None:
    beside(tmp_path / "model", location)
    with pytest.raises(InputError, match=said):
        open_model("org/model")
    assert all("model.onnx" in request.path or "/api/" in request.path for request in hub.requests)


def test_beside_a_file_that_was_given_alone_nothing_is_looked_for(hub: Hub, tmp_path: Path) -> None:
    beside(tmp_path / "model")
    hub.issued["model.onnx"] = hub.issued["values.data"] = 1
    with pytest.raises(InputError, match="which is not fetched"):
        open_model(f"{hub.cdn}/org/model/model.onnx?signature=1")
    assert all("model.onnx" in request.path for request in hub.requests)


def test_a_model_whose_values_were_not_downloaded_yet(hub: Hub, tmp_path: Path) -> None:
    path = beside(tmp_path / "model")
    snapshot = tmp_path / "cache" / "models--org--model" / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (snapshot / "model.onnx").write_bytes(path.read_bytes())
    stored = open_model("org/model").tensors[0]
    assert np.array_equal(stored.read(slice(0, 64), slice(0, 32)), WEIGHTS[stored.name])
    assert {request.path.partition("?")[0].rpartition("/")[2] for request in hub.of("cdn")} == {"values.data"}


@pytest.mark.parametrize("name", ["model.safetensors", "model.gguf", "model.onnx", "pytorch_model.bin"])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 269060552\n", "Git LFS pointer"),
        (b"<!DOCTYPE html><html>Not found</html>", "a web page"),
        (b"\x80\x02}q\x00.", "a pickle"),
    ],
)
def test_what_is_no_model_is_named(hub: Hub, tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / "model" / name).write_bytes(content)
    with pytest.raises(InputError, match=said):
        open_model("org/model")


@pytest.mark.parametrize("name", ["model.safetensors", "model.gguf", "model.onnx", "pytorch_model.bin"])
def test_random_bytes_are_one_error_and_few_requests(hub: Hub, tmp_path: Path, name: str) -> None:
    for seed in range(4):
        (tmp_path / "model" / name).write_bytes(np.random.default_rng(seed).bytes(200_000))
        hubs._listed.cache_clear()
        hub.requests.clear()
        with pytest.raises(TensorGuardError):
            open_model("org/model")
        assert len(hub.requests) < 10
        assert hub.bytes_sent() < 210_000


def test_a_size_that_the_listing_tells_wrongly_is_seen(hub: Hub) -> None:
    files = [{"rfilename": "numbers.dat", "size": SIZE + 8, "lfs": {"sha256": "0" * 64}}]
    hub.trouble.listing = {"sha": COMMIT, "siblings": files}
    with pytest.raises(InputError, match="another file than before"):
        opened().read_at(0, 10)


def test_an_address_that_is_always_refused_is_given_up(hub: Hub) -> None:
    source = opened()
    hub.trouble.forgotten = 1000
    with pytest.raises(NotFoundError, match=f"address for it is refused, {retries.TRIES} times"):
        source.read_at(0, 10)


def test_a_server_that_is_gone_or_silent_is_not_found(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    source = opened()
    monkeypatch.setitem(exchange._TIMEOUT, "read", 0.05)
    hub.trouble.delay = 0.5
    with pytest.raises(NotFoundError, match=f"{retries.TRIES} times"):
        source.read_at(0, 10)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(NotFoundError, match="cannot be reached") as caught:
        opened()
    assert "HF_HUB_OFFLINE" in str(caught.value)


def test_a_page_instead_of_a_listing_is_an_error(hub: Hub) -> None:
    hub.trouble.page = True
    with pytest.raises(InputError, match="no JSON"):
        opened()


def test_a_redirect_to_plain_http_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    class Redirecting:
        status, headers = 302, [(b"Location", b"http://files.example/model.safetensors")]

        @contextmanager
        def stream(self, _: str, url: str, **__: object) -> Iterator["Redirecting"]:
            asked.append(url)
            yield self

    monkeypatch.setattr(exchange, "pool", lambda *_: Redirecting())
    with pytest.raises(InputError, match="redirected from https to plain http"):
        locate("https://files.example/model.safetensors")
    assert asked == ["https://files.example/model.safetensors"]


def test_a_listing_without_end_is_not_read_to_it(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "MAX_JSON_BYTES", 1000)
    hub.trouble.listing = {"sha": COMMIT, "siblings": [{"rfilename": "x" * 2000, "size": 1}]}
    with pytest.raises(InputError, match="longer than the 1000 bytes allowed"):
        opened()
