"""The most likely family tree of a set of models: a minimum spanning forest over linked models, directed where the weights say so.

Models that are not linked by evidence are never joined. Merges have several parents with weights. See `docs/method.md`, "Trees".
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree

from tensorguard.errors import UsageError, quote
from tensorguard.fingerprint.sketches import Sketches
from tensorguard.lineage.direction import CERTAIN, LIKELY, Direction, direction
from tensorguard.lineage.distances import distance
from tensorguard.lineage.merges import is_merge, mixtures
from tensorguard.lineage.mixture import STEP, Mixture
from tensorguard.lineage.rooting import edge_chances, root_chances

NEAREST = 24
"""So many of the models closest to one may be the parents of a merge."""

KNOWN = 0.9
"""Chance from which on a direction counts as known, if there is evidence for this very edge."""

SAME = 5e-4
"""Relative difference below which two models are copies of each other."""

_COPY, _LAST = 1e-6, 10.0


@dataclass(frozen=True, slots=True)
class Node:
    """A model in the tree.

    Attributes:
        name: Its name.
        kind: `root`: it has descendants and no parent here; `derived`; `merge`; `isolated`: linked to none.
        family: Number of its family, counted from 0; models of different families are not linked.
        root_chance: Chance that it is the oldest of those that hang together without merges.
    """

    name: str
    kind: Literal["root", "derived", "merge", "isolated"]
    family: int
    root_chance: float


@dataclass(frozen=True, slots=True)
class TreeEdge:
    """A parent and a child.

    Attributes:
        parent: The parent; the likelier one if the direction is unknown.
        child: The child.
        weight: The parent's weight in a merge; 1 otherwise.
        distance: Relative difference between the two.
        measured: `weights`: they were compared number by number; `evidence`: they could not be, the distance is inferred.
        direction: `known`, or `unknown`: then the two are linked, and either may be the parent.
        chance: That the direction is right if the link is.
        reason: Why, in words.
    """

    parent: str
    child: str
    weight: float
    distance: float
    measured: Literal["weights", "evidence"]
    direction: Literal["known", "unknown"]
    chance: float
    reason: str


@dataclass(frozen=True, slots=True)
class Tree:
    """A family tree, or several.

    Attributes:
        nodes: The models, in the order given.
        edges: Parents and children; the parents of a merge, largest weight first.
        mixtures: For each merge what it is made of.
    """

    nodes: tuple[Node, ...]
    edges: tuple[TreeEdge, ...]
    mixtures: Mapping[str, Mixture]


def family_tree(
    models: Mapping[str, Sketches],
    links: Collection[tuple[str, str]],
    dissimilarity: Mapping[tuple[str, str], float] | None = None,
) -> Tree:
    """Return the most likely family tree.

    Args:
        models: The models by name.
        links: Pairs that evidence links, in either order.
        dissimilarity: 1 - T of a pair, T the mean cosine of operators; used where weights cannot be compared number by number.

    Raises:
        UsageError: A link names an unknown model.
    """
    for name in {name for link in links for name in link} - models.keys():
        raise UsageError(f"a link names {quote(name)}, which is not among the models")
    return _Builder(models, links, dissimilarity or {}).tree()


class _Builder:
    def __init__(
        self, models: Mapping[str, Sketches], links: Collection[tuple[str, str]], dissimilarity: Mapping[tuple[str, str], float]
    ) -> None:
        self.models, self.names = models, list(models)
        index = {name: at for at, name in enumerate(self.names)}
        pairs = sorted({(min(index[a], index[b]), max(index[a], index[b])) for a, b in links if a != b})
        self.distances: dict[tuple[int, int], float] = {}
        self.by_evidence: set[tuple[int, int]] = set()
        self.directions: dict[tuple[int, int], Direction] = {}
        for a, b in pairs:
            first, second = self.names[a], self.names[b]
            found = distance(models[first], models[second])
            if found is None:
                self.by_evidence.add((a, b))
                missing = dissimilarity.get((first, second), dissimilarity.get((second, first), 1.0))
                # Farther than whatever can be compared. Weights that differ by e give operators a cosine of about 1 - e^2.
                found = 1.0 + float(np.sqrt(max(missing, 0.0)))
            self.distances[a, b] = found
            evidence = direction(models[first], models[second], found)
            if evidence is not None:
                self.directions[a, b] = evidence
        self.poorer: set[int] = set()
        self.poorer = {child for child in range(len(models)) for other in range(len(models)) if self._descends(child, other)}
        near = {at: self._near(at) for at in range(len(models))}
        self.mixtures = mixtures(models, near)
        self.merges = {at: made for at, made in self.mixtures.items() if is_merge(made)}

    def _near(self, child: int) -> list[int]:
        """Return what a model may be made of, closest first: not of what derives from it, of what lost something, or of copies."""
        linked = [
            (far, sum(pair) - child) for pair, far in self.distances.items() if child in pair and pair not in self.by_evidence
        ]
        kept: list[int] = []
        for _, at in sorted(linked):
            copied = any(self.distances.get((min(at, other), max(at, other)), 1.0) < SAME for other in kept)
            if not copied and at not in self.poorer and not self._descends(at, child):
                kept.append(at)
        return kept[:NEAREST]

    def _descends(self, child: int, parent: int) -> bool:
        """Return whether evidence says that one model derives from another."""
        pair = (min(child, parent), max(child, parent))
        found = self.directions.get(pair)
        return found is not None and found.chance >= LIKELY and found.forward == (pair[0] == parent)

    def _only(self, made: Mixture) -> int | None:
        """Return the one model that another was trained on from; None if its difference lies along several."""
        if len(made.parents) != 1:
            return None
        weights = [each.weight for each in made.kindred if each.name == made.parents[0].name] or [1.0]
        return self.names.index(made.parents[0].name) if STEP[0] < weights[0] < STEP[1] else None

    def _allowed(self) -> dict[tuple[int, int], float]:
        """Return the pairs that may be neighbours in the tree, with their distances.

        What lost something has one parent, the closest it can have lost it from, and children that are closer. A merge has its
        parents only; what derives from a merge is a neighbour of nothing but that and its own descendants.
        """
        count = len(self.names)
        mean = [float(np.mean([far for pair, far in self.distances.items() if at in pair] or [0.0])) for at in range(count)]
        # Among copies the one that lost nothing and is closest to all others comes first.
        rank = [mean[at] + _LAST * (at in self.poorer) for at in range(count)]
        allowed = {(a, b): far + _COPY * (1.0 + rank[a] + rank[b]) for (a, b), far in self.distances.items()}
        above: dict[int, int] = {}
        for child in self.poorer:
            pairs = [pair for pair in self.distances if child in pair and self._descends(child, sum(pair) - child)]
            nearest, *others = sorted(pairs, key=allowed.__getitem__)
            above[child] = sum(nearest) - child
            for pair in others:
                allowed.pop(pair)
        reach = {at: self.distances[min(at, parent), max(at, parent)] for at, parent in above.items()}
        for a, b in list(allowed):
            if above.get(a) != b and above.get(b) != a and self.distances[a, b] > min(reach.get(a, 9.0), reach.get(b, 9.0)):
                allowed.pop((a, b))
        single = {at: parent for at, made in self.mixtures.items() if (parent := self._only(made)) is not None} | above
        merged = set(self.merges)
        while more := {at for at, parent in single.items() if parent in merged} - merged:
            merged |= more
        return {
            (a, b): far
            for (a, b), far in allowed.items()
            if not {a, b} & merged or ({a, b} <= merged and (single.get(a) == b or single.get(b) == a))
        }

    def tree(self) -> Tree:
        count = len(self.names)
        _, families = connected_components(_graph(dict.fromkeys(self.distances, 1.0), count), directed=False)
        spanning = minimum_spanning_tree(_graph(self._allowed(), count)).tocoo()
        neighbours: dict[int, list[int]] = {at: [] for at in range(count)}
        for a, b in zip(spanning.row.tolist(), spanning.col.tolist(), strict=True):
            neighbours[a].append(b)
            neighbours[b].append(a)
        edges, chances = [], dict.fromkeys(range(count), 1.0)
        done: set[int] = set()
        for start in range(count):
            if start not in done:
                members = _reachable(neighbours, start)
                done |= members.keys()
                found = self._rooted(members)
                chances.update(found)
                edges += self._edges(members, found)
        for child, made in self.merges.items():
            edges += self._merged(child, made)
        ordered = sorted(edges, key=lambda edge: (self.names.index(edge.child), -edge.weight))
        children, above = {edge.child for edge in edges}, {edge.parent for edge in edges}
        nodes = []
        for at, name in enumerate(self.names):
            kind: Literal["root", "derived", "merge", "isolated"] = "isolated"
            if at in self.merges:
                kind = "merge"
            elif name in children:
                kind = "derived"
            elif name in above:
                kind = "root"
            nodes.append(Node(name, kind, int(families[at]), chances[at]))
        return Tree(tuple(nodes), tuple(ordered), {self.names[at]: made for at, made in self.merges.items()})

    def _rooted(self, members: Mapping[int, list[int]]) -> dict[int, float]:
        """Return each member's chance to be the root; a merge is the root of what derives from it."""
        merged = [at for at in members if at in self.merges]
        if merged:
            rest = (1.0 - CERTAIN) / max(len(members) - 1, 1)
            return {
                at: CERTAIN if at == merged[0] and len(members) > 1 else rest if len(members) > 1 else 1.0 for at in members
            }
        evidence = {}
        for at in members:
            for other in members[at]:
                found = self.directions.get((at, other))
                if found is not None:
                    evidence[(at, other) if found.forward else (other, at)] = found.chance
        return root_chances(members, evidence)

    def _edges(self, members: Mapping[int, list[int]], roots: Mapping[int, float]) -> list[TreeEdge]:
        merged = any(at in self.merges for at in members)
        informed = merged or any((a, b) in self.directions for a in members for b in members[a])
        found = []
        for (parent, child), chance in edge_chances(members, roots).items():
            pair = (min(parent, child), max(parent, child))
            evidence = self.directions.get(pair)
            if evidence is not None and evidence.forward == (pair[0] == parent):
                reason = evidence.reason.format(parent=quote(self.names[parent]), child=quote(self.names[child]))
            elif merged:
                reason = "what it derives from is a merge of others"
            elif informed:
                reason = "follows from the directions of other edges"
            else:
                reason = "no weight says which came first; likeliest order for a tree of this shape"
            known = chance >= KNOWN and (merged or (evidence is not None and evidence.forward == (pair[0] == parent)))
            found.append(self._edge(pair, parent, child, 1.0, "known" if known else "unknown", chance, reason))
        return found

    def _merged(self, child: int, made: Mixture) -> list[TreeEdge]:
        words = "whole blocks" if made.method == "passthrough" else f"a sum that explains {made.varied:.1%}"
        found = []
        for each in made.parents:
            parent = self.names.index(each.name)
            pair = (min(parent, child), max(parent, child))
            found.append(self._edge(pair, parent, child, each.weight, "known", CERTAIN, f"merged: {words} of the difference"))
        return found

    def _edge(
        self,
        pair: tuple[int, int],
        parent: int,
        child: int,
        weight: float,
        known: Literal["known", "unknown"],
        chance: float,
        reason: str,
    ) -> TreeEdge:
        measured: Literal["weights", "evidence"] = "evidence" if pair in self.by_evidence else "weights"
        return TreeEdge(self.names[parent], self.names[child], weight, self.distances[pair], measured, known, chance, reason)


def _graph(weights: Mapping[tuple[int, int], float], count: int) -> csr_array:
    rows, columns = np.array([*weights], np.int32).reshape(-1, 2).T  # SciPy's graphs have indices of 32 bits
    return csr_array((list(weights.values()), (rows, columns)), shape=(count, count), dtype=np.float64)


def _reachable(neighbours: Mapping[int, list[int]], start: int) -> dict[int, list[int]]:
    found = {start: neighbours[start]}
    waiting = [start]
    for node in waiting:
        for other in neighbours[node]:
            if other not in found:
                found[other] = neighbours[other]
                waiting.append(other)
    return found
