"""Cisco's Model Provenance Kit without its gate: the identity score of its five weight signals, whatever the configurations say.

Not what the tool answers; shown beside it because its gate calls any two models of equal configuration a confirmed match.
"""

from pathlib import Path

from benchmarks.rivals.provenance_kit import ProvenanceKit
from benchmarks.rivals.serving import AbstainError, Answer, serve


class ProvenanceKitWeights(ProvenanceKit):
    """The score is its `identity_score`, linked above the same threshold."""

    def compare(self, a: Path, b: Path) -> Answer:
        found = self.scores(a, b).identity_score
        if found is None:
            raise AbstainError("no weight signal")
        return Answer(found, found > self.threshold)


if __name__ == "__main__":
    serve(ProvenanceKitWeights)
