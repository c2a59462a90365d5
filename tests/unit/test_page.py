"""The HTML page: self-contained, one script of our own, everything untrusted escaped."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest

from tensorguard.reports.charts import Bar, Bars, Checklist, Edge, Graph, Headline, Heatmap, Item, Measure, Node, Panel
from tensorguard.reports.document import Document, Picture, Table, to_json
from tensorguard.reports.figures.base import drawing, new_figure
from tensorguard.reports.page import to_html

EVIL = "<script>alert(1)</script><img src=http://x.example/a.png onerror=alert(1)>'\"&amp;</pre></style>\x1b[31m\u202e"
VOID = {"meta", "br", "img", "link", "hr", "input"}


class Page(HTMLParser):
    """Collects elements, attributes and text, and checks that elements close."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.text = ""
        self.comments = ""
        self.scripts: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] == ["script"]:
            self.scripts.append(data)
        else:
            self.text += data

    def handle_comment(self, data: str) -> None:
        self.comments += data


@drawing
def _drawn() -> object:
    figure = new_figure(2, 2)
    axes = figure.add_subplot()
    axes.set_title(EVIL[:40])
    axes.plot([0, 1], [0, 1], label=EVIL[:20])
    axes.legend()
    return figure


FACTS = ((EVIL, EVIL),)
CHARTS = (
    Heatmap(
        "map", EVIL, EVIL, EVIL, EVIL, (EVIL,), (EVIL, EVIL), [Panel(EVIL, [[0.5, None]], [(0, 0)], [(0, 1)])], EVIL, EVIL, EVIL
    ),
    Bars("bars", EVIL, EVIL, [Measure(EVIL, 1.0, 0.1, EVIL)], [Bar(EVIL, [0.2], [EVIL], "bad", EVIL, FACTS)]),
    Graph("graph", EVIL, EVIL, [Node(EVIL, "clear", EVIL, FACTS), Node(EVIL, "subject")], [Edge(0, 1, EVIL)]),
    Checklist("list", EVIL, EVIL, [Item(EVIL, "shared", EVIL, FACTS)]),
)


def document() -> Document:
    return Document(
        kind="compare",
        title=EVIL,
        summary=EVIL,
        result={EVIL: [EVIL, 1.5, None]},
        settings={"a": EVIL},
        inputs=[{"model": EVIL}],
        skipped=[{"name": EVIL, "reason": EVIL}],
        notices=[EVIL],
        tables=[Table(EVIL, (EVIL, "number"), [[EVIL, 1234567], [None, 0.00012345]], EVIL)],
        pictures=[Picture("picture", EVIL, _drawn), Picture("map", "not drawn", _drawn)],
        headline=Headline(EVIL, "linked", FACTS),
        charts=CHARTS,
    )


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(to_html(document()))


def test_nothing_that_runs_but_our_own_script(page: Page) -> None:
    forbidden = {"img", "iframe", "object", "embed", "link", "base", "form", "a", "foreignobject", "animate", "set"}
    assert forbidden.isdisjoint(page.tags)
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    assert page.tags.count("style") >= 1
    assert page.tags.count("script") == len(page.scripts) == 2
    assert [(name, value) for tag, name, value in page.attributes if tag == "script"] == [
        ("type", "application/json"),
        ("id", "charts"),
    ]


def test_the_data_of_charts_is_json_that_cannot_end_its_element(page: Page) -> None:
    text = page.scripts[0]
    assert not set("<>&\u2028\u2029") & set(text)
    found = json.loads(text)
    assert [each["kind"] for each in found] == ["heatmap", "bars", "graph", "checklist"]
    assert found[0]["panels"][0]["values"] == [[500, None]]
    assert found[0]["rows"][0].startswith("<script>alert(1)</script>")
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e]", "".join(found[0]["rows"]))


def test_a_picture_that_a_chart_shows_is_not_drawn_again(page: Page) -> None:
    assert "not drawn" not in page.text


def test_nothing_is_fetched(page: Page) -> None:
    for _, name, value in page.attributes:
        if name in ("src", "href", "xlink:href", "action", "data", "poster", "srcset"):
            assert value
            assert value.startswith(("#", "data:"))
    text = to_html(document())
    assert all(target.startswith("#") for target in re.findall(r"url\(['\"]?([^)]*)\)", text))
    assert "@import" not in text


def test_the_policy_forbids_what_is_not_there(page: Page) -> None:
    policies = [
        value for tag, name, value in page.attributes if tag == "meta" and name == "content" and value and "src" in value
    ]
    assert len(policies) == 1
    digest = base64.b64encode(hashlib.sha256(page.scripts[1].encode()).digest()).decode()
    assert policies[0].startswith(f"default-src 'none'; script-src 'sha256-{digest}'; style-src")
    assert page.tags.index("meta") < page.tags.index("title") < page.tags.index("style")


def test_every_untrusted_string_is_shown_as_text(page: Page) -> None:
    shown = "alert(1)</script>"
    places = 40
    assert page.text.count(shown) >= places, "title, heading, answer, charts, caption, table, cell, note, list items, JSON"
    assert "<img src=http" in page.text
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", page.text + page.comments)


def test_numbers_are_readable(page: Page) -> None:
    assert "1,234,567" in page.text
    assert "0.0001234" in page.text


def test_equal_documents_give_equal_pages() -> None:
    assert to_html(document()) == to_html(document())
    assert to_json(document()) == to_json(document())


def test_a_long_report_and_a_picture_of_many_points_keep_the_page_short() -> None:
    result = {"values": list(range(100_000))}
    long = Document("compare", "t", "s", result, pictures=[Picture("points", "Many <points>", _points)])
    text = to_html(long)
    assert len(text) < 600_000
    assert hashlib.sha256(to_json(long).encode()).hexdigest() in text
    assert "99999" not in text
    found = Page(text)
    (image,) = (value for tag, name, value in found.attributes if (tag, name) == ("img", "src"))
    assert base64.b64decode((image or "").removeprefix("data:image/png;base64,")).startswith(b"\x89PNG")
    assert ("img", "alt", "Many <points>") in found.attributes


@drawing
def _points() -> object:
    figure = new_figure(3, 3)
    figure.add_subplot().scatter(range(9000), range(9000))
    return figure
