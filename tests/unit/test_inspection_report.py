"""How an inspection is shown: a page that a newcomer understands, at any width, whatever the names in the file."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.adapters import write_adapter
from support.checkpoints import llama, save
from tensorguard.api.inspecting import inspect
from tensorguard.reports.document import Document
from tensorguard.reports.figures.base import to_png, to_svg
from tensorguard.reports.inspection import report
from tensorguard.reports.sizes import bar, megabytes, numbers, share, short, size
from tensorguard.reports.terminal import plain


def document(folder: Path) -> Document:
    looked = inspect(folder)
    return report(looked.location, looked.notices, looked.found)


def facts(shown: Document) -> dict[str, str]:
    return {str(what): str(value) for what, value in shown.tables[0].rows}


def test_the_first_table_answers_what_is_asked_first(tmp_path: Path) -> None:
    tensors = llama()
    told = facts(document(save(tmp_path / "m", tensors)))
    assert told["architecture"] == "llama: its names fit all 39 tensors"
    assert told["shape"] == "4 blocks, width 32, feed-forward 48, vocabulary 96"
    assert told["attention"] == "4 heads of 8, 2 of keys and values"
    assert told["parameters"] == f"{sum(array.size for array in tensors.values()):,}"
    assert told["stored as"] == "F32 100 %"
    assert told["understood"] == "100 % of the bytes of its tensors"
    assert told["a comparison reads"].startswith(f"in full {size(4 * sum(array.size for array in tensors.values()))} (100 %)")
    assert "read to tell this" not in told


def test_names_that_say_nothing_are_said_to(tmp_path: Path) -> None:
    scrambled = {f"w.{number}": array for number, array in enumerate(llama().values())}
    told = facts(document(save(tmp_path / "m", scrambled)))
    assert "no table of names fits" in told["architecture"]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_is_wider_than_the_terminal(tmp_path: Path, width: int) -> None:
    shown = document(save(tmp_path / "m", llama()))
    text = plain(shown, width)
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    for table in shown.tables:
        assert all(str(word) in text for row in table.rows for word in row[:1] for word in str(word).split()[:1])


def test_pictures_are_drawn_the_same_every_time(tmp_path: Path) -> None:
    (picture,) = document(save(tmp_path / "m", llama(blocks=40))).pictures
    assert to_png(picture.draw()) == to_png(picture.draw())
    drawn = to_svg(picture.draw())
    assert drawn.startswith("<svg")
    assert len(drawn) < 250_000


def test_what_cannot_be_decoded_is_warned_of(tmp_path: Path) -> None:
    header = {
        f"model.layers.{i}.mlp.{name}_proj.weight": {
            "dtype": "F4",
            "shape": [32, 32],
            "data_offsets": [512 * (3 * i + j), 512 * (3 * i + j + 1)],
        }
        for i in range(4)
        for j, name in enumerate(("gate", "up", "down"))
    }
    raw = json.dumps(header).encode()
    (tmp_path / "m.safetensors").write_bytes(len(raw).to_bytes(8, "little") + raw + bytes(512 * 12))
    looked = inspect(tmp_path / "m.safetensors")
    assert any("cannot be decoded" in notice for notice in report(looked.location, looked.notices, looked.found).notices)


def test_an_adapter_has_no_picture_and_says_what_to_do(tmp_path: Path) -> None:
    shown = document(write_adapter(tmp_path / "tuned", {"base_model_name_or_path": "evil\x1b[31m/base"}))
    assert shown.pictures == []
    assert facts(shown)["rank"] == "2"
    assert any("--base BASE" in notice for notice in shown.notices)
    assert "\x1b" not in plain(shown)


@given(st.integers(0, 10**15), st.integers(1, 10**15))
def test_a_bar_is_as_long_as_its_share(part: int, whole: int) -> None:
    part = min(part, whole)
    drawn = bar(part, whole)
    length = drawn.count("█") + (0.5 if drawn and drawn[-1] != "█" else 0)
    assert abs(length - 10 * part / whole) <= 0.6
    assert bool(drawn) == bool(part)
    assert share(part, whole) != "0 %" or part == 0
    assert share(part, whole) != "100 %" or part == whole


@pytest.mark.parametrize(
    ("bytes_", "shown"), [(0, "0 B"), (999, "999 B"), (1000, "1.00 kB"), (98_362_432, "98.4 MB"), (673_150_611_808, "673 GB")]
)
def test_sizes_have_three_digits(bytes_: int, shown: str) -> None:
    assert size(bytes_) == shown


def test_counts_and_runs() -> None:
    assert (short(134_515_008), short(670_099_740_160), short(512)) == ("135 M", "670 B", "512")
    assert (megabytes(0), megabytes(12_345), megabytes(673_150_611_808)) == (0, 0.0123, 673_151)
    assert numbers((0, 1, 2, 5, 7, 8)) == "0 to 2, 5, 7, 8"
    assert numbers(tuple(range(0, 40, 2))) == "0, 2, 4, 6, 8, 10, 12, 14 ..."
    assert numbers(()) == ""
