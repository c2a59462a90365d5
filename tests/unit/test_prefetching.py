"""Many ranges of a file on a server: few requests, every byte once, and nothing but bounded memory and disk."""

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from support.hub_server import Hub, serving
from tensorguard.errors import TensorGuardError
from tensorguard.formats.base import TensorInfo
from tensorguard.sources import kept as keeping
from tensorguard.sources import prefetching, retries
from tensorguard.sources.http import HttpFile
from tensorguard.sources.kept import KEPT, Kept
from tensorguard.sources.local import LocalFile
from tensorguard.sources.network import origin
from tensorguard.sources.prefetching import IN_MEMORY, LONGEST, NEAR, Span, in_order, prefetch
from tensorguard.sources.spool import SLOT, Spool
from tensorguard.tensors.storage import StoredTensor

SIZE = 20 * SLOT + 17


@pytest.fixture(scope="module")
def content() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, SIZE, np.uint8)


@pytest.fixture(scope="module")
def path(content: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served")
    content.tofile(folder / "weights.bin")
    return folder / "weights.bin"


@pytest.fixture
def hub(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setattr(retries, "sleep", lambda _: None)
    with serving({"org/model": path.parent}) as served:
        served.issued["weights.bin"] = 1
        yield served
    with KEPT.scope():
        pass


def remote(hub: Hub) -> HttpFile:
    source = HttpFile(f"{hub.cdn}/org/model/weights.bin?signature=1", origin(hub.cdn), size=SIZE)
    source.read_at(0, 8)
    hub.requests.clear()
    return source


def asked(hub: Hub) -> list[int]:
    return sorted(request.sent for request in hub.of("cdn"))


def test_near_ranges_are_one_request_and_far_ones_several(hub: Hub, content: np.ndarray) -> None:
    source, step = remote(hub), 1 << 20
    near = [Span(source, 5 * step + n * (1000 + NEAR), 1000) for n in range(10)]
    far = [Span(source, n * step, 100) for n in (9, 7, 11)]
    prefetch([*far, *near])
    assert asked(hub) == [100, 100, 100, 10 * 1000 + 9 * NEAR]
    for _, offset, length in (*near, *far):
        assert np.array_equal(source.read_at(offset, length), content[offset : offset + length])
    prefetch(near)
    assert len(hub.requests) == 4


def test_what_is_kept_is_not_asked_for_again(hub: Hub, content: np.ndarray) -> None:
    source = remote(hub)
    prefetch([Span(source, 2_000_000, 100_000)])
    hub.requests.clear()
    prefetch([Span(source, 1_990_000, 200_000)])
    assert asked(hub) == [10_000, 90_000]
    assert np.array_equal(source.read_at(1_990_000, 200_000), content[1_990_000:2_190_000])
    assert len(hub.requests) == 2


@pytest.mark.parametrize("length", [IN_MEMORY, 2 * IN_MEMORY])
def test_every_byte_comes_once_in_pieces_and_is_there_for_all_threads(hub: Hub, content: np.ndarray, length: int) -> None:
    source = remote(hub)
    spans = [Span(source, 100_001, length)]
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(prefetch, [spans] * 6))
        assert (sum(asked(hub)), max(asked(hub))) == (length, LONGEST)
        found = list(threads.map(lambda at: source.read_at(at, 77_777), range(100_001, 100_001 + length - 77_777, 99_991)))
    for part, at in zip(found, range(100_001, SIZE, 99_991), strict=False):
        assert np.array_equal(part, content[at : at + 77_777])
    assert sum(asked(hub)) == length


def test_without_a_disk_it_is_only_slower(
    hub: Hub, content: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "none"))
    source = remote(hub)
    prefetch([Span(source, 0, SIZE)])
    assert np.array_equal(source.read_at(0, SIZE), content)
    monkeypatch.setattr(KEPT, "_memory", SIZE)
    hub.requests.clear()
    other = remote(hub)
    prefetch([Span(other, 0, SIZE)])
    assert not hub.requests
    assert not list(tmp_path.iterdir())


def test_a_part_of_the_columns_costs_no_request_per_row(hub: Hub, content: np.ndarray, path: Path) -> None:
    source, shape = remote(hub), (2000, 1000)
    here, there = (
        StoredTensor(TensorInfo("w", "F32", shape, file, 40_000, 4 * 2000 * 1000)) for file in (LocalFile(path), source)
    )
    for start in range(0, 1000, 100):
        block = slice(0, 2000), slice(start, start + 100)
        assert np.array_equal(there.read(*block).view(np.uint32), here.read(*block).view(np.uint32))
    assert sum(asked(hub)) == 4 * 2000 * 1000
    assert len(hub.requests) == 1


def test_ranges_in_order_are_asked_for_ahead(hub: Hub, content: np.ndarray, path: Path) -> None:
    hub.trouble.delay = 0.05
    source, local = remote(hub), LocalFile(path)
    spans = [Span(local if n % 5 == 4 else source, n * 300_000, 300_000) for n in range(20)]
    most, waiting, lock, send = 0, 0, threading.Lock(), HttpFile._fetch

    def counted(self: HttpFile, start: int, stop: int) -> np.ndarray:
        nonlocal most, waiting
        with lock:
            waiting += 1
            most = max(most, waiting)
        try:
            return send(self, start, stop)
        finally:
            with lock:
                waiting -= 1

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HttpFile, "_fetch", counted)
        found = list(in_order(spans))
    assert all(np.array_equal(part, content[s.offset : s.offset + s.length]) for part, s in zip(found, spans, strict=True))
    assert 1 < most <= prefetching.REQUESTS


@pytest.mark.parametrize("act", [prefetch, lambda spans: list(in_order(spans))])
def test_one_that_cannot_be_read_ends_it(hub: Hub, act: object) -> None:
    source = remote(hub)
    hub.trouble.unsatisfiable = True
    with pytest.raises(TensorGuardError, match="ends before where it should"):
        act([Span(source, n * 1_000_000, 500_000) for n in range(12)])  # type: ignore[operator]


def test_what_is_recorded_is_read_once(hub: Hub, content: np.ndarray) -> None:
    source = remote(hub)
    with KEPT.scope():
        with KEPT.recording():
            source.read_at(1_000_000, 3_000_000)
        source.read_at(6_000_000, 1_000_000)
        hub.requests.clear()
        assert np.array_equal(source.read_at(2_000_003, 1_500_000), content[2_000_003:3_500_003])
        assert not hub.requests
        assert np.array_equal(source.read_at(3_999_000, 3_500_000), content[3_999_000:7_499_000])
        assert sum(asked(hub)) == 3_499_000
    assert KEPT.gaps(source._number, 2_000_000, 3_000_000) != []


def test_a_scope_within_another_gives_nothing_up(hub: Hub) -> None:
    source = remote(hub)
    with KEPT.scope():
        with KEPT.scope(), KEPT.recording():
            source.read_at(1_000_000, 500_000)
        assert KEPT.gaps(source._number, 1_000_000, 1_500_000) == []


def test_memory_is_bounded_and_what_was_used_last_stays() -> None:
    kept, into = Kept(memory=1000), np.empty(100, np.uint8)
    for n in range(10):
        kept.hold(1, 200 * n, np.full(100, n, np.uint8))
    assert kept.read(1, 0, into) == 100
    kept.hold(2, 0, np.full(100, 77, np.uint8))
    assert (kept.read(1, 0, into), kept.read(1, 200, into), kept.read(2, 50, into)) == (100, 0, 50)
    assert into[0] == 77
    kept.hold(3, 0, np.zeros(5000, np.uint8))  # longer than all: kept alone
    assert kept.gaps(3, 0, 5000) == []
    assert kept.gaps(1, 0, 2000) == [(0, 2000)]


def test_pieces_that_overlap_are_kept_once() -> None:
    kept, content, into = Kept(), np.arange(250, dtype=np.uint8), np.zeros(250, np.uint8)
    for start, stop in ((10, 20), (40, 60), (15, 50), (5, 65), (100, 200), (0, 250)):
        kept.hold(7, start, content[start:stop].copy())
    at = 0
    while count := kept.read(7, at, into[at:]):
        at += count
    assert at == 250
    assert np.array_equal(into, content)
    assert kept.gaps(7, 0, 300) == [(250, 300)]


def test_disk_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    kept, piece, into = Kept(spool=Spool(3 * SLOT)), np.ones(SLOT, np.uint8), np.empty(SLOT, np.uint8)
    for n in range(5):
        kept.store(1, n * SLOT, piece * np.uint8(n), make_room=False)
    assert [kept.read(1, n * SLOT, into) > 0 for n in range(5)] == [True, True, True, False, False]
    kept.store(1, 4 * SLOT, piece * np.uint8(4), make_room=True)
    assert [kept.read(1, n * SLOT, into) > 0 for n in range(5)] == [False, True, True, False, True]
    assert into[0] == 4
    with kept.scope():
        pass
    assert kept.gaps(1, 0, 5 * SLOT) == [(0, 5 * SLOT)]
    monkeypatch.setattr(os, "pwrite", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    kept.store(1, 0, piece, make_room=False)
    assert kept.gaps(1, 0, SLOT) == [(0, SLOT)]
    kept.store(1, 0, piece, make_room=True)  # there is still memory
    assert kept.read(1, 0, into) == SLOT
    assert keeping.MEMORY >= 8 * IN_MEMORY


def test_nobody_else_can_read_what_is_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    spool = Spool()
    slot = spool.put(np.ones(5, np.uint8))
    assert slot == 0
    assert not list(tmp_path.iterdir())
    assert os.fstat(spool._descriptor).st_mode & 0o077 == 0
    spool.close()
