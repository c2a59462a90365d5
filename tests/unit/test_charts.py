"""Where charts stand on the page, and what a scan's charts say."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.audits import checked, fine_tune, merge, pruned, renamed, stranger
from support.lineages import pair
from tensorguard.licences.claims import Claim
from tensorguard.reports.charts import Bars, Checklist, Edge, Graph, Heatmap, Node, Panel
from tensorguard.reports.charts_drawn import drawn, harmless, scale
from tensorguard.reports.figures.base import to_png, to_svg
from tensorguard.reports.graph_layout import placed
from tensorguard.reports.lineage_charts import headline as answer
from tensorguard.reports.lineage_charts import layer_map
from tensorguard.reports.scan_charts import charts, headline
from tensorguard.reports.scan_pictures import pictures

edges = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=20)


@given(edges)
def test_every_model_stands_once_below_its_ancestors(links: list[tuple[int, int]]) -> None:
    graph = Graph("g", "", "", [Node(str(at), "clear") for at in range(8)], [Edge(a, b, "") for a, b in links])
    found = placed(graph)
    assert sorted(index for index, *_ in found.nodes) == list(range(8))
    assert len({y for *_, y in found.nodes}) == 8
    assert len(found.edges) == len(links)
    assert all(0 < x <= found.width and 0 < y < found.height for _, _, x, y in found.nodes)
    acyclic = all(a < b for a, b in links)
    if acyclic:
        place = {index: (x, y) for index, _, x, y in found.nodes}
        assert all(place[a][0] < place[b][0] and place[a][1] < place[b][1] for a, b in links)


numbers = st.one_of(st.none(), st.floats(-2, 3))


@given(st.integers(1, 30).flatmap(lambda n: st.lists(st.lists(numbers, min_size=n, max_size=n), min_size=1, max_size=30)))
def test_each_number_of_a_map_is_one_cell_of_its_colour(values: list[list[float | None]]) -> None:
    labels = [str(at) for at in range(max(len(values), len(values[0])))]
    heat = Heatmap("h", "", "", "", "", labels[: len(values)], labels[: len(values[0])], [Panel("p", values)], "")
    (found,) = drawn([heat])
    cells = {}
    for colour, outline in found["panels"][0]["levels"]:
        for x, y, run in re.findall(r"M(\d+) (\d+)h(\d+)v1h-\3z", outline):
            for column in range(int(x), int(x) + int(run)):
                assert (int(y), column) not in cells
                cells[int(y), column] = colour
    colours = scale()
    expected = {
        (row, column): colours[round(min(max(value, 0.0), 1.0) * (len(colours) - 1))]
        for row, each in enumerate(values)
        for column, value in enumerate(each)
        if value is not None
    }
    assert cells == expected


def test_the_scale_is_viridis() -> None:
    from matplotlib import colormaps

    for at, colour in enumerate(scale()):
        measured = [int(colour[start : start + 2], 16) for start in (1, 3, 5)]
        wanted = [255 * each for each in colormaps["viridis"](at / (len(scale()) - 1))[:3]]
        assert max(abs(a - b) for a, b in zip(measured, wanted, strict=True)) <= 1


@given(st.text())
def test_data_of_charts_loses_nothing(text: str) -> None:
    import msgspec

    quoted = harmless(msgspec.json.encode(text).decode())
    assert msgspec.json.decode(quoted) == text
    assert not set("<>&\u2028\u2029") & set(quoted)


def test_the_answer_in_a_word() -> None:
    assert answer(pair("derived").lineage).word == "derived"
    assert answer(pair("inconclusive", evidence=None, how="none", effect=None).lineage).tone == "unknown"
    assert headline(stranger()).word == "no relative found"
    assert headline(stranger()).tone == "clear"
    assert dict(headline(fine_tune()).facts)["closest relative"] == "llama-3.1-8b"
    assert "p < 1e-" in dict(headline(fine_tune()).facts)["how sure"]
    found = headline(checked(fine_tune(), Claim("base_model", "x", "README.md")))
    assert (found.word, found.tone) == ("claims contradicted", "bad")
    assert dict(found.facts)["weights show"] == "derived"


def test_a_known_model_that_was_made_from_this_one_is_called_so() -> None:
    audit = fine_tune()
    best = audit.scan.best
    assert best is not None
    child = replace(best, lineage=replace(best.lineage, direction="second from first"))
    audit = replace(audit, scan=replace(audit.scan, relatives=(child,)))
    assert headline(audit).word == "origin of a known model"
    found = {chart.name: chart for chart in charts(audit)}
    bars, family = found["relatives"], found["family"]
    assert isinstance(bars, Bars)
    assert isinstance(family, Graph)
    assert bars.bars[0].tag == "derives from this model"
    (edge,) = (edge for edge in family.edges if edge.measured)
    assert (family.nodes[edge.parent].label, family.nodes[edge.child].label) == ("child", "llama-3.1-8b")


def test_no_line_passes_through_a_model_that_it_does_not_join() -> None:
    graph = Graph("g", "", "", [Node(each, "clear") for each in "abc"], [Edge(0, 2, ""), Edge(1, 2, "")])
    found = placed(graph)
    assert [index for index, *_ in found.nodes] == [0, 1, 2]
    assert "C" in found.edges[0][2]


def test_the_charts_of_a_scan() -> None:
    audit = pruned()
    found = {chart.name: chart for chart in charts(audit)}
    assert list(found) == ["relatives", "evidence", "components", "family", "obligations"]
    bars, heat, duties = found["relatives"], found["evidence"], found["obligations"]
    assert isinstance(bars, Bars)
    assert isinstance(heat, Heatmap)
    assert isinstance(duties, Checklist)
    assert [bar.label for bar in bars.bars] == ["llama-3.1-8b", "stranger"]
    assert [bar.tone for bar in bars.bars] == ["linked", "clear"]
    assert (len(heat.rows), len(heat.columns)) == (2, 4)
    assert heat.panels[0].marks == ((0, 0), (1, 3))
    asked = {(each.licence, each.duty.id) for each in audit.obligations if each.duty}
    assert len(duties.items) == len(asked) > 3
    assert [chart.name for chart in charts(stranger())] == ["relatives", "evidence"]


def test_the_family_of_a_merge_has_both_parents_above() -> None:
    (family,) = (chart for chart in charts(merge()) if isinstance(chart, Graph))
    names = [node.label for node in family.nodes]
    measured = {names[edge.parent]: edge for edge in family.edges if edge.measured}
    assert set(measured) == {"one", "two"}
    assert all(names[edge.child] == "child" and edge.directed for edge in measured.values())
    assert "weight 0.60" in measured["two"].note


def test_a_pair_without_sketches_has_no_map() -> None:
    assert layer_map("a", "b", pair("inconclusive", evidence=None).lineage) == []


@pytest.mark.parametrize("text", ["$x^{2$", "</text><script>alert(1)</script>", "\u202emodel\x1b", "x" * 400])
def test_the_picture_of_hostile_names(text: str) -> None:
    (picture,) = pictures(renamed(merge(), text))
    svg = to_svg(picture.draw())
    assert "<script" not in svg
    assert to_svg(picture.draw()) == svg
    assert to_png(picture.draw())[:4] == b"\x89PNG"
