"""The family of a scanned model as a graph: what it was measured against, and what people say these were made of."""

from itertools import pairwise

from tensorguard.licences.audit import Audit
from tensorguard.lineage.scan import Relative
from tensorguard.registry.entry import Entry, Facts
from tensorguard.reports.charts import Edge, Graph, Node
from tensorguard.reports.lineage_charts import TONES, WORDS, sure
from tensorguard.reports.wording import done

_NOTE = "Links to the model were measured on weights; those among known models are what their registry entries and the catalogue say."
_MOST = 40
"""Nodes; more make no picture."""


def family(audit: Audit) -> list[Graph]:
    """Return the graph of the model, its relatives and their ancestors; empty without relatives."""
    if not audit.scan.relatives:
        return []
    made = _Family(audit)
    return [Graph("family", "Family", _NOTE, made.nodes, made.edges)]


def called(each: Relative) -> str:
    """Return what a known model is to the one in question, in a word or two."""
    made_from_it = each.descends and each.lineage.verdict == "derived"
    return "derives from this model" if made_from_it else WORDS[each.lineage.verdict]


class _Family:
    """Grows node by node; a model that several name stands once."""

    def __init__(self, audit: Audit) -> None:
        scan = audit.scan
        self.nodes = [Node(scan.name, "subject", "this model", [("location", audit.location), ("digest", audit.source_digest)])]
        self.edges: list[Edge] = []
        self._known: dict[str, int] = {}
        self._weights = {each.name: each.weight for each in scan.parents.parents} if scan.parents else {}
        for each in scan.relatives:
            self._relative(each)
        for each in scan.relatives:
            self._measured(each, best=each is scan.best)
        for each in scan.relatives:
            for parent in each.entry.facts.parents:
                self._said(parent, each.entry.name, each.entry.facts.relation or "parent")
        for duty in audit.obligations:
            chain = (*duty.through, duty.ancestor)
            for child, ancestor in pairwise(chain):
                self._said(ancestor, child, "parent")

    def _relative(self, each: Relative) -> None:
        name, place = each.entry.name, len(self.nodes)
        self._known.setdefault(name, place)
        if each.entry.facts.repository:
            self._known.setdefault(each.entry.facts.repository, place)
        self.nodes.append(Node(name, TONES[each.lineage.verdict], called(each), _facts(each.entry)))

    def _measured(self, each: Relative, *, best: bool) -> None:
        lineage, node = each.lineage, self._known[each.entry.name]
        parent = len(self._weights) > 1 and each.entry.name in self._weights
        note = done(lineage) if lineage.verdict == "derived" else WORDS[lineage.verdict]
        note = f"parent of a merge, weight {self._weights[each.entry.name]:.2f}" if parent else note
        directed = parent or lineage.direction != "unknown"
        above = parent or lineage.direction == "first from second" or (best and not each.descends)
        ends = (node, 0) if above else (0, node)  # of unknown direction only the best stands above
        self.edges.append(Edge(*ends, f"{note}; {sure(each.log10_p, lineage.how)}", measured=True, directed=directed))

    def _said(self, parent: str, child: str, relation: str) -> None:
        places = {(each.parent, each.child) for each in self.edges if not each.measured}
        if child not in self._known or (parent not in self._known and len(self.nodes) >= _MOST):
            return
        if parent not in self._known:
            self._known[parent] = len(self.nodes)
            self.nodes.append(
                Node(parent, "unknown", "by hearsay", [("known from", f"the parents that {child} is said to have")])
            )
        ends = (self._known[parent], self._known[child])
        if ends[0] != ends[1] and ends not in places:
            self.edges.append(Edge(*ends, f"{relation}, by what people say", measured=False))


def _facts(entry: Entry) -> list[tuple[str, str]]:
    facts: Facts = entry.facts
    said = (
        ("repository", facts.repository),
        ("family", facts.family),
        ("publisher", facts.publisher),
        ("licence", facts.licence),
        ("released", facts.released),
    )
    return [each for each in said if each[1]]
