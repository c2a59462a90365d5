"""The HTML page: self-contained, without scripts, everything untrusted escaped."""

import re
from html.parser import HTMLParser

import pytest

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
        pictures=[Picture("picture", EVIL, _drawn)],
    )


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(to_html(document()))


def test_no_script_and_nothing_that_runs(page: Page) -> None:
    forbidden = {"script", "img", "iframe", "object", "embed", "link", "base", "form", "a", "foreignobject", "animate", "set"}
    assert forbidden.isdisjoint(page.tags)
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    assert page.tags.count("style") >= 1


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
    assert policies[0].startswith("default-src 'none';")
    assert "script" not in policies[0]
    assert page.tags.index("meta") < page.tags.index("title") < page.tags.index("style")


def test_every_untrusted_string_is_shown_as_text(page: Page) -> None:
    shown = "alert(1)</script>"
    places = 11
    assert page.text.count(shown) >= places, "title, heading, answer, caption, table, cell, note, list items, JSON"
    assert "<img src=http" in page.text
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", page.text + page.comments)


def test_numbers_are_readable(page: Page) -> None:
    assert "1,234,567" in page.text
    assert "0.0001234" in page.text


def test_equal_documents_give_equal_pages() -> None:
    assert to_html(document()) == to_html(document())
    assert to_json(document()) == to_json(document())
