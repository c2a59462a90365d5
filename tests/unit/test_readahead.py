"""Reading ahead announces what will be read, in order and not too far."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tensorguard.sources import readahead
from tensorguard.sources.local import LocalFile
from tensorguard.sources.prefetching import Span
from tensorguard.sources.readahead import read_ahead


class Watched(LocalFile):
    """A file that writes down what is announced."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.announced: list[tuple[int, int]] = []

    def announce(self, offset: int, length: int) -> None:
        super().announce(offset, length)
        self.announced.append((offset, length))


@pytest.fixture
def file(tmp_path: Path) -> Watched:
    path = tmp_path / "numbers"
    path.write_bytes(bytes(range(256)) * 16)
    return Watched(path)


def test_items_come_in_order_and_are_announced_ahead(file: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readahead, "AHEAD", 1024)
    ahead = []
    for number, item in enumerate(read_ahead(range(16), lambda item: Span(file, 256 * item, 256))):
        assert item == number
        ahead.append(len(file.announced) - number)
    assert file.announced == [(256 * item, 256) for item in range(16)]
    assert max(ahead) == 5  # the item itself and 1,024 bytes more


def test_what_lies_in_no_file_is_neither_announced_nor_held_back_for_ever(file: Watched) -> None:
    taken = []

    def items() -> Iterator[int]:
        for item in range(1000):
            taken.append(item)
            yield item

    walk = read_ahead(items(), lambda _: None)
    assert next(walk) == 0
    assert len(taken) < 1000
    assert list(walk) == list(range(1, 1000))
    assert file.announced == []


def test_announcing_beyond_the_end_or_of_a_lost_file_is_harmless(file: Watched) -> None:
    file.announce(0, 10**12)
    assert np.array_equal(file.read_at(0, 4), [0, 1, 2, 3])
    gone = Watched(file.path)
    file.path.unlink()
    gone.announce(0, 16)
