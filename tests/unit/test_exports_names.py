"""Names chosen to break exported documents do nothing: the documents stay valid, of the same shape, and harmless to look at."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from support import audits
from support.validation import check_cyclonedx, check_sarif, check_spdx
from tensorguard.errors import quote
from tensorguard.reports.cyclonedx import to_cyclonedx
from tensorguard.reports.model_card import to_card
from tensorguard.reports.plain import LONGEST, plain
from tensorguard.reports.sarif import to_sarif
from tensorguard.reports.spdx import to_spdx

NASTY = (
    "\x1b[2J\x1b]0;owned\x07",
    "gnp\u202etxt.exe\u2066\u200b",
    "]]><script>alert(1)</script><![CDATA[",
    '"}],"x":[{"',
    '=HYPERLINK("http://evil")\r\n+1\t-1 @SUM(A1)',
    "[click](javascript:alert(1)) {0} {1} ![x](http://evil) <http://evil> www.evil.example",
    "`` ` ``` </code> **b** | # h\n\n# heading\n---\nbase_model: evil\n...\n!!python/object:os.system",
    "\\u0000\x00\\",
    "../../etc/passwd",
    "lone \ud800 surrogate",
    "no",
    "1.10",
    "",
    "   ",
    "é漢字😀",
    "x" * 9000,
)
HOSTILE = st.one_of(st.sampled_from(NASTY), st.text(max_size=60), st.text("`[](){}<>!\\'\"=\n\r\0\u202e:#-/", max_size=40))


def texts(tree: Any) -> Iterator[str]:
    if isinstance(tree, str):
        yield tree
    elif isinstance(tree, dict):
        for key, value in tree.items():
            assert key.isprintable()
            yield from texts(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from texts(value)


def shape(tree: Any) -> Any:
    """The kinds of values, with lists that hold as many."""
    if isinstance(tree, dict):
        return {key: shape(value) for key, value in tree.items()}
    return [shape(value) for value in tree] if isinstance(tree, list) else type(tree).__name__


def harmless(text: str) -> None:
    assert text.isascii()
    assert text.replace("\n", "").isprintable()
    for each in texts(json.loads(text)):
        assert each.isprintable()
        assert len(each) <= 3 * LONGEST


@given(HOSTILE)
@settings(deadline=None, max_examples=60)
def test_sarif(text: str) -> None:
    made = to_sarif(audits.renamed(audits.pruned(), text))
    log = check_sarif(made)
    harmless(made)
    for result in log["runs"][0]["results"]:
        assert not re.search(r"\]\(|\{\d", result["message"]["text"])
    kinds = [each["kind"] for each in log["runs"][0]["results"]]
    assert kinds == ["fail"] * 2 + ["review"] * (len(audits.pruned().obligations) + 1) + ["informational"] * 2


@given(HOSTILE)
@settings(deadline=None, max_examples=60)
def test_cyclonedx(text: str) -> None:
    made = to_cyclonedx(audits.renamed(audits.merge(), text))
    component = check_cyclonedx(made)["metadata"]["component"]
    harmless(made)
    assert component["name"] == plain(text)
    assert len(component["pedigree"]["ancestors"]) == 2


@given(HOSTILE)
@settings(deadline=None, max_examples=60)
def test_spdx(text: str) -> None:
    made = to_spdx(audits.renamed(audits.merge(), text))
    document = check_spdx(made)
    harmless(made)
    kinds = [each["type"] for each in document["@graph"]]
    assert (kinds.count("ai_AIPackage"), kinds.count("SpdxDocument")) == (3, 1)
    assert all(
        each["name"] == (plain(text) or "unnamed") for each in document["@graph"] if each.get("spdxId", "").endswith("#model")
    )


@given(HOSTILE.filter(bool))
@example("` `` ```")
@example("--")
@settings(deadline=None, max_examples=150)
def test_card(text: str) -> None:
    made = to_card(audits.renamed(audits.fine_tune(), text))
    front, section = parts(made)
    found = yaml.safe_load(front)
    assert found["base_model"] == plain(f"{text}/{text}")
    assert found.keys() <= {"base_model", "base_model_relation", "license", "license_name", "license_link"}
    assert all(type(each) is str for each in found.values())
    assert marks(section) == marks(parts(to_card(audits.renamed(audits.fine_tune(), "name")))[1])


def parts(card: str) -> tuple[str, str]:
    front, _, section = card.removeprefix("---\n").partition("\n---\n")
    return front, section


def marks(section: str) -> list[str]:
    """What Markdown makes of a section: the kinds of its tokens, and where its links lead."""
    parsed = MarkdownIt("gfm-like", {"linkify": False}).parse(section)
    return [f"{token.type} {token.attrGet('href') or ''}" for block in parsed for token in (block, *(block.children or ()))]


@pytest.mark.parametrize("text", NASTY)
def test_plain_text_shows_what_it_hides_and_is_the_same_twice(text: str) -> None:
    shown = plain(text)
    assert shown.isprintable()
    assert plain(shown) == shown
    assert shown == quote(text, LONGEST)[1:-1]
