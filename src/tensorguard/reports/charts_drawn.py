"""Charts as the page's template draws them: where everything stands, in numbers, and the data that its script explores.

Every text passes `printable_sentence` here, so that no control or bidirectional character reaches the page by either way.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from tensorguard.reports.charts import Bars, Chart, Checklist, Graph, Heatmap, Measure, Panel
from tensorguard.reports.graph_layout import placed
from tensorguard.reports.terminal import printable_sentence

_COLOURS = (
    "440154470d6048186a482374472e7c4538824241863e4a893a548c365d8d32658e2e6d8e2b758e287d8e25848e228c8d"
    "1f948c1e9c8920a38625ab822eb37c3aba7648c16e58c7656ccd5a7fd34e93d741a8db34c0df25d5e21aeae51afde725"
)
_SCALE = tuple(f"#{_COLOURS[at : at + 6]}" for at in range(0, len(_COLOURS), 6))
"""matplotlib's viridis in 32 levels: even to the eye, readable with any common colour blindness and in grey."""

_SIDE = 440.0
"""Length of a heat map's longer side."""
_CELL = (3.0, 40.0)
_LEFT, _TOP, _RIGHT, _BOTTOM = 44.0, 6.0, 6.0, 40.0
_TICKS = 12


def drawn(charts: Sequence[Chart]) -> list[dict[str, Any]]:
    """Return what the template draws, a mapping per chart with its `kind`."""
    return [_drawn(chart) for chart in charts]


def data(charts: Sequence[Chart]) -> str:
    """Return what the page's script explores as JSON text that can stand in a `<script>` element and ends none."""
    return harmless(msgspec.json.encode([_data(chart) for chart in charts], order="sorted").decode())


def harmless(text: str) -> str:
    """Return JSON text with every character escaped that HTML, or a line of a script, could take for its own."""
    return "".join(f"\\u{ord(each):04x}" if each in "<>&\u2028\u2029\x7f" else each for each in text)


def scale() -> tuple[str, ...]:
    """Return the colours of the heat map's scale, from 0 to 1."""
    return _SCALE


def _drawn(chart: Chart) -> dict[str, Any]:
    match chart:
        case Heatmap():
            return {"kind": "heatmap", "chart": chart, **_heatmap(chart)}
        case Bars():
            return {"kind": "bars", "chart": chart, **_bars(chart)}
        case Graph():
            return {"kind": "graph", "chart": chart, "layout": placed(chart)}
        case Checklist():
            return {"kind": "checklist", "chart": chart}


def _heatmap(chart: Heatmap) -> dict[str, Any]:
    rows, columns = len(chart.rows), len(chart.columns)
    cell = min(_CELL[1], max(_CELL[0], _SIDE / max(rows, columns, 1)))
    across, down = cell * columns, cell * rows
    return {
        "cell": cell,
        "width": round(_LEFT + max(across, 150.0) + _RIGHT, 2),
        "height": round(_TOP + down + _BOTTOM, 2),
        "left": _LEFT,
        "top": _TOP,
        "across": round(across, 2),
        "down": round(down, 2),
        "row_ticks": _ticks(_axis(chart, chart.rows), cell),
        "column_ticks": _ticks(_axis(chart, chart.columns), cell),
        "panels": [
            {"name": panel.name, "levels": _levels(panel), "path": _line(panel), "marks": panel.marks} for panel in chart.panels
        ],
    }


def _axis(chart: Heatmap, labels: Sequence[str]) -> Sequence[str]:
    return [str(at) for at in range(1, len(labels) + 1)] if chart.numbered else labels


def _ticks(labels: Sequence[str], cell: float) -> list[tuple[float, str]]:
    step = max(1, -(-len(labels) // _TICKS), math.ceil(16 / cell))
    return [(round((at + 0.5) * cell, 2), labels[at]) for at in range(0, len(labels), step)]


def _levels(panel: Panel) -> list[tuple[str, str]]:
    """Return a colour and an outline in cells for each level of the scale; neighbours of one level in a row are one piece."""
    outlines: dict[int, list[str]] = {}
    for at, row in enumerate(panel.values):
        for start, run, level in _runs(row):
            outlines.setdefault(level, []).append(f"M{start} {at}h{run}v1h-{run}z")
    return [(_SCALE[level], "".join(outlines[level])) for level in sorted(outlines)]


def _runs(row: Sequence[float | None]) -> Iterator[tuple[int, int, int]]:
    """Yield where a run of cells of one level starts, how long it is, and the level; cells without a number are left out."""
    levels = [None if each is None else round(min(max(each, 0.0), 1.0) * (len(_SCALE) - 1)) for each in row]
    start = 0
    while start < len(levels):
        stop, level = start + 1, levels[start]
        while stop < len(levels) and levels[stop] == level:
            stop += 1
        if level is not None:
            yield start, stop - start, level
        start = stop


def _line(panel: Panel) -> str:
    return " ".join(f"{column + 0.5:g},{row + 0.5:g}" for row, column in panel.path)


def _bars(chart: Bars) -> dict[str, Any]:
    return {
        "lines": [None if each.least is None else _percent(each.least, each) for each in chart.measures],
        "lengths": [
            [None if value is None else _percent(value, each) for value, each in zip(bar.values, chart.measures, strict=True)]
            for bar in chart.bars
        ],
    }


def _percent(value: float, measure: Measure) -> float:
    """Return how far along its scale a value lies, in percent."""
    shown = min(max(value, 0.0), measure.largest)
    share = math.log1p(shown) / math.log1p(measure.largest) if measure.logarithmic else shown / measure.largest
    return round(100.0 * share, 2)


def _data(chart: Chart) -> dict[str, Any]:
    match chart:
        case Heatmap():
            return {
                "kind": "heatmap",
                "row": printable_sentence(chart.row_title),
                "column": printable_sentence(chart.column_title),
                "rows": [printable_sentence(each) for each in chart.rows],
                "columns": [printable_sentence(each) for each in chart.columns],
                "measure": chart.measure,
                "mark": chart.mark,
                "path": chart.path,
                "panels": [_panel(panel) for panel in chart.panels],
            }
        case Graph():
            return {
                "kind": "graph",
                "nodes": [
                    {"label": printable_sentence(node.label), "tag": node.tag, "facts": _facts(node.facts)}
                    for node in chart.nodes
                ],
                "edges": [
                    [each.parent, each.child, printable_sentence(each.note), each.measured, each.directed]
                    for each in chart.edges
                ],
            }
        case Bars():
            return {"kind": "bars"}
        case Checklist():
            return {"kind": "checklist"}


def _panel(panel: Panel) -> dict[str, Any]:
    """Return a panel's numbers in thousandths: enough to read, short to write."""
    values = [[None if each is None else round(1000 * each) for each in row] for row in panel.values]
    return {"name": panel.name, "values": values, "marks": panel.marks, "path": panel.path}


def _facts(facts: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(printable_sentence(name), printable_sentence(text)) for name, text in facts]
