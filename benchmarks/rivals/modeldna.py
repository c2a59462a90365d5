"""modelDNA 0.1.0 from PyPI (arXiv 2607.10617): fast mode and default thresholds, by the functions behind `modeldna compare`."""

from pathlib import Path
from typing import Any

from benchmarks.rivals.serving import AbstainError, Answer, serve

REQUIREMENT = "modeldna==0.1.0"


class ModelDNA:
    """`scan.compare_pair` with each model's fingerprint computed once; the score is its probability of descent."""

    def __init__(self) -> None:
        from modeldna import compare, verdict
        from modeldna.fingerprint import extract
        from modeldna.io import source

        self._compare, self._verdict, self._extract, self._source = compare, verdict, extract, source
        self._positive = verdict.Thresholds().positive
        self._prints: dict[Path, Any] = {}

    def prepare(self, model: Path) -> int:
        found = self._extract.extract_fingerprint(self._source.open_source(str(model)), mode="fast", model_id=str(model))
        self._prints[model] = found
        return _stored_size(found)

    def compare(self, a: Path, b: Path) -> Answer:
        suspect, candidate = self._prints[a], self._prints[b]
        evidence = self._compare.compare_fingerprints(suspect, candidate)
        dtypes = {"suspect_dtype": suspect.arch.torch_dtype, "candidate_dtypes": {str(b): candidate.arch.torch_dtype}}
        best = self._verdict.judge([(evidence, str(b))], **dtypes).candidates[0]
        if best.probability is None:
            raise AbstainError(best.ruled_out)
        return Answer(best.probability, best.probability >= self._positive)


def _stored_size(fingerprint: Any) -> int:
    """Bytes of the file that its database keeps, gzipped JSON."""
    import gzip
    import json

    return len(gzip.compress(json.dumps(fingerprint.to_dict(), separators=(",", ":")).encode()))


if __name__ == "__main__":
    serve(ModelDNA)
