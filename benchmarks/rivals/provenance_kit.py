"""Cisco's Model Provenance Kit 1.0.0 from PyPI: its `compare`, its cache of features, its default threshold.

Equal configurations answer 1.0 without a look at the weights; that is the tool's own rule and is left as it is.
"""

import tempfile
from pathlib import Path
from typing import Any

from benchmarks.rivals.serving import AbstainError, Answer, serve

REQUIREMENT = "cisco-ai-provenance-kit==1.0.0"
PYTHONS = ("python3.12", "python3.13")


class ProvenanceKit:
    """The score is its `pipeline_score`; linked above its `SIMILARITY_THRESHOLD`, as its "High-Confidence Match" has it."""

    def __init__(self) -> None:
        from provenancekit.config.constants import SIMILARITY_THRESHOLD
        from provenancekit.config.settings import Settings
        from provenancekit.core.scanner import ModelProvenanceScanner
        from provenancekit.services.cache import CacheService

        self._folder = tempfile.TemporaryDirectory()
        settings = Settings(cache_dir=Path(self._folder.name))
        self._scanner = ModelProvenanceScanner(settings=settings, cache=CacheService(cache_dir=settings.cache_dir))
        self.threshold = SIMILARITY_THRESHOLD

    def prepare(self, model: Path) -> int:
        before = self._cached()
        self._scanner.compare(str(model), str(model))
        return self._cached() - before

    def compare(self, a: Path, b: Path) -> Answer:
        found = self.scores(a, b)
        if found.pipeline_score is None or "nsufficient" in found.provenance_decision:
            raise AbstainError(found.provenance_decision)
        return Answer(found.pipeline_score, found.pipeline_score > self.threshold)

    def scores(self, a: Path, b: Path) -> Any:
        """All that its `compare` computes."""
        return self._scanner.compare(str(a), str(b)).scores

    def _cached(self) -> int:
        return sum(path.stat().st_size for path in Path(self._folder.name).glob("*.json"))


if __name__ == "__main__":
    serve(ProvenanceKit)
