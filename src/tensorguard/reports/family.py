"""A family tree in the order in which it is shown: each model once, a merge below the parent that it has most of."""

from collections.abc import Iterator

from tensorguard.lineage.tree import Tree, TreeEdge


def roots(found: Tree) -> list[str]:
    """Return the models that hang below no other, families together, those of most models first."""
    sizes = [node.family for node in found.nodes]
    below = {edge.child for edge in found.edges}
    tops = [node for node in found.nodes if node.name not in below]
    return [node.name for node in sorted(tops, key=lambda node: (-sizes.count(node.family), node.family))]


def under(found: Tree, name: str) -> list[TreeEdge]:
    """Return the links to the models that are shown right below one."""
    first: dict[str, TreeEdge] = {}
    for edge in found.edges:
        if edge.child not in first or edge.weight > first[edge.child].weight:
            first[edge.child] = edge
    return [edge for edge in first.values() if edge.parent == name]


def rows(found: Tree) -> Iterator[tuple[str, int, TreeEdge | None]]:
    """Yield every model in order, how deep it stands, and the link to what it stands under."""
    waiting: list[tuple[str, int, TreeEdge | None]] = [(name, 0, None) for name in reversed(roots(found))]
    while waiting:
        name, depth, edge = waiting.pop()
        yield name, depth, edge
        waiting += [(each.child, depth + 1, each) for each in reversed(under(found, name))]
