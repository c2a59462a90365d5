"""Where the models of a family graph stand: one line each, ancestors above and to the left, links beside them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tensorguard.reports.charts import Edge, Graph, Node

STEP, LINE = 26, 40
"""Distance of generations and of lines, in pixels."""
_MARGIN, _BEND, _DOT = 30, 10, 7


@dataclass(frozen=True, slots=True)
class Placed:
    """A graph that can be drawn.

    Attributes:
        nodes: Index, node, x and y of each, from top to bottom.
        edges: Index, edge and outline of each.
        width: Of the drawing, without names.
        height: Of the drawing.
    """

    nodes: Sequence[tuple[int, Node, int, int]]
    edges: Sequence[tuple[int, Edge, str]]
    width: int
    height: int


def placed(graph: Graph) -> Placed:
    """Place every node once; whoever claims to be its own ancestor is placed all the same."""
    depths = _depths(graph)
    x = {node: _MARGIN + STEP * depth for node, depth in depths.items()}
    y = {node: LINE * at + LINE // 2 for at, node in enumerate(depths)}
    places = {node: (x[node], y[node]) for node in depths}
    nodes = [(index, graph.nodes[index], x[index], y[index]) for index in depths]
    first = {each.child: at for at, each in reversed(list(enumerate(graph.edges)))}
    edges = [
        (at, each, _outline(places[each.parent], places[each.child], straight=first[each.child] == at and _clear(places, each)))
        for at, each in enumerate(graph.edges)
    ]
    return Placed(nodes, edges, max(x.values(), default=0) + 12, LINE * len(nodes))


def _depths(graph: Graph) -> dict[int, int]:
    """Return each node's generation, nodes in the order of lines: children beneath the last of their parents."""
    parents: dict[int, set[int]] = {node: set() for node in range(len(graph.nodes))}
    children: dict[int, list[int]] = {node: [] for node in parents}
    for each in graph.edges:
        if each.parent != each.child and each.parent not in parents[each.child]:
            parents[each.child].add(each.parent)
            children[each.parent].append(each.child)
    found: dict[int, int] = {}
    roots = [node for node in parents if not parents[node]]
    for root in [*roots, *parents]:  # what only a circle of claims leads to comes last
        waiting = [] if root in found else [root]
        while waiting:
            node = waiting.pop()
            if node in found or (node != root and not parents[node] <= found.keys()):
                continue
            found[node] = 1 + max((found[parent] for parent in parents[node] if parent in found), default=-1)
            waiting += reversed(children[node])
    return found


def _clear(places: Mapping[int, tuple[int, int]], edge: Edge) -> bool:
    """Say whether no other node stands where a line straight down from the parent would pass."""
    (x, top), (_, bottom) = places[edge.parent], places[edge.child]
    return not any(at == x and top < y < bottom for at, y in places.values())


def _outline(start: tuple[int, int], stop: tuple[int, int], *, straight: bool) -> str:
    """Return the line of a link: down and to the right to a first child, a bow on the left for further parents."""
    (x, y), (to_x, to_y) = start, stop
    end = to_x - _DOT
    if straight and to_y > y and to_x > x:
        return f"M{x} {y}V{to_y - _BEND}Q{x} {to_y} {x + _BEND} {to_y}H{end}"
    bow = min(x, to_x) - _MARGIN + 6
    return f"M{x} {y}C{bow} {y} {bow} {to_y} {end} {to_y}"
