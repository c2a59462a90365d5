"""The API's own description, and the page's files."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from support.served import API, EVIL, RAW, Client, finished, registry, sent, served


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with served(registry(tmp_path_factory.mktemp("served") / "known")) as found:
        yield found


@pytest.fixture(scope="module")
def openapi(client: Client) -> dict[str, Any]:
    return client.get(f"{API}/openapi.json").json()


def described(openapi: dict[str, Any], method: str, path: str, status: str) -> dict[str, Any]:
    """The schema of an answer, strict: what is not described must not be there."""
    schema = openapi["paths"][f"{API}{path}"][method]["responses"][status]["content"]["application/json"]["schema"]
    strict = {
        name: each | {"additionalProperties": False} if "properties" in each else each
        for name, each in openapi["components"]["schemas"].items()
    }
    return {**schema, "components": {"schemas": strict}}


def test_every_answer_is_as_described(client: Client, openapi: dict[str, Any]) -> None:
    job = client.post(f"{API}/jobs/upload", content=sent(), headers=RAW)
    done = finished(client, job.json())
    assert done["status"] == "done"
    answers = [
        ("get", "/health", {}),
        ("get", "/about", {}),
        ("get", "/entries", {"limit": 2}),
        ("get", "/entry", {"name": EVIL}),
        ("get", "/entry/family", {"name": "org/parent"}),
        ("get", "/jobs", {}),
    ]
    for method, path, query in answers:
        answer = client.request(method, f"{API}{path}", params=query)
        assert answer.status_code == 200, answer.text
        jsonschema_rs.Draft202012Validator(described(openapi, method, path, "200")).validate(answer.json())
    found = client.post(f"{API}/search", content=sent(), headers=RAW).json()
    jsonschema_rs.Draft202012Validator(described(openapi, "post", "/search", "200")).validate(found)
    jsonschema_rs.Draft202012Validator(described(openapi, "post", "/jobs/upload", "202")).validate(job.json())
    jsonschema_rs.Draft202012Validator(described(openapi, "get", "/jobs/{id}", "200")).validate(done)
    missing = client.get(f"{API}/jobs/none")
    assert missing.status_code == 404
    jsonschema_rs.Draft202012Validator(described(openapi, "get", "/jobs/{id}", "4XX")).validate(missing.json())


def test_every_route_is_described_and_documented(openapi: dict[str, Any]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "serve.md").read_text()
    for path, methods in openapi["paths"].items():
        for method, route in methods.items():
            assert route["description"].endswith(".")
            shown = path.removeprefix(API).replace("{id}", "ID").replace("{form}", "FORM")
            assert re.search(rf"`{method.upper()} {shown}[?`]", page), f"{method} {path}"


class Links(HTMLParser):
    """What a page loads, and what it would run."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.inline: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.loaded += [value for name in ("src", "href") if (value := given.get(name))]
        self.inline += [name for name in given if name.startswith("on") or name == "style"]
        if tag == "style" or (tag == "script" and "src" not in given):
            self.inline.append(tag)


def test_the_page_loads_its_own_files_only_and_all_of_them_are_there(client: Client) -> None:
    page = client.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "require-trusted-types-for 'script'" in page.headers["content-security-policy"]
    links = Links(page.text)
    assert links.inline == []
    waiting = [link for link in links.loaded if not link.startswith("#")]
    seen = set()
    while waiting:
        link = waiting.pop()
        assert link.startswith("/static/"), link
        answer = client.get(link)
        assert answer.status_code == 200, link
        seen.add(link)
        if link.endswith(".js"):
            assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function", answer.text)
            wanted = {f"/static/{name}" for name in re.findall(r'from "\./(\w+\.js)"', answer.text)}
            waiting += sorted(wanted - seen)
    assert len(seen) >= 10
