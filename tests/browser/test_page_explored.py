"""The page of a scan in a real browser: drawn, explored by pointer, finger and keys, sorted, ticked."""

import json
from dataclasses import replace

import pytest

from browser.conftest import Opener
from support.audits import checked, copy, fine_tune, merge, pruned, stranger
from tensorguard.licences.claims import Claim
from tensorguard.reports import check, comparison, scan
from tensorguard.reports.document import Document, Table

AUDITS = {"fine-tune": fine_tune, "pruned": pruned, "copy": copy, "stranger": stranger, "merge": merge}


@pytest.mark.parametrize("name", AUDITS)
def test_every_scan_is_drawn_without_errors_or_requests(opened: Opener, name: str) -> None:
    audit = AUDITS[name]()
    found = opened(scan.report(audit))
    page = found.page
    compared = len(audit.scan.relatives) + len(audit.scan.others)
    assert page.locator(".bars").first.locator("details").count() == compared
    assert page.locator(".word").inner_text()
    assert page.locator(".map > svg >> visible=true").count() == 1
    if audit.scan.relatives:
        assert page.locator(".lines button").count() >= 1 + len(audit.scan.relatives)
        assert page.locator("path[data-edge]").count() >= len(audit.scan.relatives)
    assert found.path.stat().st_size < 1_000_000
    found.sound()


def test_the_map_has_a_cell_for_every_two_blocks(opened: Opener) -> None:
    audit = pruned()
    best = audit.scan.best
    assert best is not None
    assert best.lineage.evidence is not None
    values = next(iter(best.lineage.evidence.similarity.values()))
    page = opened(scan.report(audit)).page
    covered = page.evaluate(
        """() => [...document.querySelectorAll(".map > svg")].map(svg =>
            [...svg.querySelectorAll(".cells path")].flatMap(each => [...each.getAttribute("d").matchAll(/h(\\d+)v1/g)])
            .reduce((sum, found) => sum + Number(found[1]), 0))"""
    )
    assert set(covered) == {len(values) * len(values[0])}
    data = json.loads(page.locator("#charts").text_content() or "")
    drawn = next(each for each in data if each["kind"] == "heatmap")
    best_basis = max(best.lineage.evidence.excess, key=lambda basis: best.lineage.evidence.excess[basis])
    measured = best.lineage.evidence.similarity[best_basis]
    assert drawn["panels"][0]["values"] == [[round(1000 * value) for value in row] for row in measured]


def test_pointing_at_a_cell_tells_its_blocks_and_cosine(opened: Opener) -> None:
    audit = pruned()
    found = opened(scan.report(audit))
    page, best = found.page, audit.scan.best
    assert best is not None
    assert best.lineage.evidence is not None
    evidence = best.lineage.evidence
    values = evidence.similarity[max(evidence.similarity, key=lambda basis: evidence.excess[basis])]
    ground = page.locator(".map > svg >> visible=true").locator(".ground")
    ground.scroll_into_view_if_needed()
    box = ground.bounding_box()
    assert box is not None
    row, column = 1, len(values[0]) - 1
    x = box["x"] + (column + 0.5) * box["width"] / len(values[0])
    y = box["y"] + (row + 0.5) * box["height"] / len(values)
    page.mouse.move(x, y)
    read = page.locator(".map .read")
    assert f"{values[row][column]:.3f}" in read.inner_text()
    assert f"'child': {row}" in read.inner_text()
    assert f"'llama-3.1-8b': {column}" in read.inner_text()
    page.mouse.move(x, y + 3 * box["height"])
    assert "Point at a cell" in read.inner_text()
    page.mouse.click(x, y)
    page.mouse.move(x - box["width"] / 2, y)
    assert f"{values[row][column]:.3f}" in read.inner_text(), "held"
    found.sound()


def test_the_map_by_keys_and_by_basis(opened: Opener) -> None:
    found = opened(scan.report(pruned()))
    page = found.page
    choices = page.locator(".chart:has(.map) .choose")
    assert choices.count() > 1
    choices.first.focus()
    before = page.locator(".map > svg >> visible=true").get_attribute("aria-label")
    page.keyboard.press("ArrowRight")
    assert page.locator(".map > svg >> visible=true").get_attribute("aria-label") != before
    page.keyboard.press("Tab")
    read = page.locator(".map .read")
    assert "'child': 0" in read.inner_text()
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "ArrowLeft"):
        page.keyboard.press(key)
    assert "'child': 1" in read.inner_text()
    assert "'llama-3.1-8b': 1" in read.inner_text()
    page.keyboard.press("Escape")
    assert "Point at a cell" in read.inner_text()
    found.sound()


def test_relatives_open_and_change_their_measure(opened: Opener) -> None:
    found = opened(scan.report(pruned()))
    page = found.page
    bars = page.locator(".chart:has(.bars)").first
    assert not bars.get_by_text("Llama 3.1 Community").is_visible()
    bars.locator("summary").first.press("Enter")
    assert bars.get_by_text("meta/Llama-3.1-8B").is_visible()
    width = (
        "() => [...document.querySelectorAll('.bars')][0].querySelector('.track[data-n=\"1\"]').getBoundingClientRect().width"
    )
    assert page.evaluate(width) == 0
    bars.get_by_text("p-value", exact=True).click()
    assert page.evaluate(width) > 100
    found.sound()


def test_choosing_a_model_of_the_family_tells_its_links(opened: Opener) -> None:
    found = opened(scan.report(merge()))
    page = found.page
    page.get_by_role("button", name="child this model").click()
    read = page.locator(".family .read")
    assert "child of one" in read.inner_text()
    assert "weight 0.60" in read.inner_text()
    assert page.locator("path.edge.on").count() == 2
    page.keyboard.press("ArrowUp")
    assert "parent of child" in read.inner_text()
    assert page.locator('.lines [aria-pressed="true"]').count() == 1
    found.sound()


def test_obligations_are_ticked_and_stay_ticked(opened: Opener) -> None:
    found = opened(check.report(checked(fine_tune(), Claim("base_model", "x", "README.md"))))
    page = found.page
    assert page.locator(".word").inner_text() == "claims contradicted"
    duties = page.locator(".chart:has(.ticks)").last
    boxes = duties.get_by_role("checkbox")
    assert boxes.count() >= 3
    boxes.nth(1).check()
    assert duties.locator(".progress").inner_text().startswith(f"1 of {boxes.count()} ticked")
    page.reload()
    assert boxes.nth(1).is_checked()
    assert not boxes.first.is_checked()
    found.sound()


def test_tables_sort_by_value_and_filter(opened: Opener) -> None:
    rows = [[f"model {at}", value] for at, value in enumerate([10.0, 9, None, 1e-9, -2.5, 1234567, 0, 3, 4, 5])]
    found = opened(Document("compare", "t", "s", {}, tables=[Table("Numbers", ("model", "size"), rows)]))
    page = found.page
    cells = (
        "() => [...document.querySelectorAll('tbody tr')].filter(each => !each.hidden).map(each => each.cells[1].textContent)"
    )
    page.get_by_role("button", name="size").click()
    assert page.evaluate(cells) == ["-2.5", "0", "1e-09", "3", "4", "5", "9", "10", "1,234,567", "–"]
    page.get_by_role("button", name="size").press("Enter")
    assert page.evaluate(cells) == ["1,234,567", "10", "9", "5", "4", "3", "1e-09", "0", "-2.5", "–"]
    assert page.locator("th").nth(1).get_attribute("aria-sort") == "descending"
    page.get_by_role("button", name="model").click()
    assert page.locator("th[aria-sort]").count() == 1
    page.get_by_label("Show rows with").fill("MODEL 1E-09")
    assert page.evaluate(cells) == ["1e-09"]
    assert page.locator(".count").inner_text() == "1 of 10 rows"
    found.sound()


def test_many_models_as_a_map(opened: Opener) -> None:
    from support.lineages import pair

    pairs = [pair("derived", "a", "b"), pair("independent", "a", "c", effect=0.01), pair("inconclusive", "b", "c", effect=None)]
    found = opened(comparison.report(None, pairs))
    assert found.page.locator(".names li").all_inner_texts() == ["c", "a", "b"]
    found.page.locator(".map > svg").focus()
    for key in ("End", "PageUp"):
        found.page.keyboard.press(key)
    assert "not comparable" in found.page.locator(".map .read").inner_text()
    found.sound()


def test_paper_shows_everything(opened: Opener) -> None:
    document = replace(scan.report(pruned()), tables=[Table("Long", ("n",), [[at] for at in range(40)])])
    page = opened(document).page
    assert page.locator("details:not([open])").count() > 0
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert page.locator("details:not([open])").count() == 0
    assert page.locator(".map > svg >> visible=true").count() == page.locator(".map > svg").count()
    assert page.locator(".map .on-paper >> visible=true").count() == page.locator(".map > svg").count()
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details:not([open])").count() > 0
