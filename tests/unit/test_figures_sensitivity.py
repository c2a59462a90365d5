"""The sensitivity pictures: the right numbers in the right panels, the same bytes every time, hostile names harmless."""

import numpy as np
import pytest

from support.memory import MemoryTensor
from tensorguard.engines.inline import Inline
from tensorguard.errors import UsageError
from tensorguard.family.sensitivity import SensitivityAnalysis, analyse
from tensorguard.family.sensitivity_comparison import compare_sensitivity
from tensorguard.fingerprint.sensitivity import SCORES, SensitivitySettings, sensitivity
from tensorguard.progress import Silent
from tensorguard.reports.figures.base import to_png, to_svg
from tensorguard.reports.figures.sensitivity import draw_sensitivity
from tensorguard.reports.figures.sensitivity_comparison import draw_sensitivity_comparison
from tensorguard.signals.products import NumpyProducts
from tensorguard.tensors.weight import Weight

HOSTILE = "<script>$\\frac{1}{2}$\x1b[31m" + "x" * 5000


def analysed(name: str, blocks: int, places: tuple[tuple[str, int | None], ...], seed: int = 0) -> SensitivityAnalysis:
    rng = np.random.default_rng(seed)
    weights = [
        Weight(role, layer, (12, 8), MemoryTensor(role, rng.standard_normal((12, 8))), expert=expert)
        for layer in range(blocks)
        for role, expert in places
    ]
    asked = SensitivitySettings(repeats=2)
    return analyse(sensitivity(name, weights, asked, engine=Inline(), products=NumpyProducts(), progress=Silent()))


@pytest.fixture(scope="module")
def gated() -> SensitivityAnalysis:
    return analysed("a", 4, (("q", None), ("gate", 0), ("gate", 1)))


def test_a_panel_per_strategy_and_score_holds_a_line_per_role(gated: SensitivityAnalysis) -> None:
    figure = draw_sensitivity(gated)
    measured = gated.measured
    assert len(figure.axes) == len(measured.strategies) * 3
    for row, strategy in enumerate(measured.strategies):
        for column, score in enumerate(SCORES):
            q, gate = figure.axes[3 * row + column].get_lines()
            mine = [layer.scores[strategy][score].mean for layer in measured.layers if layer.role == "q"]
            np.testing.assert_allclose(q.get_ydata(), mine)
            experts = [layer.scores[strategy][score].mean for layer in measured.layers if layer.role == "gate"]
            np.testing.assert_allclose(gate.get_ydata(), np.reshape(experts, (4, 2)).mean(1))
            assert list(q.get_xdata()) == [0, 1, 2, 3]


def test_the_comparison_has_a_row_per_score_and_a_panel_per_role(gated: SensitivityAnalysis) -> None:
    other = analysed("b", 2, (("q", None), ("fc_in", None)), seed=1)
    comparisons = [compare_sensitivity([gated, other], score=score) for score in SCORES]
    figure = draw_sensitivity_comparison(*comparisons)
    assert [axes.get_title() for axes in figure.axes[:3]] == ["q", "gate", "up"]
    assert len(figure.axes) == 9
    lines = figure.axes[3].get_lines()[1:]  # the first is the zero line
    for index, line in enumerate(lines):
        expected = [place.z[index] for place in comparisons[1].depths if place.role == "q"]
        np.testing.assert_allclose(line.get_ydata(), expected)


def test_the_same_result_gives_the_same_bytes(gated: SensitivityAnalysis) -> None:
    first, second = draw_sensitivity(gated), draw_sensitivity(gated)
    assert to_png(first) == to_png(second)
    assert to_svg(first) == to_svg(second)


def test_hostile_names_and_single_layers_are_drawn() -> None:
    hostile = analysed(HOSTILE, 1, (("q", None),))
    assert "<script" not in to_svg(draw_sensitivity(hostile))
    many = [analysed(HOSTILE, 1, (("q", None),), seed) for seed in range(12)]
    assert to_png(draw_sensitivity_comparison(compare_sensitivity(many))).startswith(b"\x89PNG")


def test_nothing_to_draw_is_said() -> None:
    outside = analyse(
        sensitivity(
            "m",
            [Weight("q", None, (12, 8), MemoryTensor("q", np.ones((12, 8))))],
            SensitivitySettings(repeats=2),
            engine=Inline(),
            products=NumpyProducts(),
            progress=Silent(),
        )
    )
    with pytest.raises(UsageError, match="no layers"):
        draw_sensitivity(outside)
    with pytest.raises(UsageError, match="no layers"):
        draw_sensitivity_comparison(compare_sensitivity([outside, outside]))
