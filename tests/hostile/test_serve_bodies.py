"""The server against bodies that are too long, too slow, too many, or nothing that it takes."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.served import API, JSON, RAW, TOKEN, Client, error_kind, finished, registry, sent, served
from tensorguard.reports.document import Document
from tensorguard.serve import guard, uploads
from tensorguard.serve.jobs import MAX_QUEUE


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return registry(tmp_path_factory.mktemp("served") / "known")


@pytest.fixture
def client(folder: Path, tmp_path: Path) -> Iterator[Client]:
    (tmp_path / "root").mkdir()
    with served(folder, roots=(tmp_path / "root",)) as found:
        yield found


@pytest.mark.parametrize(
    "body", [b"", b"x", b"\xff" * 1000, b'{"a": 1}' * 100, sent()[:-1], sent()[:2000], (2**60).to_bytes(8, "little") + b"{}"]
)
def test_what_is_no_fingerprint_is_refused_and_leaves_nothing(client: Client, body: bytes) -> None:
    for path in ("jobs/upload", "search"):
        answer = client.post(f"{API}/{path}", content=body, headers=RAW)
        assert answer.status_code == 422
        assert error_kind(answer) == "input"
        assert "tensorguard-serve" not in answer.text
    assert client.get(f"{API}/jobs").json() == []
    assert left(client) == []


def left(client: Client) -> list[str]:
    """What lies in the folder of uploads."""
    return [path.name for path in Path(client.service.uploads._folder.name).iterdir()]


def test_uploads_are_gone_when_their_jobs_are(client: Client) -> None:
    job = client.post(f"{API}/jobs/upload", content=sent(), headers=RAW).json()
    assert finished(client, job)["status"] == "done"
    assert left(client) == []
    assert client.post(f"{API}/jobs/upload", content=sent(), headers={"content-type": "text/plain"}).status_code == 415
    assert left(client) == []


def test_bodies_are_counted_with_or_without_a_length(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    long = guard.MAX_BODY + 1

    def pieces() -> Iterator[bytes]:
        yield from (b" " * 1000 for _ in range(long // 1000 + 1))

    for content in (b" " * long, pieces()):
        answer = client.post(f"{API}/jobs", content=content, headers=JSON)
        assert answer.status_code == 413
        assert error_kind(answer) == "refused"
    monkeypatch.setattr(uploads, "MAX_UPLOAD", 10_000)
    for content in (b" " * 10_001, (b" " * 1000 for _ in range(11))):
        answer = client.post(f"{API}/jobs/upload", content=content, headers=RAW)
        assert answer.status_code == 413
        assert left(client) == []
    assert client.post(f"{API}/jobs/upload", content=b" " * 10_000, headers=RAW).status_code == 422


def test_addresses_and_queries_have_an_end(client: Client) -> None:
    assert client.get(f"{API}/entries?q={'x' * 9000}").status_code == 414
    assert client.get(f"{API}/entries?q={'x' * 2000}").status_code == 400
    for query in ("limit=0", "limit=201", "limit=x", "after=a&after=b&after=c"):
        answer = client.get(f"{API}/entries?{query}")
        assert answer.status_code == 400
        assert error_kind(answer) == "usage"
    for method in ("PUT", "PATCH", "OPTIONS", "TRACE", "CONNECT"):
        assert client.request(method, f"{API}/entries").status_code == 405
    assert client.post(f"{API}/entries").status_code == 405
    for body in (
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"path": 1}',
        b'{"path": "x", "kind": "rm"}',
        b"[" * 5000,
        b'{"path": "' + b"\\u0000" * 9 + b'"}',
    ):
        assert client.post(f"{API}/jobs", content=body, headers=JSON).status_code == 400, body


def test_too_many_jobs(client: Client) -> None:
    begun, go = threading.Event(), threading.Event()

    def waits(_: object) -> Document:
        begun.set()
        go.wait(20)
        return Document("scan", "x", "x", {})

    client.service.jobs.add("scan", "runs", waits)
    assert begun.wait(20)
    statuses = [client.post(f"{API}/jobs/upload", content=sent(), headers=RAW).status_code for _ in range(MAX_QUEUE + 1)]
    assert statuses == [202] * MAX_QUEUE + [429]
    assert len(left(client)) == MAX_QUEUE
    go.set()
    client.service.jobs.close()
    assert left(client) == []


def asked(app: Any, headers: list[tuple[bytes, bytes]], receive: Any, path: str = f"{API}/jobs") -> int:
    """The status of an answer to a request that no client would send."""
    found: list[int] = []

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            found.append(message["status"])

    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": headers,
        "client": ("x", 1),
    }
    scope |= {
        "http_version": "1.1",
        "scheme": "http",
        "server": ("127.0.0.1", 8765),
        "root_path": "",
        "asgi": {"version": "3.0"},
    }
    asyncio.run(app(scope, receive, send))
    return found[0]


def test_doubled_headers_senders_that_stop_and_senders_that_leave(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "BODY_SECONDS", 0.05)
    monkeypatch.setattr(uploads, "CHUNK_SECONDS", 0.05)
    own = [
        (b"host", b"127.0.0.1:8765"),
        (b"authorization", f"Bearer {TOKEN}".encode()),
        (b"content-type", b"application/octet-stream"),
    ]

    async def stops() -> Any:
        await asyncio.sleep(20)

    async def leaves() -> Any:
        return {"type": "http.disconnect"}

    for path, receive, status in (
        ("jobs", stops, 408),
        ("jobs/upload", stops, 408),
        ("jobs", leaves, 400),
        ("jobs/upload", leaves, 400),
    ):
        assert asked(client.app, own, receive, f"{API}/{path}") == status
    for name in (b"host", b"authorization", b"origin", b"content-length"):
        assert asked(client.app, [*own, (name, b"x"), (name, b"x")], leaves) == 400
    assert asked(client.app, [*own, (b"content-length", b"-1")], leaves) == 400
    assert left(client) == []
