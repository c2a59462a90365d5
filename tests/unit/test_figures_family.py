import dataclasses
import io
import struct
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.text import Text

from support.paper import families, published_labels, published_vectors
from tensorguard.errors import UsageError
from tensorguard.family.classify import classify
from tensorguard.family.clustering import cluster
from tensorguard.family.comparison import compare_strategies
from tensorguard.family.labels import Labels
from tensorguard.family.similarity import compare
from tensorguard.fingerprint.features import FeatureVector
from tensorguard.reports.figures.base import colour, save, shown, to_png, to_svg
from tensorguard.reports.figures.classification import draw_classification
from tensorguard.reports.figures.differences import draw_differences
from tensorguard.reports.figures.heatmap import draw_heatmap
from tensorguard.reports.figures.scatter import draw_scatter
from tensorguard.reports.figures.strategies import draw_accuracies, draw_strategies

HOSTILE = ["$x^{2$", "</text><script>alert(1)</script>", "a & b -- c", "x" * 200, "\\$\\frac{", "模型\x1b[31m\n", "\u202emodel"]


def hostile() -> tuple[list[FeatureVector], Labels]:
    vectors = families(["x", "y", "z"], members=3)
    named = [dataclasses.replace(each, name=name) for each, name in zip(vectors, [*HOSTILE, *"abcde"], strict=True)]
    bases = (named[0].name, named[4].name, named[8].name)
    return named, Labels(bases, {each.name: bases[0] if each.name not in bases else each.name for each in named})


def heatmap(vectors: list[FeatureVector], labels: Labels) -> Figure:
    return draw_heatmap(compare(vectors))


def scatter(vectors: list[FeatureVector], labels: Labels) -> Figure:
    return draw_scatter(cluster(vectors, labels=labels))


def strategies(vectors: list[FeatureVector], labels: Labels) -> Figure:
    return draw_strategies(cluster(vectors, labels=labels), compare_strategies(vectors, labels))


def accuracies(vectors: list[FeatureVector], labels: Labels) -> Figure:
    return draw_accuracies(compare_strategies(vectors, labels))


def classification(vectors: list[FeatureVector], labels: Labels) -> Figure:
    clustering = cluster(vectors, labels=labels)
    return draw_classification(classify(vectors[1], clustering), clustering)


def differences(vectors: list[FeatureVector], labels: Labels) -> Figure:
    return draw_differences(compare(vectors[:2]))


Draw = Callable[[list[FeatureVector], Labels], Figure]
ALL = pytest.mark.parametrize("draw", [heatmap, scatter, strategies, accuracies, classification, differences])


@ALL
def test_pictures_of_hostile_names_are_valid(draw: Draw) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a glyph that the font lacks would warn
        figure = draw(*hostile())
        png, svg = to_png(figure), to_svg(figure)
    width, height = struct.unpack(">II", png[16:24])
    assert imread(io.BytesIO(png)).shape[:2] == (height, width)
    assert (width, height) == pytest.approx(150 * figure.get_size_inches(), abs=1)
    root = ET.fromstring(svg)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert not [element for element in root.iter() if element.tag.endswith("script")]


@ALL
def test_the_same_picture_is_the_same_bytes(draw: Draw) -> None:
    first, second = draw(*hostile()), draw(*hostile())
    assert to_svg(first) == to_svg(second)
    assert to_png(first) == to_png(second)


def texts(figure: Figure) -> list[Text]:
    """Return what is written, but for the numbers along axes (matplotlib keeps some that it does not draw)."""
    ticks = {label for axes in figure.axes for label in (*axes.get_xticklabels(), *axes.get_yticklabels())}
    found = [each for each in figure.findobj(Text) if each.get_text().strip() and each.get_visible()]
    return [each for each in found if each not in ticks or any(c.isalpha() for c in each.get_text())]


@pytest.mark.parametrize("draw", [scatter, heatmap])
def test_no_name_covers_another_on_the_published_models(draw: Draw) -> None:
    figure = draw(published_vectors(), published_labels())
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    figure.draw(renderer)
    boxes = [(each.get_text(), each.get_window_extent(renderer)) for each in texts(figure)]
    for index, (text, box) in enumerate(boxes):
        for other, second in boxes[:index]:
            across = min(box.x1, second.x1) - max(box.x0, second.x0)
            up = min(box.y1, second.y1) - max(box.y0, second.y0)
            assert min(across, up) < 2.0, (text, other)
    inside = figure.bbox
    assert all(box.x0 >= 0 and box.y0 >= 0 and box.x1 <= inside.x1 and box.y1 <= inside.y1 for _, box in boxes)


def test_every_published_model_is_named() -> None:
    vectors, labels = published_vectors(), published_labels()
    written = "\n".join(each.get_text() for each in texts(scatter(vectors, labels)))
    assert all(each.name in written for each in vectors)
    named = {each.get_text() for each in texts(heatmap(vectors, labels))}
    assert all(shown(each.name) in named for each in vectors)


def test_few_models_are_named_in_the_picture_itself() -> None:
    figure = draw_scatter(cluster(families(["x", "y"], members=2), ["x", "y"]))
    beside_points = {each.get_text() for each in figure.axes[0].texts}
    assert beside_points == {"x", "x-0", "x-1", "y", "y-0", "y-1"}


def test_the_scatter_says_what_it_shows() -> None:
    written = " ".join(each.get_text() for each in texts(scatter(published_vectors(), published_labels())))
    assert "47 of 50 derivatives right (94%)" in written
    assert "first principal component (49.0% of the variance)" in written
    assert "second principal component (23.6% of the variance)" in written


def test_the_bars_tell_ours_and_theirs() -> None:
    written = [each.get_text() for each in texts(accuracies(published_vectors(), published_labels()))]
    assert written.count("94%") == 2
    assert {"44%", "54%", "76%", "78%"} <= set(written)


def test_few_and_many_models_can_be_drawn() -> None:
    few = [each.get_text() for each in texts(draw_heatmap(compare(families(["x"], members=1))))]
    assert few.count("0.00") == 2
    many = families(["x", "y"], members=99)
    assert to_png(draw_heatmap(compare(many))).startswith(b"\x89PNG")
    assert not [each for each in texts(draw_scatter(cluster(many, ["x", "y"]))) if each.get_text() == "x-3"]


def test_equal_models_can_be_drawn() -> None:
    vectors = [dataclasses.replace(families(["x"], members=0)[0], name=name) for name in "abc"]
    assert to_png(draw_heatmap(compare(vectors))).startswith(b"\x89PNG")
    assert to_png(draw_scatter(cluster(vectors, ["a"]))).startswith(b"\x89PNG")


def test_the_suffix_decides_and_others_are_refused(tmp_path: Path) -> None:
    figure = draw_heatmap(compare(families(["x"], members=2)))
    save(figure, tmp_path / "a.PNG")
    save(figure, tmp_path / "a.svg")
    assert (tmp_path / "a.PNG").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "a.svg").read_text().startswith("<svg")
    with pytest.raises(UsageError, match=r"\.png or \.svg"):
        save(figure, tmp_path / "a.jpg")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.PNG", "a.svg"]


def test_the_users_matplotlib_settings_neither_matter_nor_change() -> None:
    vectors = families(["x"], members=2)
    plain = to_svg(draw_heatmap(compare(vectors)))
    with mpl.rc_context({"font.size": 20, "text.parse_math": True, "svg.hashsalt": "other", "axes.linewidth": 5}):
        before = dict(mpl.rcParams)
        assert to_svg(draw_heatmap(compare(vectors))) == plain
        assert dict(mpl.rcParams) == before


def test_results_are_needed() -> None:
    with pytest.raises(UsageError, match="no results"):
        draw_accuracies([])
    with pytest.raises(UsageError, match="no results"):
        draw_strategies(cluster(families(["x"]), ["x"]), [])


def test_names_are_shortened_in_the_middle_and_escaped() -> None:
    assert shown("Llama-3.1-8B") == "Llama-3.1-8B"
    assert shown("a\nb\u202e") == "a\\nb\\u202e"
    assert shown("模") == "\\u6a21"
    long = shown("head" + "x" * 10_000 + "tail")
    assert len(long) == 44
    assert long.startswith("head")
    assert long.endswith("tail")
    assert "…" in long


def test_colours_belong_to_families() -> None:
    bases = [f"base{number}" for number in range(12)]
    found = [colour(base, bases) for base in bases]
    assert len(set(found[:9])) == 9
    assert found[9:] == found[:3]
    assert np.array_equal(found, [colour(base, bases) for base in bases])
