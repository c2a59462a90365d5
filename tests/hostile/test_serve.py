"""The server against pages of other sites, and against who has no token or guesses."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.served import API, ORIGIN, RAW, TOKEN, Client, error_kind, registry, served
from tensorguard.errors import InputError, NotFoundError
from tensorguard.registry.registry import Registry
from tensorguard.serve.access import Access, read_token
from tensorguard.serve.options import Options, is_loopback

HERE = {"origin": ORIGIN, "sec-fetch-site": "same-origin"}
STRANGERS: list[dict[str, str]] = [
    {"origin": "http://evil.example"},
    {"origin": "null"},
    {"origin": "http://127.0.0.1:9999"},
    {"origin": "http://127.0.0.1:8765.evil.example"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"},
    {"origin": ORIGIN, "sec-fetch-site": "same-site"},
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return registry(tmp_path_factory.mktemp("served") / "known")


@pytest.fixture
def client(folder: Path, tmp_path: Path) -> Iterator[Client]:
    (tmp_path / "root").mkdir()
    with served(folder, roots=(tmp_path / "root",)) as found:
        yield found


@pytest.fixture
def browser(client: Client) -> Client:
    """The same server as a browser that has the cookie sees it."""
    assert client.post(f"{API}/session", headers=HERE).status_code == 204
    del client.headers["authorization"]
    return client


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8765", "127.0.0.1", "127.0.0.1:80", "localhost:8765.evil.example", "", "[::1]:1"]
)
def test_other_names_are_not_answered_whatever_is_shown(client: Client, host: str) -> None:
    for path in ("/", "/static/main.js", f"{API}/health", f"{API}/entries"):
        answer = client.get(path, headers={"host": host})
        assert answer.status_code == 421
        assert error_kind(answer) == "refused"


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost:8765", "LOCALHOST:8765", "[::1]:8765"])
def test_our_own_names_are(client: Client, host: str) -> None:
    assert client.get(f"{API}/about", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("headers", STRANGERS, ids=str)
def test_other_pages_get_nothing_even_with_the_cookie(browser: Client, headers: dict[str, str]) -> None:
    assert browser.post(f"{API}/jobs", json={"path": "x"}, headers=headers).status_code == 403
    assert browser.post(f"{API}/jobs/upload", content=b"x", headers=RAW | headers).status_code == 403
    assert browser.delete(f"{API}/session", headers=headers).status_code == 403
    assert browser.get(f"{API}/entries", headers=headers).status_code == 403


def test_a_cookie_changes_nothing_without_a_word_of_whose_page_it_is(browser: Client) -> None:
    assert browser.get(f"{API}/entries").status_code == 200
    assert browser.delete(f"{API}/jobs/x").status_code == 403
    assert browser.delete(f"{API}/jobs/x", headers=HERE).status_code == 404


def test_the_cookie_is_for_this_server_alone_and_ends_with_the_session(browser: Client, folder: Path) -> None:
    answer = browser.post(f"{API}/session", headers=HERE)
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "domain" not in cookie
    assert TOKEN not in cookie
    kept = dict(browser.cookies)
    assert browser.delete(f"{API}/session", headers=HERE).status_code == 204
    assert browser.get(f"{API}/entries", cookies=kept).status_code == 401
    with served(folder) as other:
        del other.headers["authorization"]
        assert other.get(f"{API}/entries", cookies=kept).status_code == 401


def test_everything_but_the_page_and_its_health_takes_a_token(client: Client) -> None:
    routes = client.get(f"{API}/openapi.json").json()["paths"]
    del client.headers["authorization"]
    paths = {*routes, f"{API}/openapi.json", "/docs", "/redoc", "/x", "/favicon.ico", "/api"}
    assert f"{API}/jobs/upload" in paths
    for path in paths - {f"{API}/health"}:
        for method in ("GET", "POST", "DELETE"):
            answer = client.request(method, path.replace("{id}", "x").replace("{form}", "html"))
            assert answer.status_code == 401, path
            assert error_kind(answer) == "refused"
    assert client.get("/").status_code == client.get(f"{API}/health").status_code == 200
    assert client.get("/static/%2e%2e%2fapp.py").status_code == client.get("/static/..%2f..%2fserver.py").status_code == 404
    for path in ("//api/v1/entries", "/API/v1/entries", "/static/../api/v1/entries", "/api%2fv1/entries"):
        assert client.get(path).status_code in (401, 404)


@pytest.mark.parametrize(
    "shown", ["Bearer wrong", "Bearer", "Bearer ", f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer é"]
)
def test_wrong_tokens(client: Client, shown: str) -> None:
    answer = client.get(f"{API}/entries", headers={"authorization": shown.encode()})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


def test_who_guesses_has_to_wait_and_a_signed_in_page_goes_on(client: Client) -> None:
    client.post(f"{API}/session", headers=HERE)
    statuses = [client.get(f"{API}/entries", headers={"authorization": f"Bearer {at}"}).status_code for at in range(12)]
    assert statuses == [401] * 10 + [429] * 2
    refused = client.get(f"{API}/entries")  # the right token is not looked at either, or guessing would go on
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) >= 1
    del client.headers["authorization"]
    assert client.get(f"{API}/entries").status_code == 200


def test_waiting_ends_and_is_everyones_own() -> None:
    now = [0.0]
    access = Access(TOKEN, 1, lambda: now[0])
    for _ in range(10):
        assert access.wait("a") == 0.0
        access.failed("a")
    assert access.wait("a") > 0.0
    assert access.wait("b") == 0.0
    now[0] += access.wait("a")
    assert access.wait("a") == 0.0
    access.failed("a")
    assert access.wait("a") > 0.0


def test_tokens_of_files(tmp_path: Path) -> None:
    (tmp_path / "good").write_text(f"{TOKEN}\n")
    assert read_token(tmp_path / "good") == TOKEN
    for text in (
        b"",
        b"short",
        b"with spaces in the middle of it",
        b"\xff" * 40,
        b"x" * 2000,
        b"two-lines-of-a-token\nxxxxxxx",
    ):
        (tmp_path / "bad").write_bytes(text)
        with pytest.raises(InputError):
            read_token(tmp_path / "bad")
    with pytest.raises(NotFoundError):
        read_token(tmp_path / "none")


def test_every_answer_is_guarded(client: Client) -> None:
    paths = ("/", "/static/main.js", f"{API}/entries", f"{API}/health", f"{API}/none", f"{API}/openapi.json", "/none")
    for answer in (
        *map(client.get, paths),
        client.get("/", headers={"host": "evil.example"}),
        client.get("/", headers={"origin": "http://evil.example"}),
    ):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_a_fault_of_ours_tells_nothing_but_the_log(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr(Registry, "count", fails)
    answer = client.get(f"{API}/about")
    assert answer.status_code == 500
    assert error_kind(answer) == "fault"
    assert "secret" not in answer.text
    assert caplog.text.count("RuntimeError: a secret") == 1


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.0.1", False),
        ("evil", False),
        ("", False),
    ],
)
def test_which_addresses_are_of_this_machine_alone(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_names_that_are_answered(tmp_path: Path) -> None:
    assert "0.0.0.0:8765" not in Options(tmp_path, TOKEN, host="0.0.0.0").hosts()
    assert "192.168.0.9:8765" in Options(tmp_path, TOKEN, host="192.168.0.9").hosts()
    assert "tg.example" in Options(tmp_path, TOKEN, names=("TG.example",)).hosts()
    assert "tg.example:8765" not in Options(tmp_path, TOKEN, names=("tg.example",)).hosts()
    assert "127.0.0.1" in Options(tmp_path, TOKEN, port=80).hosts()
