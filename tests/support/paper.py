"""The authors' published fingerprints, and made-up ones of the same form."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tensorguard.family.labels import Labels, load_labels
from tensorguard.fingerprint.base import FEATURES
from tensorguard.fingerprint.features import FeatureVector, features_files, load_features

_DEFAULT = Path(__file__).parents[2] / ".." / "shared" / "paper"


def paper_data() -> Path:
    """Return the folder of the published data; a test that needs it fails, never skips, where it is missing."""
    folder = Path(os.environ.get("TENSORGUARD_PAPER_DATA", _DEFAULT))
    assert (folder / "labels.json").is_file(), (
        f"{folder} lacks the published features: point TENSORGUARD_PAPER_DATA to a folder with features/ and labels.json "
        "(features/ is in the authors' repository, github.com/security-pride/TensorGuard)"
    )
    return folder


def published_vectors() -> list[FeatureVector]:
    return [load_features(path) for path in features_files(paper_data() / "features")]


def published_labels() -> Labels:
    return load_labels(paper_data() / "labels.json")


def vector(name: str, specification: str | None = None, **values: float) -> FeatureVector:
    """Return a made-up vector: every feature 1 but those given."""
    return FeatureVector(name, tuple(float(values.get(key, 1.0)) for key in FEATURES), specification)


def families(bases: Sequence[str], members: int = 5, spread: float = 0.1, seed: int = 0) -> list[FeatureVector]:
    """Return well-separated made-up families: each base, and members called BASE-0, BASE-1 around it."""
    random = np.random.default_rng(seed)
    made = []
    for base in bases:
        centre = random.normal(size=len(FEATURES)) * 10
        names = [base, *(f"{base}-{number}" for number in range(members))]
        points = centre + spread * random.normal(size=(len(names), len(FEATURES)))
        made += [FeatureVector(name, tuple(point)) for name, point in zip(names, points.tolist(), strict=True)]
    return made
