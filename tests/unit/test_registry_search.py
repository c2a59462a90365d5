"""Search: what comes first, that keys and bases do not mix, and that it finds what brute force finds, with an index and without."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from support.known import known
from tensorguard.registry import index
from tensorguard.registry.entry import Entry, Facts
from tensorguard.registry.registry import Registry
from tensorguard.registry.rows import Row

WIDE = 32
Vectors = dict[str, Mapping[str, NDArray[np.float32]]]


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with Registry(tmp_path / "known", create=True) as registry:
        yield registry


def random_vectors(count: int, seed: int, bases: tuple[str, ...] = ("fixed", "words")) -> Vectors:
    """Unit vectors by name, in families; every third has but one basis."""
    rng = np.random.default_rng(seed)
    found: Vectors = {}
    for number in range(count):
        own = {}
        for basis in bases[: 1 if number % 3 == 0 else None]:
            parent = np.random.default_rng([seed, number // 8]).standard_normal(WIDE)
            vector = parent + rng.uniform(0.1, 1) * rng.standard_normal(WIDE)
            own[basis] = (vector / np.linalg.norm(vector)).astype(np.float32)
        found[f"{seed}-{number}"] = own
    return found


def insert(registry: Registry, vectors: Vectors, key: str = "public", digests: tuple[int, ...] = ()) -> None:
    registry.insert(Row(Entry(name, key, Facts()), own, digests) for name, own in vectors.items())


def by_brute_force(vectors: Vectors, query: Mapping[str, NDArray[np.float32]], top: int) -> list[tuple[str, float]]:
    scores = {
        name: max(float(own[basis] @ query[basis]) for basis in own.keys() & query.keys())
        for name, own in vectors.items()
        if own.keys() & query.keys()
    }
    return sorted(scores.items(), key=lambda each: -each[1])[:top]


def agree(registry: Registry, vectors: Vectors, seed: int, top: int = 10) -> None:
    for query in random_vectors(20, seed).values():
        hits = registry.search_by("public", query, (), top)
        expected = by_brute_force(vectors, query, top)
        assert [hit.similarity for hit in hits] == pytest.approx([score for _, score in expected], abs=1e-3)
        truth = dict(by_brute_force(vectors, query, len(vectors)))
        assert [truth[hit.entry.name] for hit in hits] == pytest.approx([hit.similarity for hit in hits], abs=1e-3)
        assert all(hit.basis in query and hit.digests == 0 for hit in hits)


def test_copies_come_first_then_what_shares_digests_then_the_most_alike(registry: Registry) -> None:
    for number in range(4):
        registry.add(known(number), Facts())
    registry.add(known(1, "copy"), Facts())
    registry.add(known(1, "half", tuning=2.0, shared=2), Facts())
    registry.add(known(1, "tuned", tuning=0.2), Facts())
    hits = registry.search(known(1), 5)
    assert {hit.entry.name for hit in hits[:2]} == {"model-1", "copy"}
    assert [hit.entry.name for hit in hits[2:4]] == ["half", "tuned"]
    assert [hit.digests for hit in hits] == [4, 4, 2, 0, 0]
    assert hits[0].similarity == pytest.approx(1, abs=1e-3)
    assert hits[2].similarity < hits[3].similarity
    assert [hit.entry.name for hit in registry.search(known(1), 3)] == [hit.entry.name for hit in hits[:3]]


def test_an_entry_with_nothing_but_equal_digests_is_found(registry: Registry) -> None:
    registry.insert([Row(Entry("bare", "public"), {}, (7, 8, 9)), Row(Entry("other", "public"), {}, (10,))])
    hits = registry.search_by("public", random_vectors(1, 0)["0-0"], (9, 7, 1), 5)
    assert [(hit.entry.name, hit.similarity, hit.basis, hit.digests) for hit in hits] == [("bare", 0.0, "digests", 2)]


def test_the_nearest_is_first_however_many_share_as_many_digests(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tensorguard.registry.search._MOST_SHARING", 5)
    vectors = random_vectors(60, 1, ("fixed",))
    insert(registry, vectors, digests=(7, 8))
    registry.insert([Row(Entry("two", "public"), {}, (7, 9))])
    for name in ("1-1", "1-58"):
        hits = registry.search_by("public", vectors[name], (7, 9), 4)
        assert [(hit.entry.name, hit.digests) for hit in hits[:2]] == [("two", 2), (name, 1)]


def test_another_key_or_basis_is_never_searched(registry: Registry) -> None:
    insert(registry, random_vectors(50, 1), "secret", (5,))
    insert(registry, random_vectors(50, 2, ("ids",)))
    assert registry.search_by("public", random_vectors(1, 1)["1-0"], (5,), 10) == []
    assert len(registry.search_by("secret", random_vectors(1, 1)["1-0"], (5,), 10)) == 10
    registry.build_index(least=1)
    assert registry.search_by("public", random_vectors(1, 1)["1-0"], (5,), 10) == []


def test_search_finds_what_brute_force_finds_with_an_index_and_without(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tensorguard.registry.search.BLOCK", 64)  # several blocks, kept and read again
    monkeypatch.setattr("tensorguard.registry.search._MOST_KEPT", 3)
    monkeypatch.setattr("tensorguard.registry.index._PART", 100)
    vectors = random_vectors(500, 1)
    insert(registry, vectors)
    agree(registry, vectors, 2)
    agree(registry, vectors, 3)
    assert registry.build_index(least=1) == sum(map(len, vectors.values()))
    agree(registry, vectors, 4)
    newer = random_vectors(150, 5)
    insert(registry, newer)
    vectors |= newer
    agree(registry, vectors, 6)
    for name in [*random_vectors(500, 1)][::2] + [*newer][::2]:
        assert registry.remove(name) == 1
        del vectors[name]
    agree(registry, vectors, 7)
    assert registry.build_index(least=1) == sum(map(len, vectors.values()))
    agree(registry, vectors, 8)


def test_more_is_asked_for_until_enough_that_were_not_removed_are_found(registry: Registry) -> None:
    vectors = random_vectors(400, 1, ("fixed",))
    insert(registry, vectors)
    registry.build_index(least=1)
    query = vectors["1-0"]
    with Registry(registry.folder) as other:
        for name, _ in by_brute_force(vectors, query, 300):
            other.remove(name)
            del vectors[name]
    hits = registry.search_by("public", query, (), 10)
    assert [hit.entry.name for hit in hits] == [name for name, _ in by_brute_force(vectors, query, 10)]
    assert len(registry.search_by("public", query, (), 1000)) == len(vectors)


def test_an_index_is_made_where_there_is_enough_that_is_new(registry: Registry) -> None:
    insert(registry, random_vectors(90, 1, ("fixed",)))
    assert registry.build_index() == 0
    assert registry.build_index(least=91) == 0
    assert registry.build_index(least=90) == 90
    assert registry.build_index(least=1) == 0
    insert(registry, random_vectors(9, 2, ("fixed",)))
    assert registry.build_index(least=10) == 0
    assert registry.build_index(least=9) == 99
    assert len(list(registry.folder.glob("index/*.vectors"))) == 1


def test_another_process_sees_the_new_index_and_keeps_working_on_the_old(registry: Registry) -> None:
    vectors = random_vectors(100, 1)
    insert(registry, vectors)
    registry.build_index(least=1)
    agree(registry, vectors, 2)
    with Registry(registry.folder) as other:
        newer = random_vectors(100, 3)
        insert(other, newer)
        other.build_index(least=1)
    agree(registry, vectors | newer, 4)


def test_an_index_of_an_earlier_version_is_read_as_it_was_made(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = random_vectors(500, 1)
    insert(registry, vectors)
    with monkeypatch.context() as earlier:
        earlier.setattr(index, "_MARK", b"")
        earlier.setattr(index, "_at_right_angles", index._anyhow)
        registry.build_index(least=1)
    monkeypatch.setattr(index, "_LEAST_RANKED", 50)
    with Registry(registry.folder) as again:
        agree(again, vectors, 2)
        again.remove("1-1")
        assert again.compact().vectors == sum(map(len, vectors.values())) - 2
    del vectors["1-1"]
    with Registry(registry.folder) as newer:
        agree(newer, vectors, 3)


def test_planes_lie_at_right_angles() -> None:
    planes = index._at_right_angles(256)
    for start in (0, 256, 512):
        some = planes[:, start : start + 256]
        assert np.array_equal(some.T @ some, 256 * np.eye(256))
    assert np.abs(planes[:, :256].T @ planes[:, 256:512]).max() < 256


@pytest.mark.parametrize("spoilt", ["gone", "short", "long", "link", "another"])
def test_an_index_that_is_not_what_was_built_is_ignored(registry: Registry, tmp_path: Path, spoilt: str) -> None:
    vectors = random_vectors(100, 1, ("fixed",))
    insert(registry, vectors)
    registry.build_index(least=1)
    (path,) = registry.folder.glob("index/*.vectors")
    raw = path.read_bytes()
    path.unlink()
    if spoilt == "link":
        (tmp_path / "elsewhere").write_bytes(raw)
        path.symlink_to(tmp_path / "elsewhere")
    elif spoilt == "another":
        path.with_name(f"{'0' * 32}.vectors").write_bytes(raw)
    elif spoilt != "gone":
        path.write_bytes(raw[:-1] if spoilt == "short" else raw + b"x")
    with Registry(registry.folder) as again:
        agree(again, vectors, 2)
        assert again.build_index(least=1) == 100
        again.sweep()
        agree(again, vectors, 3)
        assert len(list(again.folder.glob("index/*.vectors"))) == 1


@pytest.mark.parametrize("true", [0, 4 * 100])
def test_an_index_full_of_lies_names_nobody_who_is_not_there(registry: Registry, true: int) -> None:
    vectors = random_vectors(100, 1, ("fixed",))
    insert(registry, vectors)
    registry.build_index(least=1)
    (path,) = registry.folder.glob("index/*.vectors")
    raw = path.read_bytes()
    path.write_bytes(np.random.default_rng(0).bytes(len(raw) - true) + raw[len(raw) - true :])
    with Registry(registry.folder) as again:
        hits = again.search_by("public", vectors["1-0"], (), 10)
        assert len(hits) == 10
        for hit in hits:
            assert hit.similarity == pytest.approx(float(vectors[hit.entry.name]["fixed"] @ vectors["1-0"]["fixed"]), abs=1e-3)


def test_sweeping_leaves_the_index_and_removes_what_a_killed_builder_left(registry: Registry) -> None:
    insert(registry, random_vectors(50, 1))
    registry.build_index(least=1)
    folder = registry.folder / "index"
    before = set(folder.iterdir())
    for name in (f"{'0' * 32}.vectors", f".{'0' * 32}.vectors.part"):
        (folder / name).write_bytes(b"x")
    assert registry.sweep() == 2
    assert set(folder.iterdir()) == before
