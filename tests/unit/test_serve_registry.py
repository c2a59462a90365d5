"""The API's routes into the registry."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from support.served import API, EVIL, RAW, registry, sent, served
from tensorguard.limits import MAX_FACT_CHARACTERS
from tensorguard.registry.entry import Entry, Facts
from tensorguard.registry.registry import Registry
from tensorguard.registry.rows import Row


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return registry(tmp_path_factory.mktemp("served") / "known")


@pytest.fixture
def client(folder: Path) -> Iterator[TestClient]:
    with served(folder) as found:
        yield found


def names(client: TestClient, **query: Any) -> list[str]:
    answer = client.get(f"{API}/entries", params=query)
    assert answer.status_code == 200, answer.text
    return [each["name"] for each in answer.json()["entries"]]


def test_pages_follow_each_other_and_end(client: TestClient) -> None:
    whole = names(client)
    assert whole == sorted([EVIL, "org/child", "org/parent", "stranger"])
    found: list[str] = []
    query: dict[str, Any] = {"limit": 3}
    while True:
        page = client.get(f"{API}/entries", params=query).json()
        found += [each["name"] for each in page["entries"]]
        if page["next"] is None:
            break
        query["after"] = page["next"]
    assert found == whole
    assert names(client, limit=4) == whole
    assert client.get(f"{API}/entries", params={"limit": 4}).json()["next"] is None


def test_words_are_looked_for_as_they_stand(client: TestClient) -> None:
    assert names(client, q="TOY org") == ["org/parent"]
    assert names(client, q="100%_") == ["stranger"]
    assert names(client, q="%") == ["stranger"]
    assert names(client, q="family") == []
    assert names(client, key="other") == []


def test_an_entry_says_what_is_known_and_by_whom(client: TestClient) -> None:
    found = client.get(f"{API}/entry", params={"name": "org/child"}).json()
    assert found["entry"]["verified"] is False
    assert len(found["entry"]["fingerprint"]) == 64
    assert found["holds"]["architecture"] == "llama"
    assert found["parents"] == [{"name": "org/parent", "known": True}]
    parent = client.get(f"{API}/entry", params={"name": "org/parent"}).json()
    assert parent["children"] == sorted([EVIL, "org/child"])
    evil = client.get(f"{API}/entry", params={"name": EVIL}).json()
    assert evil["entry"]["name"] == EVIL
    assert evil["entry"]["facts"]["publisher"] == EVIL
    assert evil["parents"][1] == {"name": "nobody/knows", "known": False}


def test_an_entry_that_is_not_there_and_one_without_its_file(client: TestClient, tmp_path: Path) -> None:
    missing = client.get(f"{API}/entry", params={"name": "org/parint"})
    assert missing.status_code == 404
    assert missing.json()["error"]["kind"] == "not-found"
    assert "org/parent" in missing.json()["error"]["hint"]
    with Registry(tmp_path / "r", create=True) as opened:
        opened.insert([Row(Entry("lost", "public", fingerprint="ab" * 32))])
    with served(tmp_path / "r") as other:
        found = other.get(f"{API}/entry", params={"name": "lost"}).json()
    assert found["holds"] is None
    assert "missing" in found["damage"]


def test_a_family_is_laid_out_from_ancestors_to_descendants(client: TestClient) -> None:
    found = client.get(f"{API}/entry/family", params={"name": "org/child"}).json()
    at = {node["name"]: node for node in found["nodes"]}
    assert set(at) == {"org/parent", "org/child"}
    assert at["org/parent"]["y"] < at["org/child"]["y"]
    assert at["org/child"]["tone"] == "subject"
    grown = client.get(f"{API}/entry/family", params={"name": "org/parent"}).json()
    links = {(grown["nodes"][edge["parent"]]["name"], grown["nodes"][edge["child"]]["name"]) for edge in grown["edges"]}
    assert links == {("org/parent", "org/child"), ("org/parent", EVIL)}
    evil = client.get(f"{API}/entry/family", params={"name": EVIL}).json()
    assert {node["name"]: node["key"] for node in evil["nodes"]} == {
        EVIL: "public",
        "org/parent": "public",
        "nobody/knows": None,
    }


def test_families_of_endless_and_circular_claims_are_cut(tmp_path: Path) -> None:
    with Registry(tmp_path / "r", create=True) as opened:
        chain = [Row(Entry(f"m{at:03}", "public", Facts(parents=(f"m{at + 1:03}",)))) for at in range(200)]
        circle = [
            Row(Entry(name, "public", Facts(parents=(other,))))
            for name, other in (("one", "two"), ("two", "one"), ("self", "self"))
        ]
        many = [Row(Entry(f"child-{at}", "public", Facts(parents=("one", "p" * MAX_FACT_CHARACTERS)))) for at in range(100)]
        opened.insert(chain + circle + many)
    with served(tmp_path / "r") as client:
        for name, whole in (("m000", False), ("m100", False), ("one", False), ("self", True)):
            found = client.get(f"{API}/entry/family", params={"name": name}).json()
            assert 1 <= len(found["nodes"]) <= 40
            assert len({node["name"] for node in found["nodes"]}) == len(found["nodes"])
            assert found["complete"] is whole


def test_a_search_by_a_fingerprint(client: TestClient) -> None:
    found = client.post(f"{API}/search", params={"top": 2}, content=sent(), headers=RAW).json()
    assert len(found) == 2
    assert all(each["entry"]["name"] in ("org/parent", "org/child", EVIL) for each in found)
    assert found[0]["similarity"] > 0.5


def test_about(client: TestClient, folder: Path) -> None:
    found = client.get(f"{API}/about").json()
    assert (found["entries"], found["registry"], found["roots"]) == (4, str(folder), [])
