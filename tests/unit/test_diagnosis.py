"""What a machine's figures are measured from, forecast from, and what is said of them."""

import errno
import os
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from support.checkpoints import llama, save
from tensorguard.api.models import open_model
from tensorguard.diagnosis import disk, extras, machine, own, stores, work
from tensorguard.diagnosis.base import Blas, Card, Disk, Finding, Machine, Rate, Store, Work
from tensorguard.diagnosis.clock import Run, timed
from tensorguard.diagnosis.findings import findings
from tensorguard.diagnosis.forecast import SIZES, Size, forecast, size_of
from tensorguard.diagnosis.work import shares
from tensorguard.signals.products import NumpyProducts

MACHINE = Machine(
    "0", "3.13", "2.3", "Linux x86_64", "", "avx2", Blas("openblas", "0.3", "Haswell"), 4, 4, None, 32 * 10**9, 16 * 10**9, None
)
WORK = Work(
    copy=Rate(1e10, 2e10),
    hash=Rate(2e9, 8e9),
    decode=Rate(8e9, 2e10),
    product=Rate(6e10, 2.4e11),
    columns=104,
    sweep=Rate(4e8, 1.6e9),
    sixteen=Rate(4e8, 1.6e9),
    given=1.0,
)
DISK = Disk("models", "model", 10**9, 1e9, 5e9, 10**12, "")
NO_CARD = Card("", 0, "cpu", "torch is not installed")


def told(
    disk: Disk = DISK, card: Card = NO_CARD, stores: tuple[Store, ...] = (), work: Work = WORK, **machine: object
) -> dict[str, Finding]:
    found = forecast(SIZES[1], work.sweep, work.sixteen, disk, "product")
    said = findings(replace(MACHINE, **machine), work, shares(work), disk, card, found, stores)
    return {each.what: each for each in said}


def test_a_run_knows_its_rate_and_what_it_would_be_with_all_processors() -> None:
    run = Run(units=100, seconds=2, processing=1, workers=2)
    assert (run.rate, run.given, run.alone) == (50, 0.25, 200)
    assert Run(10, 1, 5, 2).given == 1


def test_items_are_taken_until_the_time_is_used_up_and_each_counts_once() -> None:
    seen = []

    def work(number: int) -> int:
        seen.append(number)
        return number

    run = timed(work, range(10), 2, 60)
    assert (run.units, sorted(seen), run.workers) == (45, list(range(10)), 2)
    assert timed(lambda _: 1, iter(int, 1), 1, 0).units >= 1


def test_parts_are_measured_in_their_own_units(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "_HELD", 2**23)
    found = work.measure(2, 0.2)
    rates = (found.copy, found.hash, found.decode, found.product, found.sweep, found.sixteen)
    assert all(1e6 < number < 1e14 for rate in rates for number in (rate.one, rate.all))
    assert 0 < found.given <= 1
    parts = work.shares(found)
    assert set(parts) == {"hash", "decoding", "product", "rest"}
    assert sum(parts.values()) == pytest.approx(1)
    assert list(parts.values()) == sorted(parts.values(), reverse=True)


def test_operations_of_a_tile_are_counted_right() -> None:
    reader, writer = work.tiles()
    for tile in (reader, writer):
        backward = 0 if tile.O is None else tile.O.shape[1]
        assert work.multiplied((tile,), NumpyProducts(), 0) == 2 * tile.W.size * (tile.X.shape[1] + backward)


def test_what_is_asked_of_made_up_weights_is_what_a_sweep_asks() -> None:
    numbers = np.zeros(work._HELD, np.uint16)
    asked = work.questions(numbers)
    names = [task.question.tensor.name for task in asked]
    assert names.count("gate") == 2 * names.count("down") > 0
    assert sum(work._answered(number, asked=asked, products=NumpyProducts()) for number in range(3)) <= 2 * work._HELD


def test_shares_are_of_one_thread_and_the_rest_is_what_is_left() -> None:
    parts = work.shares(WORK)
    whole = 1 / 4e8
    assert parts["product"] == pytest.approx(104 / 6e10 / whole)
    assert parts["hash"] == pytest.approx(1 / 2e9 / whole)
    assert parts["rest"] == pytest.approx(1 - 104 / 6e10 / whole - 1 / 2e9 / whole - 1 / 8e9 / whole)


@pytest.mark.parametrize(("place", "billions"), [(0, 1.2358), (1, 8.0303), (2, 70.554)])
def test_sizes_are_those_of_llama(place: int, billions: float) -> None:
    assert SIZES[place].parameters / 1e9 == pytest.approx(billions, rel=1e-4)
    assert SIZES[place].bytes == 2 * SIZES[place].parameters


def test_a_forecast_is_the_longer_of_reading_and_computing() -> None:
    size = Size("x", parameters=10**9, blocks=10, chosen=10**8, bytes=2 * 10**9)
    fast, slow = (forecast(size, Rate(1e9, 2e9), Rate(1e9, 2e9), replace(DISK, cold=speed), "hash") for speed in (1e10, 1e8))
    assert fast.warm == slow.warm == pytest.approx(1 + 0.1 + 1 + 0.1)
    assert (fast.cold, fast.bound) == (fast.warm, "hash")
    assert (slow.cold, slow.bound) == (pytest.approx(21), "disk")
    assert slow.rate == pytest.approx(2e9 / 21)
    unknown = forecast(size, Rate(1e9, 2e9), Rate(1e9, 2e9), replace(DISK, cold=None), "hash")
    assert (unknown.cold, unknown.bound) == (None, "hash")


def test_a_models_own_size_and_speed(tmp_path: Path) -> None:
    opened = open_model(save(tmp_path / "m", llama()))
    view = opened.view()
    size = size_of(opened.name, opened.tensors, view, 7)
    numbers = sum(array.size for array in llama().values())
    assert (size.name, size.parameters, size.blocks, size.bytes) == ("m", numbers, 4, 7)
    assert 0 < size.chosen < numbers
    found = own.measure(view.weights, 2, 0.05)
    assert found is not None
    assert found.all > 0
    assert own.measure([], 2, 0.05) is None


def test_a_file_of_the_folder_is_read_cold_and_warm(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "small").write_bytes(b"x" * 100)
    file = tmp_path / "inner" / "large"
    file.write_bytes(bytes(range(256)) * (disk._LEAST // 256))
    (tmp_path / "dangling").symlink_to("nowhere")
    found = disk.measure(tmp_path, 0.2, 2)
    assert (found.file, found.folder) == (str(file), str(tmp_path))
    assert found.warm
    assert found.cold or "could not be emptied" in found.notice
    assert 0 < found.bytes <= disk._LEAST
    assert disk.measure(file, 0.05, 1).file == str(file)


def test_files_that_say_nothing_are_passed_over(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(2**40)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "small").write_bytes(b"x")
    for place in (tmp_path, tmp_path / "sparse", tmp_path / "small"):
        assert disk._largest(place) is None


def test_a_file_is_made_and_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "_MADE", 2**22)
    found = disk.measure(tmp_path, 0.1, 2)
    assert (found.file, found.bytes) == ("", 2**22)
    assert found.warm
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES, errno.ENOSPC])
def test_a_folder_that_cannot_be_written_says_so(tmp_path: Path, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(disk.tempfile, "TemporaryFile", refuse)
    found = disk.measure(tmp_path, 0.1, 1)
    assert (found.cold, found.warm, found.bytes) == (None, None, 0)
    assert found.notice == f"not read: {os.strerror(code)}"
    assert told(found)["disk"].says == found.notice


def test_a_full_disk_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "_MADE", 2**60)
    assert "none could be made" in disk.measure(tmp_path, 0.1, 1).notice


def test_memory_that_stays_in_the_cache_has_no_cold_speed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "_MADE", 2**22)
    monkeypatch.setattr(disk, "_held", lambda *_: True)
    found = disk.measure(tmp_path, 0.1, 1)
    assert found.cold is None
    assert found.warm


def test_the_machine_is_described_within_its_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = machine.machine()
    assert 1 <= found.processors <= found.installed
    assert 0 < found.available <= found.memory
    assert found.blas.name
    monkeypatch.setattr(machine, "_GROUP", tmp_path)
    for name, text in {"cpu.max": "150000 100000\n", "memory.max": "1000000\n", "memory.current": "400000\n"}.items():
        (tmp_path / name).write_text(text)
    limited = machine.machine()
    assert (limited.quota, limited.limit, limited.available) == (1.5, 1_000_000, 600_000)
    for name in ("cpu.max", "memory.max"):
        (tmp_path / name).write_text("max 100000\n" if name == "cpu.max" else "max\n")
    assert (machine.machine().quota, machine.machine().limit) == (None, None)
    monkeypatch.setattr(machine, "_PROC", tmp_path / "none")
    assert machine.machine().available > 0


def test_what_bounds_it_comes_first() -> None:
    assert next(iter(told())) == "what it waits for"
    assert told()["what it waits for"].level == "good"
    assert "the disk: " in told()["what it waits for"].says
    fast = told(replace(DISK, cold=1e10))["what it waits for"]
    assert "most of all the matrix products" in fast.says
    assert "processors like these would keep up" in fast.change
    assert told(replace(DISK, cold=2e8))["what it waits for"].level == "slow"


def test_of_a_small_model_nothing_is_said_that_its_start_decides() -> None:
    size = replace(SIZES[0], parameters=10**6, chosen=10**5, blocks=2, bytes=2 * 10**6)
    found = forecast(size, WORK.sweep, WORK.sixteen, DISK, "product")
    first = findings(MACHINE, WORK, shares(WORK), DISK, NO_CARD, found, ())[0]
    assert "its own start" in first.says
    assert first.change == ""


@pytest.mark.parametrize(
    ("what", "says", "how"),
    [
        ("other work", "got 20% of the processors", {"work": replace(WORK, given=0.2)}),
        ("processors", "one only", {"processors": 1}),
        ("processors", "2 of 4 may be used", {"processors": 2, "work": replace(WORK, sweep=Rate(4e8, 8e8))}),
        ("processors", "may take the time of 1.5", {"quota": 1.5}),
        ("scaling", "4 processors do 1.5 times", {"work": replace(WORK, sweep=Rate(4e8, 6e8))}),
        ("matrix products", "kernels for Prescott, without AVX, and this processor has avx2", {"blas": Blas("openblas", "", "Prescott")}),
        ("matrix products", "5.0 GFLOP/s a processor", {"work": replace(WORK, product=Rate(5e9, 2e10))}),
        ("numpy", "1.26.4 brings an older BLAS", {"numpy": "1.26.4"}),
        ("memory", "0.50 GB can be taken", {"available": 5 * 10**8}),
        ("disk", "0.10 GB are free", {"disk": replace(DISK, free=10**8)}),
        ("registry", "no search index", {"stores": (Store("registry", "r", True, 1, "20,000 entries, no search index"),)}),
        ("card", "torch is not installed", {"card": Card("", 0, "cpu", "a card's driver is here, and torch is not installed")}),
    ],
)  # fmt: skip
def test_what_slows_it_down_is_said_with_what_to_do(what: str, says: str, how: dict[str, object]) -> None:
    found = told(**how)
    assert set(found) == {"what it waits for", what}
    assert says in found[what].says
    assert found[what].change
    assert found[what].level in ("slow", "missing")


def test_a_card_that_is_chosen_is_named() -> None:
    found = told(card=Card("Card", 10**10, "cuda", "the card is 5 times as fast as 4 processors", 1e9, 5e9, 3e9, 1e-7))
    assert found["card"].level == "good"
    assert "Card: the card is 5 times" in found["card"].says
    slower = told(card=Card("Card", 10**10, "cpu", "the card is 0.5 times as fast as 4 processors", 1e9, 5e8, 3e8, 1e-7))
    assert slower["card"].change == "stay with --device cpu"


def test_registries_and_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tensorguard.registry.registry import Registry

    none = stores.registry_store(tmp_path / "none" / "deep")
    assert (none.exists, none.says) == (False, "none yet")
    assert none.free
    assert stores.registry_store("s3://bucket/known").free is None
    Registry(tmp_path / "known", create=True).close()
    assert stores.registry_store(tmp_path / "known").says.startswith("0 entries, ")
    monkeypatch.setattr(stores, "LEAST", 0)
    assert "no search index" in stores.registry_store(tmp_path / "known").says
    (tmp_path / "known" / "registry.sqlite").write_bytes(b"no database" * 100)
    assert "cannot be read" in stores.registry_store(tmp_path / "known").says
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    assert stores.others()[0].says == "none yet"
    (tmp_path / "hub" / "models--a--b").mkdir(parents=True)
    assert stores.others()[0].says == "1 models"


def test_extras_are_those_of_the_distribution(monkeypatch: pytest.MonkeyPatch) -> None:
    class Installed:
        metadata = type("Names", (), {"get_all": staticmethod(lambda _: ["gpu", "strange", "test"])})
        requires = ("numpy>=1", "no-such-torch>=2; extra == 'gpu'", "numpy; extra == 'gpu'", 'no-such-thing ; extra=="strange"')

    real = extras.distribution
    monkeypatch.setattr(extras, "distribution", lambda name: Installed if name == extras.DISTRIBUTION else real(name))
    gpu, strange = extras.extras()
    assert (gpu.name, gpu.missing, gpu.adds) == ("gpu", ("no-such-torch",), extras.ADDS["gpu"])
    assert (strange.missing, strange.adds) == (("no-such-thing",), "see the documentation")
    monkeypatch.setattr(extras, "DISTRIBUTION", "no-such-distribution")
    monkeypatch.setattr(extras, "distribution", real)
    assert extras.extras() == ()


def test_every_extra_has_a_sentence_or_is_of_developers() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["name"] == extras.DISTRIBUTION
    assert sorted([*extras.ADDS, *extras.DEVELOPERS]) == sorted(project["optional-dependencies"])
