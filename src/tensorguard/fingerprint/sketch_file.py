"""Sketches as tensors and one description of a `.tgfp`, and back, checked."""

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from tensorguard.errors import InputError, quote
from tensorguard.fingerprint.sketches import ARRAYS, METHOD, Place, Sketches
from tensorguard.fingerprint.sweep_fold import halved
from tensorguard.formats.base import TensorInfo
from tensorguard.probes.anchors import ANCHOR_IDS, ANCHOR_WORDS
from tensorguard.probes.rademacher import FIXED, RESPONSE
from tensorguard.signals.operators import OPERATORS
from tensorguard.signals.sample import BUCKETS
from tensorguard.signals.traces import TRACES
from tensorguard.signals.unit_table import UNITS

_PREFIX = "lineage."
_SCALE = "response_scale"
_NAMES = {"F32": "<f4", "F16": "<f2", "I8": "<i1", "I32": "<i4"}
_MOST = 1 << 20
"""More blocks or matrices than this no model has."""


class Description(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the document says of the sketches; the fields are those of `Sketches`."""

    method: str
    key: str
    width: int
    blocks: list[tuple[str, int]]
    places: list[Place]
    sampled: list[int]


def describe(sketches: Sketches) -> dict[str, Any]:
    """Return the description, as plain data."""
    described: dict[str, Any] = msgspec.to_builtins(
        Description(
            METHOD, sketches.key, sketches.width, list(sketches.blocks), list(sketches.places), list(sketches.sampled)
        )
    )
    return described


def tensors(sketches: Sketches) -> dict[str, NDArray[Any]]:
    """Return the arrays by their names in the file."""
    arrays = {name: getattr(sketches, name) for name in ARRAYS}
    arrays["response"], arrays[_SCALE] = halved(sketches.response)
    return {_PREFIX + name: np.ascontiguousarray(array) for name, array in arrays.items()}


def restore(document: object, infos: Mapping[str, TensorInfo], where: object) -> Sketches:
    """Read sketches back.

    Args:
        document: The description, as parsed.
        infos: The file's tensors by name.
        where: The file, for messages.

    Raises:
        InputError: Something is missing, malformed, contradictory or not finite, or was made by another method.
    """
    try:
        found = msgspec.convert(document, Description)
    except msgspec.ValidationError as error:
        raise InputError(f"its description of the sketches is malformed ({quote(error)})", where=where) from error
    if found.method != METHOD:
        raise InputError(
            f"its sketches were made by {quote(found.method)}, this version reads {METHOD}",
            where=where,
            hint="make the fingerprint again",
        )
    _require_sane(found, where)
    arrays = {name: _read(infos, name, dtype, shape, where) for name, (dtype, shape) in _layout(found).items()}
    scale = arrays.pop(_SCALE)
    arrays["response"] = arrays["response"].astype(np.float32) * scale[:, None, None]
    return Sketches(
        key=found.key,
        width=found.width,
        blocks=tuple(found.blocks),
        places=tuple(found.places),
        sampled=tuple(found.sampled),
        **arrays,
    )


def _require_sane(found: Description, where: object) -> None:
    numbers = [found.width, *(layer for _, layer in found.blocks), *(n for p in found.places for n in (p.layer or 0, p.rows, p.columns, p.parts))]
    if min(numbers) < 0 or max(len(found.blocks), len(found.places)) > _MOST:
        raise InputError("its description of the sketches is absurd", where=where)
    if not all(0 <= index < len(found.places) for index in found.sampled):
        raise InputError("its row samples are of matrices that it does not list", where=where)


def _layout(found: Description) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Return the dtype and shape that every array must have."""
    blocks, matrices, words, ids = len(found.blocks), len(found.places), len(ANCHOR_WORDS), len(ANCHOR_IDS)
    operators = len(OPERATORS)
    return {
        "fixed": ("I8", (blocks, operators, FIXED, FIXED)),
        "words": ("F16", (blocks, operators, words, words)),
        "ids": ("F16", (blocks, operators, ids, ids)),
        "word_rows": ("F32", (words, FIXED)),
        "id_rows": ("F32", (ids, FIXED)),
        "word_gram": ("F32", (words, words)),
        "id_gram": ("F32", (ids, ids)),
        "head_word_rows": ("F32", (words, FIXED)),
        "head_id_rows": ("F32", (ids, FIXED)),
        "head_word_gram": ("F32", (words, words)),
        "head_id_gram": ("F32", (ids, ids)),
        "unit_index": ("I32", (blocks, UNITS)),
        "unit_vectors": ("I8", (blocks, UNITS, FIXED)),
        "unit_count": ("I32", (blocks,)),
        "response": ("F16", (matrices, *RESPONSE)),
        _SCALE: ("F32", (matrices,)),
        "row_mean": ("F32", (matrices, RESPONSE[1])),
        "traces": ("F32", (matrices, len(TRACES))),
        "sample": ("I8", (len(found.sampled), BUCKETS)),
    }


def _read(infos: Mapping[str, TensorInfo], name: str, dtype: str, shape: tuple[int, ...], where: object) -> NDArray[Any]:
    info = infos.get(_PREFIX + name)
    if info is None or info.dtype != dtype or info.shape != shape:
        raise InputError(f"its tensor {_PREFIX + name!r} is missing or of another shape", where=where)
    array = info.source.read_at(info.offset, info.nbytes).view(_NAMES[dtype]).reshape(shape)
    if array.dtype.kind == "f" and not np.all(np.isfinite(array)):
        raise InputError(f"its tensor {_PREFIX + name!r} holds values that are not finite", where=where)
    return array
