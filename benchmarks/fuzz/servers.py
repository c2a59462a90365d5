"""What servers answer, what users and clients write: the hub's listing, ranges, names and addresses, requests to `serve`."""

import contextlib
import json
import traceback
from collections.abc import Iterator, Mapping
from typing import Any
from unittest import mock

from benchmarks.fuzz import mutators, seeds  # noqa: F401 - seeds makes the tests' builders importable
from benchmarks.fuzz.containers import FOLDER
from benchmarks.fuzz.harness import Harness, joined, parted

_SHA = "0123456789abcdef0123456789abcdef01234567"


def _replies(parts: Mapping[str, bytes]) -> Any:
    """Return what answers every request with the status, headers and body of an input."""
    from tensorguard.sources.exchange import Reply

    status = int(parts.get("status", b"200")[:3].strip() or b"0") if parts.get("status", b"200")[:3].strip().isdigit() else 200
    lines = [line.partition(b":") for line in parts.get("headers", b"").split(b"\n")[:50]]
    headers = {name.strip().decode("latin-1").lower(): value.strip().decode("latin-1") for name, _, value in lines}

    @contextlib.contextmanager
    def get(url: str, *_: object) -> Iterator[Reply]:
        body = parts.get("body", b"")
        yield Reply(url, status, headers, iter([body[: len(body) // 2], body[len(body) // 2 :]]))

    return get


def listing(data: bytes) -> None:
    """List a repository of the hub."""
    from tensorguard.sources import hub, retries
    from tensorguard.sources.names import Name

    hub._listed.cache_clear()
    with mock.patch.object(hub, "get", _replies(parted(data))), mock.patch.object(retries, "sleep", return_value=None):
        found = hub._listed("https://hub.example", Name("org/a"))
        for path in found.files:
            assert ".." not in path.split("/")
            assert not path.startswith("/")


def _listings() -> list[bytes]:
    files = [
        {"rfilename": "model.safetensors", "size": 10, "lfs": {"sha256": "ab", "size": 10}},
        {"rfilename": "a/b.json", "size": 2, "blobId": "c"},
    ]
    body = {"sha": _SHA, "lastModified": "2024-01-02T03:04:05.000Z", "siblings": files, "private": False}
    raw = json.dumps(body).encode()
    return [
        joined({"status": b"200", "headers": b"x-error-code: None", "body": raw}),
        joined({"status": b"404", "headers": b"x-error-code: RepoNotFound"}),
    ]


def ranges(data: bytes) -> None:
    """Read a file of a server in ranges."""
    from tensorguard.sources import http, retries
    from tensorguard.sources.network import origin

    url = "https://hub.example/a.bin"
    with mock.patch.object(http, "get", _replies(parted(data))), mock.patch.object(retries, "sleep", return_value=None):
        file = http.HttpFile(url, origin(url))
        repr((file.size, file.modified))
        file.read_at(0, min(8, file.size))
        file.read_at(max(0, file.size - 5), min(5, file.size))


def _ranges() -> list[bytes]:
    headers = b'content-range: bytes 0-99/100\ncontent-length: 100\netag: W/"a"\nx-linked-etag: "b"\n'
    headers += b"last-modified: Wed, 21 Oct 2015 07:28:00 GMT"
    return [
        joined({"status": b"206", "headers": headers, "body": bytes(100)}),
        joined({"status": b"429", "headers": b"retry-after: 120"}),
        joined({"status": b"503", "headers": b"retry-after: Wed, 21 Oct 2015 07:28:00 GMT"}),
    ]


def names(data: bytes) -> None:
    """Find what a user names, no server being asked."""
    from tensorguard.api.models import file_stem
    from tensorguard.errors import quote, utf8
    from tensorguard.formats.sharded import parse_shard_name
    from tensorguard.licences.naming import bare_name, naming
    from tensorguard.sources import hub, single
    from tensorguard.sources.names import hub_name
    from tensorguard.sources.network import origin, shown
    from tensorguard.sources.places import locate

    text = data.decode("utf-8", "surrogateescape")
    assert quote(text).isprintable()
    utf8(text).encode()
    assert "/" not in file_stem(text)
    parse_shard_name(text)
    bare_name(text)
    naming(text, "Llama")
    with (
        mock.patch.object(hub, "open_repository", lambda name: repr(name)),
        mock.patch.object(single, "open_url", lambda url: shown(str(origin(url)))),
    ):
        locate(text)
    hub_name(text)


def _names() -> list[bytes]:
    return [
        b"org/name@main/model.gguf",
        b"hf://org/name",
        b"https://huggingface.co/org/name/blob/main/a.json",
        b"./model.safetensors",
        b"https://user:pw@[::1]:99999/x?y#z",
        "https://h\u00e4.example/%00/..".encode(),
        b"model-00001-of-00002.safetensors",
        b"Meta-Llama-3-8B",
        b"registry:org/a",
        b"http://127.0.0.1:1/x",
    ]


_KNOWN = FOLDER.with_name("served")
_CLIENT: list[Any] = []


def request(data: bytes) -> None:
    """Send a request to `serve`: it answers, with an error of its own at worst."""
    from support.served import registry, served

    if not _CLIENT:
        FOLDER.with_name("root").mkdir(parents=True, exist_ok=True)
        _CLIENT.append(contextlib.ExitStack())
        _CLIENT.append(_CLIENT[0].enter_context(served(registry(_KNOWN), roots=(FOLDER.with_name("root"),))))
    parts = parted(data)
    method = parts.get("method", b"GET").decode("latin-1")
    path = "/" + parts.get("path", b"").decode("latin-1").lstrip("/")
    headers = {
        name.decode("latin-1"): value.decode("latin-1")
        for name, _, value in (line.partition(b": ") for line in parts.get("headers", b"").split(b"\n"))
        if name
    }
    try:
        answer = _CLIENT[1].request(method, path, content=parts.get("body", b""), headers=headers)
    except (ValueError, TypeError, UnicodeError) as error:
        if "httpx" in type(error).__module__ or _is_the_clients(error):
            return
        raise
    except Exception as error:
        if "httpx" in type(error).__module__:
            return
        raise
    assert answer.status_code != 500, answer.text[:300]


def _is_the_clients(error: Exception) -> bool:
    """Say whether a request could not even be written: the test's client refuses what a socket would carry."""
    return "httpx" in traceback.extract_tb(error.__traceback__)[-1].filename


def _requests() -> list[bytes]:
    api = b"api/v1"
    made = [
        joined({"method": b"GET", "path": api + b"/" + each})
        for each in (
            b"health",
            b"entries?q=org&limit=3",
            b"entries/org/parent",
            b"family/org/parent?key=public",
            b"jobs",
            b"jobs/x",
            b"similar/org/parent",
            b"reports/x/html",
        )
    ]
    made += [joined({"method": b"GET", "path": each}) for each in (b"", b"static/dom.js", b"static/../x", b"%2e%2e/x")]
    order = joined(
        {
            "method": b"POST",
            "path": api + b"/jobs",
            "headers": b"content-type: application/json",
            "body": b'{"path": "x", "kind": "scan"}',
        }
    )
    upload = joined(
        {
            "method": b"POST",
            "path": api + b"/jobs/upload?kind=scan",
            "headers": b"content-type: application/octet-stream",
            "body": b"x" * 40,
        }
    )
    search = joined(
        {
            "method": b"POST",
            "path": api + b"/search?top=3",
            "headers": b"content-type: application/octet-stream",
            "body": b"\x02" + bytes(7) + b"{}",
        }
    )
    return [*made, order, upload, search]


HARNESSES = (
    Harness("listing", listing, _listings, mutators.files, modules="sources.hub sources.http"),
    Harness("ranges", ranges, _ranges, mutators.files, modules="sources.hub sources.http"),
    Harness(
        "names",
        names,
        _names,
        mutators.plain,
        4096,
        modules="sources.places sources.hub sources.single api.models licences.naming",
    ),
    Harness("request", request, _requests, mutators.files, share=0.02, modules="serve.app serve.service"),
)
