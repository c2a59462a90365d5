"""Which node of a tree came first, from the shape of the tree alone and from what is known of single edges.

If every new model derives from one of the existing ones, picked evenly, then the number of orders in which a tree can have grown from
a root v is n! / prod_u (size of the subtree below u) (Shah & Zaman 2011, "Rumors in a network", eq. 3), and the chance that v came
first is proportional to it. A star's centre has only one chance in two; edges are more certain than roots. Evidence on an edge
multiplies the chance of all roots that agree with it.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.special import gammaln

Edge = tuple[int, int]


def parents(neighbours: Mapping[int, Sequence[int]], root: int) -> dict[int, int]:
    """Return the parent of every node but the root, nearer ones first."""
    found: dict[int, int] = {}
    waiting = [root]
    for node in waiting:
        for other in neighbours[node]:
            if other != root and other not in found:
                found[other] = node
                waiting.append(other)
    return found


def root_chances(neighbours: Mapping[int, Sequence[int]], evidence: Mapping[Edge, float]) -> dict[int, float]:
    """Return the chance of each node to be the root; they sum to 1.

    Args:
        neighbours: A tree.
        evidence: For an edge (a, b) the chance that b derives from a, strictly between 0 and 1.
    """
    scores = {}
    for root in neighbours:
        above = parents(neighbours, root)
        sizes = dict.fromkeys(neighbours, 1)
        for node in reversed(above):
            sizes[above[node]] += sizes[node]
        score = gammaln(len(sizes) + 1) - sum(np.log(size) for size in sizes.values())
        for (first, second), chance in evidence.items():
            score += np.log(chance if above.get(second) == first else 1.0 - chance)
        scores[root] = float(score)
    top = max(scores.values())
    total = sum(np.exp(score - top) for score in scores.values())
    return {node: float(np.exp(score - top) / total) for node, score in scores.items()}


def edge_chances(neighbours: Mapping[int, Sequence[int]], chances: Mapping[int, float]) -> dict[Edge, float]:
    """Return for each edge (parent, child), directed away from the likeliest root, the chance that this is its direction."""
    best = max(chances, key=lambda node: (chances[node], -node))
    above = parents(neighbours, best)
    below = {node: chances[node] for node in neighbours}
    for node in reversed(above):
        below[above[node]] += below[node]
    return {(parent, node): 1.0 - below[node] for node, parent in above.items()}
