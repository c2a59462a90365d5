"""The paper's 16 numbers of one model, and the file that carries them (arXiv 2506.01631, figure 2)."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from tensorguard.errors import InputError, NotFoundError, UsageError, quote, utf8
from tensorguard.fingerprint.base import FEATURES, Fingerprint
from tensorguard.formats.atomic import replacing
from tensorguard.formats.json_text import read_object
from tensorguard.limits import MAX_CONFIG_BYTES, MAX_NAME_BYTES

SUFFIX = "_features.json"

LARGEST = 1e60
"""No feature and no standardisation exceeds this: squares of quotients of such numbers still fit a float64."""

SAME_SETTINGS = "make all of them with one version and one set of options of: tensorguard fingerprint"
"""What to do about features of different specifications."""

COUNTS = ("total_params", "num_layers")
"""The features that are whole numbers."""


@dataclass(frozen=True, slots=True)
class FeatureVector:
    """One model's fingerprint as the paper defines it.

    Attributes:
        name: The model's identity, the file's stem without `_features`; untrusted text.
        values: The 16 numbers in the order of `FEATURES`.
        specification: How they were computed (probes, repeats, layers); None where that is not stated, as in the published files.
    """

    name: str
    values: tuple[float, ...]
    specification: str | None = None

    def __post_init__(self) -> None:
        if len(self.values) != len(FEATURES):
            raise ValueError(f"a feature vector has {len(FEATURES)} numbers, not {len(self.values)}")

    def value(self, key: str) -> float:
        """Return the number of one of the `FEATURES`."""
        return self.values[FEATURES.index(key)]


def vector(fingerprint: Fingerprint) -> FeatureVector:
    """Return the 16 numbers of a fingerprint, with its specification."""
    values = tuple(float(fingerprint.features[key]) for key in FEATURES)
    return FeatureVector(fingerprint.name, values, fingerprint.specification)


def load_features(path: Path, specification: str | None = None) -> FeatureVector:
    """Read `NAME_features.json`: exactly the 16 keys and `model_name`, which is for reading only.

    Args:
        path: The file.
        specification: How its numbers were computed, if the caller knows (our own fingerprints say it in the `.tgfp` beside).

    Raises:
        NotFoundError: There is no such file.
        InputError: It is not such a file: missing or unknown keys, something else than finite numbers, absurd values.
    """
    path = Path(path)
    content = read_object(path, MAX_CONFIG_BYTES)
    wanted = {*FEATURES, "model_name"}
    if missing := [key for key in (*FEATURES, "model_name") if key not in content]:
        raise InputError(f"is not a features file: {quote(missing[0])} is missing", where=path)
    if unknown := [key for key in content if key not in wanted]:
        raise InputError(f"is not a features file: it has the unknown key {quote(unknown[0])}", where=path)
    if not isinstance(content["model_name"], str) or len(content["model_name"]) > MAX_NAME_BYTES:
        raise InputError("has a model_name that is not a name", where=path)
    return FeatureVector(_stem(path), tuple(checked_number(key, content[key], path) for key in FEATURES), specification)


def features_files(folder: Path) -> list[Path]:
    """Return every `*_features.json` of one folder (not of those below it), sorted by name.

    Raises:
        NotFoundError: There is no such folder.
        InputError: It holds no features file.
    """
    if not folder.is_dir():
        raise NotFoundError("no such folder", where=folder, hint="give a folder of *_features.json files")
    files = [file for file in folder.iterdir() if file.name.endswith(SUFFIX)]
    if not files:
        raise InputError(
            "holds no *_features.json", where=folder, hint="make them with: tensorguard fingerprint MODEL -o FOLDER"
        )
    return sorted(files, key=lambda file: file.name.removesuffix(SUFFIX))


def encode_features(vector: FeatureVector) -> bytes:
    """Return the bytes of a features file: the 16 keys and `model_name` as JSON; equal vectors give equal bytes.

    Raises:
        UsageError: A value is not finite.
    """
    if not np.isfinite(vector.values).all():
        raise UsageError(f"the features of {quote(vector.name)} are not all finite")
    numbers = {key: int(value) if key in COUNTS else value for key, value in zip(FEATURES, vector.values, strict=True)}
    return bytes(msgspec.json.format(msgspec.json.encode({**numbers, "model_name": vector.name}), indent=2))


def write_features(path: Path, vector: FeatureVector) -> None:
    """Write the 16 keys and `model_name` as JSON, whole or not at all; equal vectors give equal bytes.

    Raises:
        UsageError: The path does not end in `_features.json`, or a value is not finite.
        ResourceError: The folder cannot be written, or the disk is full.
    """
    path = Path(path)
    if not path.name.endswith(SUFFIX) or path.name == SUFFIX:
        raise UsageError(f"a features file is called NAME{SUFFIX}", where=path)
    text = encode_features(vector)
    with replacing(path) as file:
        file.write(text)


def by_name(vectors: Iterable[FeatureVector]) -> list[FeatureVector]:
    """Sort by name, so that no result depends on the order in which models were given.

    Raises:
        UsageError: Two have one name.
    """
    ordered = sorted(vectors, key=lambda vector: vector.name)
    for first, second in itertools.pairwise(ordered):
        if first.name == second.name:
            raise UsageError(f"two models are called {quote(first.name)}", hint="give each once, or rename one of the files")
    return ordered


def require_one_specification(vectors: Sequence[FeatureVector]) -> str | None:
    """Return the specification that all the vectors share; numbers of different probes or layers are never mixed.

    Raises:
        UsageError: Two differ ('not stated' is a specification of its own).
    """
    if not vectors:
        raise UsageError("no features were given")
    first = vectors[0]
    for vector in vectors:
        if vector.specification != first.specification:
            raise UsageError(
                f"the features of {quote(first.name)} and {quote(vector.name)} cannot be compared: they were computed "
                f"as {describe(first.specification)} and as {describe(vector.specification)}",
                hint=SAME_SETTINGS,
            )
    return first.specification


def describe(specification: str | None) -> str:
    """Return a specification as shown to people."""
    return "'not stated'" if specification is None else quote(specification)


def compared_columns(*, include_size: bool) -> tuple[str, ...]:
    """Return the features that distances use: all 16 or, since it counts what a fingerprint happened to read, no `total_params`."""
    return tuple(key for key in FEATURES if include_size or key != "total_params")


def matrix(vectors: Sequence[FeatureVector], columns: Sequence[str] = FEATURES) -> NDArray[np.float64]:
    """Return the chosen columns, models x columns."""
    chosen = [FEATURES.index(column) for column in columns]
    return np.array([vector.values for vector in vectors], np.float64)[:, chosen]


def checked_number(key: str, value: object, path: Path | str) -> float:
    """Return one of the 16 numbers as read from a file.

    Raises:
        InputError: It is no finite number, absurdly large, or no count, deviation or norm where it has to be one.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"malformed: {key} is not a number", where=path)
    if abs(value) > LARGEST:
        raise InputError(f"malformed: {key} is absurdly large", where=path)
    if key in COUNTS and (value != int(value) or value < 0):
        raise InputError(f"malformed: {key} is not a count", where=path)
    if key.endswith(("_std", "_norm")) and value < 0:
        raise InputError(f"malformed: {key} is negative", where=path)
    return float(value)


def _stem(path: Path) -> str:
    stem = path.name.removesuffix(SUFFIX).removesuffix(".json")
    if not stem:
        raise InputError("is a features file without a name", where=path, hint=f"call it NAME{SUFFIX}")
    return utf8(stem)  # a name that is not UTF-8 could not be saved later
