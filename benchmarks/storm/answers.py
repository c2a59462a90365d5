"""Questions to a server and the right answers, told without it: by the library; for words, by reading every entry."""

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec

from tensorguard.api.scanning import scan
from tensorguard.fingerprint.file import SUFFIX, read_fingerprint
from tensorguard.registry.entry import Entry
from tensorguard.registry.registry import Registry
from tensorguard.reports import scan as scan_report
from tensorguard.reports.document import to_json
from tensorguard.serve.family import family

API = "/api/v1"
RAW = {"Content-Type": "application/octet-stream"}
_SIZES = (1, 10, 50, 200)
Json = Any


@dataclass(frozen=True)
class Question:
    """A request, the status that it should get, and what tells whether the body is right: what is wrong with it, or nothing."""

    route: str
    method: str
    path: str
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    judge: Callable[[bytes], str] = lambda _: ""


class Answers:
    """What a registry's server should say."""

    def __init__(self, folder: Path, prints: Sequence[Path], seed: int, asked: int, scans: int) -> None:
        self.rng = random.Random(seed)
        chosen = self.rng.sample(list(prints), min(asked, len(prints)))
        with Registry(folder) as registry:
            self.entries = list(registry.entries())
            self.questions = {
                "search": [_search(registry, path, top) for path in chosen for top in (1, 10, 50)],
                "page": [_page(self.entries, *self._place()) for _ in range(asked)],
                "words": [_words(self.entries, text, limit) for text, limit in self._texts(asked)],
                "entry": [_entry(registry, self.entries, each) for each in self.rng.sample(self.entries, asked)],
                "family": [_family(registry, each) for each in self.rng.sample(self.entries, asked)],
                "about": [
                    _plain("about", "/about", {"entries": registry.count()}),
                    _plain("about", "/health", {"status": "ok"}),
                ],
                "wrong": list(_wrong(chosen[0].read_bytes())),
            }
        self.scans = [(path, _scanned(path, folder)) for path in chosen[:scans]]

    def _place(self) -> tuple[int, int]:
        return self.rng.randrange(len(self.entries)), self.rng.choice(_SIZES)

    def _texts(self, count: int) -> Iterator[tuple[str, int]]:
        """Words that one entry holds, that many hold, parts of them, short ones, in any case, and some that nobody holds."""
        for _ in range(count):
            entry = self.rng.choice(self.entries)
            word = self.rng.choice([text for text in _texts(entry) if text and " " not in text])
            start = self.rng.randrange(len(word))
            part = word[start : start + self.rng.choice((2, 3, 5, 40))]
            second = self.rng.choice(("", f" {entry.name[:4]}", " nowhere-to-be-found"))
            yield self.rng.choice((part, part.upper())) + second, self.rng.choice(_SIZES)


def _texts(entry: Entry) -> list[str]:
    facts = entry.facts
    said = [facts.repository, facts.revision, facts.family, facts.publisher, facts.licence, facts.relation, facts.released]
    return [entry.name, *said, *facts.parents]


def _search(registry: Registry, path: Path, top: int) -> Question:
    hits = registry.search(read_fingerprint(path), top)
    expected = [(hit.entry.name, hit.digests, hit.basis, round(hit.similarity, 5)) for hit in hits]

    def judge(body: bytes) -> str:
        told = [(hit["entry"]["name"], hit["digests"], hit["basis"], round(hit["similarity"], 5)) for hit in json.loads(body)]
        return "" if told == expected else f"{told[:3]} for {expected[:3]}"

    return Question("search", "POST", f"{API}/search?top={top}", body=path.read_bytes(), headers=RAW, judge=judge)


def _listing(route: str, path: str, expected: Sequence[Entry], *, more: bool) -> Question:
    names = [entry.name for entry in expected]
    following = [expected[-1].name, expected[-1].key] if more else None

    def judge(body: bytes) -> str:
        told = json.loads(body)
        right = [entry["name"] for entry in told["entries"]] == names and told["next"] == following
        return "" if right else f"{[entry['name'] for entry in told['entries']][:3]} of {len(told['entries'])} for {names[:3]}"

    return Question(route, "GET", path, judge=judge)


def _page(entries: Sequence[Entry], start: int, limit: int) -> Question:
    last, rest = entries[start], entries[start + 1 : start + 1 + limit]
    path = f"{API}/entries?{_query(limit=limit)}&{_query(after=last.name)}&{_query(after=last.key)}"
    return _listing("page", path, rest, more=start + 1 + limit < len(entries))


def _words(entries: Sequence[Entry], text: str, limit: int) -> Question:
    words = [word.lower() for word in text.split()]
    found = [e for e in entries if all(any(word in said.lower() for said in _texts(e)) for word in words)]
    return _listing("words", f"{API}/entries?{_query(q=text, limit=limit)}", found[:limit], more=len(found) > limit)


def _entry(registry: Registry, entries: Sequence[Entry], entry: Entry) -> Question:
    names = {name.lower() for name in (entry.name, entry.facts.repository) if name}
    children = [e.name for e in entries if names & {parent.lower() for parent in e.facts.parents}]
    found, own = registry.fingerprint(entry), json.loads(msgspec.json.encode(entry))
    holds = {"architecture": found.architecture, "parameters": found.elements, "tensors": len(found.digests)}

    def judge(body: bytes) -> str:
        told = json.loads(body)
        right = told["entry"] == own and told["children"] == children[:50] and holds.items() <= told["holds"].items()
        return "" if right else f"{body[:300]!r}"

    return Question("entry", "GET", f"{API}/entry?{_query(name=entry.name)}", judge=judge)


def _family(registry: Registry, entry: Entry) -> Question:
    expected = json.loads(msgspec.json.encode(family(registry, entry)))
    return Question("family", "GET", f"{API}/entry/family?{_query(name=entry.name)}", judge=_same(expected))


def _plain(route: str, path: str, least: Mapping[str, Json]) -> Question:
    return Question(
        route, "GET", f"{API}{path}", judge=lambda body: "" if least.items() <= json.loads(body).items() else f"{body[:200]!r}"
    )


def _scanned(path: Path, folder: Path) -> Json:
    """Return the result of a scan, as its report tells it."""
    return json.loads(to_json(scan_report.report(scan(path, folder))))["result"]


def _wrong(raw: bytes) -> Iterator[Question]:
    """Yield what has to be refused, and how."""
    cut, garbage = raw[: len(raw) // 2], bytes(range(256)) * 40
    post, upload = ("POST", f"{API}/search"), ("POST", f"{API}/jobs/upload")
    for status, method, path, body, headers in (
        (404, "GET", f"{API}/nothing", b"", {}),
        (404, "GET", f"{API}/entry?name=nobody%2Fhas-this", b"", {}),
        (404, "GET", f"{API}/jobs/none", b"", {}),
        (404, "GET", f"{API}/reports/none/html", b"", {}),
        (404, "GET", "/static/..%2f..%2fpasswd", b"", {}),
        (405, "DELETE", f"{API}/about", b"", {}),
        (405, "PUT", f"{API}/about", b"", {}),
        (414, "GET", f"{API}/entries?q={'x' * 9000}", b"", {}),
        (421, "GET", f"{API}/about", b"", {"Host": "elsewhere.example"}),
        (401, "GET", f"{API}/about", b"", {"Authorization": ""}),
        (403, "GET", f"{API}/about", b"", {"Origin": "http://elsewhere.example"}),
        (400, "GET", f"{API}/entries?limit=1000", b"", {}),
        (400, "POST", f"{API}/search?top=0", raw, RAW),
        (415, *post, b"x", {"Content-Type": "text/plain"}),
        (422, *post, garbage, RAW),
        (422, *post, cut, RAW),
        (422, *post, b"", RAW),
        (422, *upload, garbage, RAW),
        (422, *upload, cut, RAW),
        (400, "POST", f"{API}/jobs", b"{", {"Content-Type": "application/json"}),
        (400, "POST", f"{API}/jobs", b'{"path": "/etc"}', {"Content-Type": "application/json"}),
        (413, "POST", f"{API}/jobs", b" " * 70_000, {"Content-Type": "application/json"}),
    ):
        yield Question("wrong", method, path, status, body, headers, _tells_an_error)


def _tells_an_error(body: bytes) -> str:
    error = json.loads(body).get("error", {})
    return "" if set(error) == {"kind", "message", "where", "hint"} and error["message"] else f"{body[:200]!r}"


def _same(expected: Json) -> Callable[[bytes], str]:
    return lambda body: "" if json.loads(body) == expected else f"{body[:300]!r}"


def _query(**values: object) -> str:
    return urlencode(values)


def fingerprints(folder: Path) -> list[Path]:
    """Return the fingerprints of a folder that hold sketches."""
    return [path for path in sorted(folder.glob(f"*{SUFFIX}")) if read_fingerprint(path).sketches is not None]
