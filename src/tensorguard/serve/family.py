"""The family of a registry's entry by what people say: ancestors upwards, descendants downwards, laid out to be drawn."""

from tensorguard.errors import quote
from tensorguard.registry.entry import Entry
from tensorguard.registry.registry import Registry
from tensorguard.reports.charts import Edge, Graph, Node, Tone
from tensorguard.reports.graph_layout import placed
from tensorguard.serve.answers import Family, FamilyEdge, FamilyNode

MOST = 40
"""Models that are shown."""
_GENERATIONS = 3
"""Generations of descendants; each takes a look at all entries."""
_ASKED = 8
"""Models of one generation whose children are looked for."""


def family(registry: Registry, entry: Entry) -> Family:
    """Return the graph around an entry."""
    grown = _Grown(registry, entry)
    layout = placed(Graph("family", "Family", "", grown.nodes, grown.edges))
    order = {index: at for at, (index, *_) in enumerate(layout.nodes)}
    nodes = [
        FamilyNode(node.label, entry.key if grown.known[index] else None, node.tone, node.tag, x, y)
        for index, node, x, y in layout.nodes
    ]
    edges = [FamilyEdge(order[each.parent], order[each.child], each.note, outline) for _, each, outline in layout.edges]
    return Family(nodes, edges, layout.width, layout.height, grown.complete)


class _Grown:
    """Grows node by node; whoever goes by several names stands once."""

    def __init__(self, registry: Registry, entry: Entry) -> None:
        self.nodes: list[Node] = []
        self.edges: list[Edge] = []
        self.known: list[bool] = []
        self.complete = True
        self._registry, self._key = registry, entry.key
        self._places: dict[str, int] = {}
        self._entry(entry, "subject")
        self._ancestors(entry)
        self._descendants(entry)

    def _ancestors(self, entry: Entry) -> None:
        waiting = [entry]
        while waiting:
            child = waiting.pop()
            for name in child.facts.parents:
                if name.casefold() not in self._places and self._has_room():
                    found = self._registry.find(name, self._key)
                    if found is None:
                        self._node(name, (name,), "unknown", "not in the registry")
                    elif _names(found)[0].casefold() not in self._places:
                        self._entry(found)
                        self._places.setdefault(name.casefold(), self._places[found.name.casefold()])
                        waiting.append(found)
                self._link(name, child)

    def _descendants(self, entry: Entry) -> None:
        generation = [entry]
        for _ in range(_GENERATIONS):
            names = [name for each in generation[:_ASKED] for name in _names(each)]
            self.complete &= len(generation) <= _ASKED
            found = self._registry.children(names, self._key, MOST + 1)
            fresh = [each for each in found if each.name.casefold() not in self._places]
            for each in found:
                if each.name.casefold() in self._places or self._has_room():
                    self._entry(each)
                    for parent in each.facts.parents:
                        self._link(parent, each)
            generation = [each for each in fresh if each.name.casefold() in self._places]
            if not generation:
                return
        self.complete = False  # whether there are further generations was not looked at

    def _has_room(self) -> bool:
        room = len(self.nodes) < MOST
        self.complete &= room
        return room

    def _entry(self, entry: Entry, tone: Tone = "linked") -> None:
        if entry.name.casefold() not in self._places:
            self._node(entry.name, _names(entry), tone, "" if entry.verified else "claim")
            self.known[-1] = True

    def _node(self, label: str, names: tuple[str, ...], tone: Tone, tag: str) -> None:
        for name in names:
            self._places.setdefault(name.casefold(), len(self.nodes))
        self.nodes.append(Node(label, tone, tag))
        self.known.append(False)

    def _link(self, parent: str, child: Entry) -> None:
        ends = self._places.get(parent.casefold()), self._places[child.name.casefold()]
        if ends[0] is None or ends[0] == ends[1] or any((each.parent, each.child) == ends for each in self.edges):
            return
        note = f"{quote(child.facts.relation)[1:-1] or 'made'} of it, by what people say"
        self.edges.append(Edge(ends[0], ends[1], note, measured=False))


def _names(entry: Entry) -> tuple[str, ...]:
    return tuple(name for name in (entry.name, entry.facts.repository) if name)
