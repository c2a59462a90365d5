"""The page in a real browser where things are against it: hostile names, no scripts, a phone, the dark."""

import re
from dataclasses import replace

import pytest

from browser.conftest import Opener
from support.audits import checked, copy, fine_tune, merge, pruned, renamed, stranger
from tensorguard.licences.claims import Claim
from tensorguard.reports import check, scan
from tensorguard.reports.document import Document, Table
from tensorguard.reports.page import to_html

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script><!--<script>",
    "'\"><svg onload=alert(1)>{{7*7}}${alert(1)}",
    "\u202ereversed\u2066\u2028line\x1b[31m\x00",
    "x" * 600,
    "http://attacker.example/a.png url(http://attacker.example/b) @import 'c'",
)


def documents() -> dict[str, Document]:
    claim = Claim("base_model", "x", "README.md")
    return {
        "scan": scan.report(pruned()),
        "merge": scan.report(merge()),
        "copy": scan.report(copy()),
        "stranger": scan.report(stranger()),
        "check": check.report(checked(fine_tune(), claim)),
    }


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_do_nothing(opened: Opener, text: str) -> None:
    document = scan.report(renamed(merge(), text))
    table = Table(text, (text, "b"), [[text, each] for each in (3, None, text, *range(9))], text)
    found = opened(replace(document, title=text, notices=(text,), tables=(*document.tables, table)))
    page = found.page
    for button in page.locator(".lines button").all():
        button.click()
    for summary in page.locator(".bars summary").all():
        summary.click()
    page.locator(".map > svg >> visible=true").focus()
    page.keyboard.press("ArrowDown")
    page.get_by_label("Show rows with").last.fill("b")
    assert page.locator("body img, body script:not([type]) ~ script, body svg[onload]").count() == 0
    assert page.locator("script").count() == 2
    shown = page.evaluate("() => document.body.innerText")
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]", shown)
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    found.sound()


def test_the_policy_is_there_and_works(opened: Opener) -> None:
    found = opened(scan.report(pruned()))
    page = found.page
    policy = page.locator("meta[http-equiv=Content-Security-Policy]").get_attribute("content") or ""
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-inline" not in policy.split(";")[1]
    found.sound()
    page.evaluate(
        """() => {
            const script = document.createElement("script"); script.textContent = "window.broken = 1"; document.body.append(script);
            const image = document.createElement("img"); image.src = "http://attacker.example/a.png"; document.body.append(image);
            const button = document.createElement("b"); button.setAttribute("onclick", "window.broken = 1");
            document.body.append(button); button.click();
        }"""
    )
    blocked = page.evaluate("() => fetch('http://attacker.example/').then(() => 'let through', () => 'blocked')")
    assert blocked == "blocked"
    assert page.evaluate("() => window.broken") is None
    assert found.requests == []
    assert sum("Content Security Policy" in each for each in found.errors) >= 4


def test_a_changed_script_does_not_run(opened: Opener) -> None:
    text = to_html(scan.report(pruned()))
    found = opened(text.replace('"use strict";', '"use strict"; window.changed = 1;'))
    assert found.page.evaluate("() => window.changed") is None
    assert any("Content Security Policy" in each for each in found.errors)


def test_without_scripts_the_answer_and_the_pictures_stay(opened: Opener) -> None:
    document = scan.report(pruned())
    found = opened(document, java_script_enabled=False)
    page = found.page
    assert page.locator(".said").inner_text() == document.summary
    assert page.locator(".map > svg >> visible=true").locator(".cells path").count() > 1
    assert page.locator(".track i >> visible=true").count() >= 1
    assert page.locator("path.edge >> visible=true").count() >= 1
    page.locator("label", has_text="fixed basis").click()
    assert "fixed basis" in (page.locator(".map > svg >> visible=true").get_attribute("aria-label") or "")
    page.locator(".bars summary").first.click()
    assert page.get_by_text("meta/Llama-3.1-8B").first.is_visible()
    found.sound()


@pytest.mark.parametrize(
    ("name", "width"), [("scan", 360), ("merge", 360), ("copy", 360), ("stranger", 360), ("check", 360), ("check", 320)]
)
def test_no_page_is_wider_than_a_phone(opened: Opener, name: str, width: int) -> None:
    found = opened(documents()[name], width=width, has_touch=True)
    page = found.page
    for each in page.locator("details:not([open]) > summary").all():
        if each.is_visible():
            each.click()
    for each in page.locator(".lines button").all():
        each.tap()
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    outside = page.evaluate(
        """() => [...document.querySelectorAll("main *")].filter(each => !each.closest(".scroll, pre, svg, .choose, button")
            && each.getBoundingClientRect().right > innerWidth + 1).map(each => each.outerHTML.slice(0, 200))"""
    )
    assert outside == []
    found.sound()


def luminance(colour: str) -> float:
    channels = [int(each) / 255 for each in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (each / 12.92 if each <= 0.03928 else ((each + 0.055) / 1.055) ** 2.4 for each in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_by_day_and_by_night(opened: Opener, scheme: str) -> None:
    """WCAG 2.2, 1.4.3: a contrast of 4.5 at least."""
    found = opened(documents()["check"], color_scheme=scheme)
    seen = found.page.evaluate(
        """() => [...document.querySelectorAll(".word, .said, dt, dd, .note, .tag, .key, label, th, td, .read, li, h2, .count")]
            .filter(each => each.offsetParent)
            .map(each => {
                let at = each;
                while (getComputedStyle(at).backgroundColor === "rgba(0, 0, 0, 0)") at = at.parentElement;
                return [getComputedStyle(each).color, getComputedStyle(at).backgroundColor, each.className || each.tagName];
            })"""
    )
    assert len(seen) > 50
    for ink, paper, what in seen:
        bright, dim = sorted((luminance(ink), luminance(paper)), reverse=True)
        assert (bright + 0.05) / (dim + 0.05) >= 4.5, (what, ink, paper)
    body = luminance(found.page.evaluate("() => getComputedStyle(document.body).backgroundColor"))
    assert body < 0.05 if scheme == "dark" else body > 0.8


def test_everything_that_can_be_used_has_a_name_and_takes_the_focus(opened: Opener) -> None:
    page = opened(documents()["check"]).page
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("button, input, summary, [tabindex], svg[role]")].filter(each =>
            !(each.getAttribute("aria-label") || each.textContent.trim() || (each.labels && each.labels.length)))
            .map(each => each.outerHTML)"""
    )
    assert nameless == []
    assert page.locator("html").get_attribute("lang") == "en"
    identifiers = page.evaluate("() => [...document.querySelectorAll('[id]')].map(each => each.id)")
    assert len(identifiers) == len(set(identifiers))
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("() => document.activeElement.tagName.toLowerCase()"))
    assert {"summary", "input", "svg", "button"} <= reached
