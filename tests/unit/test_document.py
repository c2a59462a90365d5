"""Documents as JSON and as text: nothing lost, nothing raw, the same every time."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorguard.reports.document import Document, Table, number, to_json
from tensorguard.reports.terminal import plain

CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]")
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(
    st.dictionaries(
        texts, st.one_of(texts, st.integers(-(2**53), 2**53), st.none(), st.floats(allow_nan=False, allow_infinity=False))
    )
)
def test_json_loses_nothing_and_holds_no_control_character(result: dict[str, object]) -> None:
    text = to_json(Document("compare", "t", "s", result))
    assert json.loads(text)["result"] == result
    assert not CONTROLS.search(text)
    assert text == to_json(Document("compare", "t", "s", dict(reversed(result.items()))))


@given(st.lists(st.lists(st.one_of(texts, st.integers(), st.none()), min_size=3, max_size=3), max_size=4), st.integers(20, 200))
def test_text_holds_no_control_character_and_fits(rows: list[list[str | int | None]], width: int) -> None:
    table = Table("\x1b[1m", ("a\x07", "b", "c"), rows, "[bold]note[/bold]")
    text = plain(Document("compare", "t", "su\x9bmmary", {}, tables=[table]), width)
    assert not CONTROLS.search(text)


@pytest.mark.parametrize("width", [20, 30, 50, 100])
def test_a_wide_table_comes_in_pieces_that_begin_with_its_first_column(width: int) -> None:
    columns = tuple(f"heading{letter}" for letter in "abcdefgh")
    rows = [[f"row{row}", *range(row, row + 7)] for row in range(3)]
    text = plain(Document("compare", "t", "s", {}, tables=[Table("Title", columns, rows)]), width)
    assert all(text.count(heading) == 1 for heading in columns[1:])
    pieces = text.count("headinga")
    assert pieces == text.count("row0") == text.count("row2")
    assert (pieces == 1) == (width == 100)
    assert text.count("Title") == 1
    assert max(map(len, text.splitlines())) <= width


def test_a_name_too_wide_for_its_column_is_broken_where_its_parts_meet() -> None:
    rows = [["sentence-transformers/all-MiniLM-L6-v2", "MiniLM, a family of models", "x" * 40], ["a-fine-tuned one", "b", "c"]]
    text = plain(Document("compare", "t", "s", {}, tables=[Table("", ("name", "family", "rest"), rows)]), 60)
    lines = [line[:18].rstrip() for line in text.splitlines()]
    assert [line for line in lines if line.startswith(("sent", "trans", "all", "Mini", "L6"))] == [
        "sentence-",
        "transformers/all-",
        "MiniLM-L6-v2",
    ]
    assert "".join(text.split()).count("x") == 40
    assert max(map(len, text.splitlines())) <= 60


def test_numbers() -> None:
    assert [number(value) for value in (0, 1234567, 0.000012345, 12.3456, -1.0)] == [
        "0",
        "1,234,567",
        "1.234e-05",
        "12.35",
        "-1",
    ]
