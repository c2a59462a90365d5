"""A file on a server: the right bytes, no more of them than asked for, and one clear error for everything that goes wrong."""

import pickle
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from support.hub_server import Hub, serving
from tensorguard.errors import InputError, NotFoundError, TensorGuardError
from tensorguard.sources import exchange, retries
from tensorguard.sources import hub as hubs
from tensorguard.sources.base import Source
from tensorguard.sources.http import FIRST_BYTES, HttpFile
from tensorguard.sources.hub import open_repository
from tensorguard.sources.names import Name
from tensorguard.sources.remote import RemotePath
from tensorguard.sources.traffic import TRAFFIC

SIZE = 5_000_000


@pytest.fixture(scope="module")
def content() -> bytes:
    return np.random.default_rng(0).integers(0, 256, SIZE, np.uint8).tobytes()


@pytest.fixture
def hub(tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "weights.bin").write_bytes(content)
    (folder / "small.json").write_bytes(b'{"a": 1}')
    waits: list[float] = []
    monkeypatch.setattr(retries, "sleep", waits.append)
    monkeypatch.setenv("TENSORGUARD_ALLOW_PRIVATE", "1")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    hubs._listed.cache_clear()
    with serving({"org/model": folder}) as served:
        served.waits = waits  # type: ignore[attr-defined]
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        yield served


def weights(name: str = "weights.bin") -> HttpFile:
    place = open_repository(Name("org/model"))
    assert isinstance(place, RemotePath)
    source = (place / name).source()
    assert isinstance(source, HttpFile)
    return source


def test_it_is_a_source_that_reads_what_a_local_file_holds(hub: Hub, content: bytes) -> None:
    source = weights()
    assert isinstance(source, Source)
    assert source.size == SIZE
    assert source.modified == 1_714_564_800 * 10**9
    assert source.name == f"org/model@{'0123456789ab'}/weights.bin"
    for offset, length in (
        (0, 8),
        (8, 100_000),
        (SIZE - 22, 22),
        (1_000_000, 10),
        (4_000_000, 1_000_000),
        (0, 0),
        (SIZE, 0),
        (3, SIZE - 3),
    ):
        assert source.read_at(offset, length).tobytes() == content[offset : offset + length]
    with pytest.raises(InputError, match="outside"):
        source.read_at(SIZE - 1, 2)


def test_what_is_returned_may_be_written_to(hub: Hub, content: bytes) -> None:
    source = weights()
    source.read_at(0, 100)[:] = 0
    assert source.read_at(0, 100).tobytes() == content[:100]


def test_small_reads_share_one_request_and_large_ones_are_exact(hub: Hub) -> None:
    source = weights()
    for offset in (0, 8, 500, 15_000):
        source.read_at(offset, 64)
    assert [request.sent for request in hub.of("cdn")] == [FIRST_BYTES]
    source.read_at(8, 200_000)
    assert sum(request.sent for request in hub.of("cdn")) == 200_008
    source.read_at(1_000_000, 1_500_000)
    assert sum(request.sent for request in hub.of("cdn")) == 1_700_008
    assert len([request for request in hub.of("hub") if "/resolve/" in request.path]) == 1  # where it led is remembered


def test_what_lies_at_the_end_is_read_backwards_at_once(hub: Hub, content: bytes) -> None:
    source = weights()
    for offset in (SIZE - 22, SIZE - 42, SIZE - 15_000):
        assert source.read_at(offset, 20).tobytes() == content[offset : offset + 20]
    assert [request.sent for request in hub.of("cdn")] == [FIRST_BYTES]


def test_threads_read_at_once(hub: Hub, content: bytes) -> None:
    source = weights()
    offsets = range(0, 4_000_000, 100_000)
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda offset: source.read_at(offset, 99_999).tobytes(), offsets))
    assert found == [content[offset : offset + 99_999] for offset in offsets]


def test_it_survives_pickling_without_a_token_in_it(hub: Hub, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    source = weights()
    source.read_at(0, 10)
    stored = pickle.dumps(source)
    assert b"hf_secret" not in stored
    assert b"signature" not in stored
    assert pickle.loads(stored).read_at(2_000_000, 500).tobytes() == content[2_000_000:2_000_500]


@pytest.mark.parametrize("trouble", ["busy", "failing", "broken", "forgotten"])
def test_what_passes_is_tried_again(hub: Hub, content: bytes, trouble: str) -> None:
    source = weights()
    source.read_at(0, 10)
    setattr(hub.trouble, trouble, 3)
    if trouble in ("busy", "failing"):
        hub.expire("weights.bin")  # so that the hub is asked again
    assert source.read_at(1_000_000, 2_000_000).tobytes() == content[1_000_000:3_000_000]
    assert getattr(hub.trouble, trouble) == 0
    assert len(hub.waits) >= 3  # type: ignore[attr-defined]


def test_a_broken_transfer_goes_on_where_it_broke_off(hub: Hub, content: bytes) -> None:
    source = weights()
    source.read_at(0, 10)
    hub.trouble.broken = 3
    before = hub.bytes_sent()
    assert source.read_at(1_000_000, 2_000_000).tobytes() == content[1_000_000:3_000_000]
    assert hub.bytes_sent() - before == 2_000_000


def test_a_transfer_that_crawls_is_given_up_and_gone_on_with(hub: Hub, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    source = weights()
    source.read_at(0, 10)
    hub.trouble.crawling = 1
    monkeypatch.setattr(exchange, "_SLOWEST", 10_000_000)
    monkeypatch.setitem(exchange._TIMEOUT, "read", 1.0)
    assert source.read_at(1_000_000, 2_000_000).tobytes() == content[1_000_000:3_000_000]
    assert len(hub.waits) == 1  # type: ignore[attr-defined]


def test_an_address_that_expired_is_asked_for_again(hub: Hub, content: bytes) -> None:
    source = weights()
    source.read_at(0, 10)
    hub.expire("weights.bin")
    assert source.read_at(1_000_000, 10).tobytes() == content[1_000_000:1_000_010]
    assert len([request for request in hub.of("hub") if "/resolve/" in request.path]) == 2


def test_it_waits_as_long_as_the_server_asks(hub: Hub) -> None:
    hub.trouble.busy, hub.trouble.retry_after = 1, "7"
    weights()
    assert hub.waits == [7.0]  # type: ignore[attr-defined]
    hubs._listed.cache_clear()
    hub.trouble.busy, hub.trouble.retry_after = 1, "86400"
    with pytest.raises(NotFoundError, match="asks to wait 86400 s"):
        weights()


def test_it_gives_up_after_some_tries(hub: Hub) -> None:
    hub.trouble.failing = 1000
    with pytest.raises(NotFoundError, match=f"status 503, {retries.TRIES} times"):
        weights()
    assert len(hub.requests) == retries.TRIES


@pytest.mark.parametrize(
    ("trouble", "value", "message"),
    [
        ("plain", True, "ignores Range"),
        ("short", True, "were asked for"),
        ("shifted", True, "were asked for"),
        ("parts", True, "does not say which bytes"),
        ("packed", True, "announces another number of bytes"),
        ("endless", True, "more bytes came than were announced"),
        ("unsatisfiable", True, "ends before where it should"),
        ("linked", "0" * 64, "another file than before"),
        ("grows", True, "another file than before"),
        ("changing", True, "another file than before"),
        ("endless_redirects", True, "more than 5 times"),
        ("elsewhere", "ftp://127.0.0.1/x", "no address"),
        ("elsewhere", "http://user:word@127.0.0.1/x", "no address"),
        ("elsewhere", "http://[::1", "no address"),
        ("elsewhere", "//[::1", "no address"),
    ],
)
def test_a_wrong_or_changed_file_is_refused(hub: Hub, trouble: str, value: object, message: str) -> None:
    source = weights()
    setattr(hub.trouble, trouble, value)

    def read() -> None:
        source.read_at(0, 10)
        source.read_at(2_000_000, 10)  # some are seen at the second answer only

    with pytest.raises(InputError, match=message) as caught:
        read()
    assert caught.value.hint
    sent = [request.sent for request in hub.of("cdn") if request.status == 206]
    assert sum(sent) <= (5_000_000 if trouble == "endless" else 2 * FIRST_BYTES)  # of what never ends, sockets hold some
    assert len(sent) <= 2


def test_a_length_that_is_not_kept_is_an_error(hub: Hub) -> None:
    hub.trouble.wrong_length = True
    with pytest.raises(InputError, match="announces another number of bytes"):
        weights().read_at(0, 10)


def test_a_server_that_ignores_ranges_is_not_read_to_the_end(hub: Hub) -> None:
    hub.trouble.plain = True
    with pytest.raises(InputError, match="ignores Range"):
        weights().read_at(0, 10)
    assert hub.bytes_sent() < SIZE
    assert weights("small.json").read_at(0, 8).tobytes() == b'{"a": 1}'  # all of it was asked for


@pytest.mark.parametrize(
    ("trouble", "value", "message"),
    [("gated", True, "gated"), ("token", "hf_other", "not for everybody")],
)
def test_what_is_not_for_everybody_is_not_found(hub: Hub, trouble: str, value: object, message: str) -> None:
    setattr(hub.trouble, trouble, value)
    with pytest.raises(NotFoundError, match=message) as caught:
        weights()
    assert "HF_TOKEN" in caught.value.hint
    assert len(hub.requests) == 1


def test_errors_are_of_the_one_tree(hub: Hub) -> None:
    for name in (Name("org/none"), Name("org/model", "v9"), Name("org/model", "", "none.bin")):
        with pytest.raises(TensorGuardError) as caught:
            open_repository(name)
        assert caught.value.exit_code == 4


class Heard:
    """A listener that writes down what it hears."""

    def __init__(self) -> None:
        self.events: list[tuple[object, ...]] = []

    def start(self, task: str, total: int, unit: str) -> None:
        self.events.append(("start", total, unit))

    def advance(self, task: str, amount: int) -> None:
        self.events.append(("advance", amount))

    def finish(self, task: str) -> None:
        self.events.append(("finish",))

    def event(self, name: str, **facts: object) -> None:
        self.events.append(("event", name))


def test_bytes_are_counted_and_told(hub: Hub) -> None:
    source, heard = weights(), Heard()
    TRAFFIC.reset()
    with TRAFFIC.heard_by(heard):
        source.read_at(1_000_000, 1_000_000)
    assert (heard.events[0], heard.events[-1]) == (("start", 0, "bytes"), ("finish",))
    assert sum(int(str(event[1])) for event in heard.events if event[0] == "advance") == 1_000_000
    assert (TRAFFIC.read, TRAFFIC.offered) == (1_000_000, SIZE)
    with TRAFFIC.heard_by(silent := Heard()):
        source.read_at(1_500_000, 0)
    assert not silent.events
