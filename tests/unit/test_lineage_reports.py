"""The words and pictures of lineage, whatever was found and whatever models are called."""

import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from matplotlib.figure import Figure

from support.lineages import evidence, identity, pair
from tensorguard.lineage.blocks import BlockSource
from tensorguard.lineage.kinds import KINDS, Kind
from tensorguard.lineage.layer_map import Origins
from tensorguard.lineage.mixture import Excluded, Mixture
from tensorguard.lineage.pair import Pair
from tensorguard.lineage.parents import Part, Weight
from tensorguard.lineage.tree import Node, Tree, TreeEdge
from tensorguard.reports import comparison, many, parents, trees
from tensorguard.reports.effects import effects
from tensorguard.reports.family import roots, rows
from tensorguard.reports.figures.base import to_png, to_svg
from tensorguard.reports.figures.evidence import draw_evidence
from tensorguard.reports.figures.heatmap import draw_effects
from tensorguard.reports.figures.profile import draw_profile
from tensorguard.reports.figures.tree import draw_tree
from tensorguard.reports.figures.weights import draw_blocks, draw_weights
from tensorguard.reports.lineage import runs
from tensorguard.reports.page import to_html
from tensorguard.reports.terminal import plain
from tensorguard.reports.wording import p_value, sentence

HOSTILE = ("$x^{2$", "</text><script>alert(1)</script>", "模型\x1b[31m\n", "x" * 300, "\u202emodel", "\\$\\frac{")


def quantised(child: int | None) -> tuple[Kind, ...]:
    return (Kind("quantised", child, "fewer distinct values"),)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (
            pair("identical", identity=identity(9)),
            "are identical: every tensor has the same name, shape and values: all 9 trained",
        ),
        (pair("same-weights", identity=identity(9)), "hold the same weights: all 9 trained matrices are equal (certain)."),
        (
            pair("derived", direction="first from second", kinds=quantised(0)),
            "'child' derives from 'parent' or a relative of it: quantised; blocks act alike (mean cosine 0.90), p < 1e-50 (exact, corr",
        ),
        (
            pair("derived", direction="second from first", kinds=quantised(1)),
            "'parent' derives from 'child' or a relative of it: quantised;",
        ),
        (
            pair("derived"),
            "one of 'child' and 'parent' derives from the other, or both from a third: what was done is not known;",
        ),
        (
            pair("derived", effect=0.05),
            "hardly act alike (mean cosine 0.90), 9 of 10 neurons that read alike have the same number (by chance 0.5)",
        ),
        (pair("derived", identity=identity()), "3 of 9 trained matrices are equal (certain)."),
        (pair("related"), "are related: their blocks act in one residual basis"),
        (pair("shares-components"), "share components: embeddings (p < 1e-20, exact); MLP independent."),
        (
            pair("shares-components", evidence=None, components=(), identity=identity()),
            "3 of 9 trained matrices are equal (certain).",
        ),
        (
            pair("independent", evidence=evidence(0.03, 0.0)),
            "2 tests find nothing, and the agreement of blocks is at most 0.067 (99 % bound)",
        ),
        (
            pair("inconclusive", evidence=evidence(0.12, -0.4)),
            "cannot be told: p = 0.4 (exact, corrected for 2 tests) is no proof of it",
        ),
        (pair("inconclusive", evidence=None), "no trained matrix is equal, and one of the fingerprints holds no sketches."),
    ],
)
def test_every_verdict_is_a_sentence(found: Pair, words: str) -> None:
    assert words in sentence(found)
    assert sentence(found).endswith(".")


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_has_words(name: str) -> None:
    said = sentence(pair("derived", kinds=(Kind(name, None, "blocks dropped"),)))
    assert "no difference" not in said


@pytest.mark.parametrize(("log10_p", "words"), [(-298.6, "p < 1e-298"), (-3.0, "p < 1e-3"), (-2.0, "p = 0.01"), (0.0, "p = 1")])
def test_p_values(log10_p: float, words: str) -> None:
    assert p_value(log10_p) == words


@pytest.mark.parametrize(
    ("origins", "shown"),
    [
        ((*range(12), *range(16, 24)), [("0-11", "0-11"), ("12-19", "16-23")]),
        ((0, None, None, 5), [("0", "0"), ("1-2", "none"), ("3", "5")]),
        ((3, 2, 1, 0), [("0-3", "3-0")]),
        ((0, 0, 1), [("0", "0"), ("1-2", "0-1")]),
        ((), []),
    ],
)
def test_layer_maps_are_told_in_runs(origins: Origins, shown: list[tuple[str, str]]) -> None:
    assert list(runs(origins)) == shown


def weight(name: str, value: float) -> Weight:
    return Weight(name, value, 0.01, value - 0.02, value + 0.02)


def mixture(names: Sequence[str] = ("a", "b"), **more: Any) -> Mixture:
    weights = tuple(weight(name, value) for name, value in zip(names, (0.7, 0.3), strict=True))
    layers = tuple(Part(part, "decoder", at, weights, 0.9, 0.1) for part in ("all", "attention") for at in range(3))
    blocks = tuple(BlockSource("decoder", at, names[at > 1], at + 4, 0.0, 0.5, clear=True) for at in range(3))
    whole = Part("q", None, None, weights, 0.9, 0.1)
    fields: dict[str, Any] = {"method": "linear", "parents": weights, "explained": 0.95, "roles": (whole,), "groups": (whole,)}
    return Mixture(
        base=None,
        **({"layers": layers, "blocks": blocks, "excluded": (Excluded("c", 0.5, "contributes nothing"),)} | fields | more),
    )


def family(names: Sequence[str] = ("a", "b", "c", "d", "e", "f")) -> Tree:
    a, b, c, d, e, f = names
    nodes = [
        Node(name, kind, int(name == f), 0.5)
        for name, kind in zip(names, ("root", "derived", "derived", "merge", "derived", "isolated"), strict=True)
    ]  # type: ignore[arg-type]
    edges = [
        TreeEdge(a, b, 1.0, 0.05, "weights", "unknown", 0.6, ""),
        TreeEdge(a, c, 1.0, 0.06, "weights", "unknown", 0.6, ""),
        TreeEdge(b, d, 0.7, 0.02, "weights", "known", 0.98, "merged"),
        TreeEdge(c, d, 0.3, 0.04, "weights", "known", 0.98, "merged"),
        TreeEdge(d, e, 1.0, 0.3, "evidence", "known", 0.98, "lost"),
    ]
    return Tree(tuple(nodes), tuple(edges), {d: mixture((b, c))})


def test_every_model_of_a_tree_stands_once_below_its_main_parent() -> None:
    found = family()
    assert roots(found) == ["a", "f"]
    order = [(name, depth) for name, depth, _ in rows(found)]
    assert order == [("a", 0), ("b", 1), ("d", 2), ("e", 3), ("c", 1), ("f", 0)]
    text = plain(trees.report(found, []))
    assert text.count("'e'") == text.count("'f'") == 1
    assert "'d': a merge, 0.70 of 'b', 0.30 of 'c'" in text
    assert "'e': about 30% apart; lost" in text


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (mixture(), "'x' is a merge: 0.700 ± 0.020 of 'a', 0.300 ± 0.020 of 'b', which explains 95.0% of its difference"),
        (mixture(method="sparse"), "may be a sparse merge: 0.700 ± 0.020 of 'a', 0.300 ± 0.020 of 'b' explain 95% of it."),
        (mixture(method="single"), "'x' derives from 'a' alone"),
        (mixture(method="none", parents=()), "'x' is no mixture of these candidates."),
        (mixture(method="passthrough"), "'x' is put together from whole blocks: 70% from 'a' and 30% from 'b'."),
        (mixture(method="passthrough", roles=(), groups=(), layers=()), "whole blocks"),
    ],
)
def test_every_kind_of_mixture_is_a_sentence(found: Mixture, words: str) -> None:
    document = parents.report("x", found)
    assert words in document.summary
    assert plain(document)
    for picture in document.pictures:
        assert to_svg(picture.draw())
    if found.method == "passthrough":
        assert "2       b" in plain(document)


def hostile_pair() -> Pair:
    return replace(pair("derived", kinds=quantised(0), identity=identity()), first=HOSTILE[0], second=HOSTILE[1])


def hostile_pairs() -> list[Pair]:
    return [replace(pair("derived"), first=a, second=b) for at, a in enumerate(HOSTILE) for b in HOSTILE[at + 1 :]]


@pytest.mark.parametrize(
    "draw",
    [
        lambda: draw_evidence(hostile_pair()),
        lambda: draw_profile(hostile_pair()),
        lambda: draw_effects(effects(hostile_pairs())),
        lambda: draw_tree(family(HOSTILE)),
        lambda: draw_weights(HOSTILE[1], mixture(HOSTILE[2:4])),
        lambda: draw_blocks(HOSTILE[1], mixture(HOSTILE[2:4])),
    ],
    ids=("evidence", "profile", "effects", "tree", "weights", "blocks"),
)
def test_pictures_of_hostile_names(draw: Callable[[], Figure]) -> None:
    svg = to_svg(draw())
    assert not [each for each in ET.fromstring(svg).iter() if each.tag.endswith("script")]
    assert to_svg(draw()) == svg
    assert to_png(draw())[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    "document",
    [
        comparison.report(None, [hostile_pair()]),
        comparison.report(None, hostile_pairs()),
        trees.report(family(HOSTILE), hostile_pairs()),
        parents.report(HOSTILE[1], mixture(HOSTILE[2:4], notices=(HOSTILE[4],))),
    ],
    ids=("pair", "many", "tree", "parents"),
)
def test_names_are_harmless_everywhere(document: Any) -> None:
    for text in (plain(document), to_html(document)):
        assert not {"\x1b", "\u202e"} & set(text)
    assert to_html(document).count("<script") == 2, "the page's own data and script"


def test_a_matrix_of_verdicts_has_a_mark_for_each() -> None:
    verdicts = ("identical", "same-weights", "derived", "related", "shares-components", "independent", "inconclusive")
    pairs = [pair(verdict, "hub", verdict) for verdict in verdicts]
    first = many.tables(pairs)[0]
    hub = next(row for row in first.rows if row[1] == "hub")
    assert sorted(map(str, hub[2:])) == sorted(["", "=", "=", "D", "R", "c", ".", "?"])
    assert "4 of the 7 pairs" in many.sentence(pairs)


def test_what_could_not_be_compared_is_left_white() -> None:
    found = effects(
        [
            pair("derived"),
            pair("inconclusive", "child", "other", effect=None),
            pair("independent", "parent", "other", effect=-0.1),
        ]
    )
    assert found.values[found.names.index("child"), found.names.index("other")] != found.values[0, 0]
    assert sum(value != value for value in found.values.flatten().tolist()) == 2
    assert to_png(draw_effects(found))
