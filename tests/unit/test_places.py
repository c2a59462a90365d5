"""What is a path, what is a name of the hub, what an address."""

from pathlib import Path

import pytest

from tensorguard.errors import NotFoundError, TensorGuardError
from tensorguard.sources import retries
from tensorguard.sources.names import Name, hub_name, page_name
from tensorguard.sources.places import locate
from tensorguard.sources.retries import Attempts


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("org/name", Name("org/name")),
        ("org/Name-1.5B@v1.0", Name("org/Name-1.5B", "v1.0")),
        ("org/name@abc/sub/x.gguf", Name("org/name", "abc", "sub/x.gguf")),
        ("org/name/x.gguf", Name("org/name", "", "x.gguf")),
        ("hf://org/name", Name("org/name")),
        ("name", None),
        ("./org/name", None),
        ("../org/name", None),
        ("/org/name", None),
        ("~/org/name", None),
        ("org/", None),
        ("folder/model.safetensors", None),
        ("folder/model.tgfp", None),
        ("registry:org/name", None),
        ("org/name@", None),
        ("org/na me", None),
        ("C:\\models\\name", None),
    ],
)
def test_names_of_the_hub(given: str, meant: Name | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert hub_name(given) == meant


def test_what_is_here_goes_before_unless_the_hub_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "org").mkdir()
    (tmp_path / "org" / "name").symlink_to("nowhere")
    assert hub_name("org/name") is None
    assert hub_name("hf://org/name") == Name("org/name")
    with pytest.raises(NotFoundError):
        hub_name("hf://name")


def test_a_path_is_local_whatever_it_is_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert locate(Path("org/name")) == Path("org/name")


@pytest.mark.parametrize(
    ("url", "meant"),
    [
        ("https://hub.example/org/name", Name("org/name")),
        ("https://hub.example/org/name/", Name("org/name")),
        ("https://hub.example/org/name/tree/main", Name("org/name")),
        ("https://hub.example/org/name/blob/v1/a/x%20y.gguf", Name("org/name", "v1", "a/x y.gguf")),
        ("https://hub.example/org/name/resolve/main/x.gguf?download=true", Name("org/name", "", "x.gguf")),
        ("https://hub.example.evil.example/org/name", None),
        ("https://other.example/org/name", None),
        ("https://hub.example/org", None),
    ],
)
def test_pages_of_the_hub(url: str, meant: Name | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "https://hub.example/")
    assert page_name(url) == meant


def test_waits_grow_and_end(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(retries, "sleep", waits.append)
    attempts = Attempts("x")
    for _ in range(retries.TRIES - 1):
        attempts.again("busy")
    with pytest.raises(TensorGuardError, match="busy, 6 times"):
        attempts.again("busy")
    assert all(0.25 * 2**n <= wait <= 0.5 * 2**n for n, wait in enumerate(waits))


@pytest.mark.parametrize(
    ("said", "waited"), [("3", 3.0), ("nonsense", 0.0), ("", 0.0), ("-5", 0.0), ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0)]
)
def test_a_server_may_say_how_long(said: str, waited: float, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(retries, "sleep", waits.append)
    Attempts("x").again("busy", {"retry-after": said})
    assert waits[0] == waited if waited else waits[0] <= 0.5


def test_what_lies_in_a_closed_folder_is_not_asked_of_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)  # nothing is closed to the superuser, whom tests may run as

    assert hub_name("closed/model") == Name("closed/model")
    monkeypatch.setattr("tensorguard.sources.names.os.lstat", closed)
    assert hub_name("closed/model") is None
