"""modelDNA 0.1.0 from PyPI (arXiv 2607.10617): fast mode and default thresholds, by the functions behind `modeldna compare`."""

import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

from benchmarks.rivals.serving import AbstainError, Answer, serve

REQUIREMENT = "modeldna==0.1.0"
HELD = 16
"""Fingerprints in memory at once: as lists of Python numbers they are large."""


class ModelDNA:
    """`scan.compare_pair`, but each model's fingerprint is computed once and kept as its file; the score is its probability of descent."""

    def __init__(self) -> None:
        from modeldna import compare, verdict
        from modeldna.fingerprint import extract
        from modeldna.io import source

        self._compare, self._verdict, self._extract, self._source = compare, verdict, extract, source
        self._positive = verdict.Thresholds().positive
        self._folder = tempfile.TemporaryDirectory()
        self._files: dict[Path, Path] = {}
        self._load: Any = lru_cache(HELD)(extract.Fingerprint.load)

    def prepare(self, model: Path) -> int:
        found = self._extract.extract_fingerprint(self._source.open_source(str(model)), mode="fast", model_id=str(model))
        file = Path(self._folder.name) / f"{len(self._files)}.json.gz"
        found.save(file)
        self._files[model] = file
        return file.stat().st_size

    def compare(self, a: Path, b: Path) -> Answer:
        suspect, candidate = self._load(self._files[a]), self._load(self._files[b])
        evidence = self._compare.compare_fingerprints(suspect, candidate)
        dtypes = {"suspect_dtype": suspect.arch.torch_dtype, "candidate_dtypes": {str(b): candidate.arch.torch_dtype}}
        best = self._verdict.judge([(evidence, str(b))], **dtypes).candidates[0]
        if best.probability is None:
            raise AbstainError(best.ruled_out)
        return Answer(best.probability, best.probability >= self._positive)


if __name__ == "__main__":
    serve(ModelDNA)
