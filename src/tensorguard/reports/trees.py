"""What `tree` tells: who descends from whom, where the weights say so, and what merges are made of."""

from collections.abc import Iterator, Sequence
from functools import partial

from tensorguard.errors import quote
from tensorguard.lineage.pair import Pair
from tensorguard.lineage.tree import Tree, TreeEdge
from tensorguard.reports import many
from tensorguard.reports.document import Branch, Cell, Document, Picture, Table
from tensorguard.reports.family import roots, under

_READING = (
    "A tree of the shortest links, directed where something was lost or built (a grid, zeros, blocks, experts): training as such leaves "
    "no arrow. Distances are relative differences of weights."
)
_CAPTION = "An arrow leads from a parent to a child; a line without one joins models of which either may have come first."


def report(found: Tree, pairs: Sequence[Pair]) -> Document:
    """Return the document of one family tree.

    Args:
        found: The tree.
        pairs: The evidence that it rests on, pair by pair.
    """
    return Document(
        kind="tree",
        title="Family tree",
        summary=_summary(found),
        result={
            "nodes": found.nodes,
            "edges": found.edges,
            "mixtures": [{"name": name, "mixture": made} for name, made in found.mixtures.items()],
            "pairs": [many.machine(pair) for pair in pairs],
        },
        settings={"key": next((pair.key for pair in pairs if pair.key), None)},
        inputs=[{"model": node.name} for node in found.nodes],
        notices=[_READING] if found.edges else [],
        trees=[_branch(found, root, None) for root in roots(found)] if found.edges else [],
        tables=[_edges(found)] if found.edges else [],
        pictures=[Picture("tree", _CAPTION, partial(_draw, found))],
    )


def _summary(found: Tree) -> str:
    alone = sum(node.kind == "isolated" for node in found.nodes)
    families = len({node.family for node in found.nodes if node.kind != "isolated"})
    if not found.edges:
        return f"No two of these {len(found.nodes)} models are related."
    said = f"{len(found.nodes)} models in {_count(families, 'family', 'families')}"
    said += f", {alone} related to no other" if alone else ""
    known = sum(edge.direction == "known" for edge in found.edges)
    said += f"; of {_count(len(found.edges), 'link', 'links')} the weights tell the direction of {known}"
    return f"{said}; {_count(len(found.mixtures), 'merge', 'merges')}." if found.mixtures else f"{said}."


def _count(number: int, one: str, several: str) -> str:
    return f"{number} {one if number == 1 else several}"


def _branch(found: Tree, name: str, edge: TreeEdge | None) -> Branch:
    return Branch(f"{quote(name)}{_said(found, edge)}", [_branch(found, each.child, each) for each in under(found, name)])


def _said(found: Tree, edge: TreeEdge | None) -> str:
    if edge is None:
        return ""
    mixed = [f"{each.weight:.2f} of {quote(each.parent)}" for each in found.edges if each.child == edge.child]
    if len(mixed) > 1:
        return f": a merge, {', '.join(mixed)}"
    apart = f"{edge.distance:.1%} apart" if edge.measured == "weights" else f"about {edge.distance:.0%} apart"
    return f": {apart}; {edge.reason}" if edge.direction == "known" else f": {apart}; which of the two came first is not known"


def _edges(found: Tree) -> Table:
    rows: list[list[Cell]] = [list(row) for row in _rows(found)]
    headings = ("child", "parent", "weight", "distance", "direction", "chance")
    return Table(
        "Links", headings, rows, "Where the direction is unknown, parent and child may be the other way round.", keys=2
    )


def _rows(found: Tree) -> Iterator[tuple[Cell, ...]]:
    for each in found.edges:
        numbers = (round(each.weight, 3), round(each.distance, 4))
        yield each.child, each.parent, *numbers, each.direction, round(each.chance, 2)


def _draw(found: Tree) -> object:
    from tensorguard.reports.figures.tree import draw_tree

    return draw_tree(found)
