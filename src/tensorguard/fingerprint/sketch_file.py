"""Sketches as tensors and one description of a `.tgfp`, and back, checked."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

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
_KEY = re.compile("public|[0-9a-f]{16}")
_MOST = 1 << 20
"""More blocks or matrices than this no model has."""

_LARGEST = float(np.finfo(np.float32).max)
_UNIT = 1.01
"""No product of two unit vectors exceeds 1 by more than rounding."""


class _Form(NamedTuple):
    """What a tensor of the file must be: its dtype, shape, and smallest and largest value, which are opposite for F16."""

    dtype: str
    shape: tuple[int, ...]
    low: float = -_LARGEST
    high: float = _LARGEST


class Description(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the document says of the sketches; the fields are those of `Sketches`."""

    method: str
    key: str
    width: int
    blocks: list[tuple[str, int]]
    places: list[Place]
    sampled: list[int]
    whole: list[int] | None = None


msgspec.json.Decoder(Description)  # now: msgspec 0.22 may crash where several threads ask for one type for the first time


def describe(sketches: Sketches) -> dict[str, Any]:
    """Return the description, as plain data."""
    described: dict[str, Any] = msgspec.to_builtins(
        Description(
            METHOD,
            sketches.key,
            sketches.width,
            list(sketches.blocks),
            list(sketches.places),
            list(sketches.sampled),
            None if sketches.whole is None else list(sketches.whole),
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
    arrays = {name: _read(infos, name, form, where) for name, form in _layout(found).items()}
    named = np.sort(arrays["unit_index"], axis=1)
    if np.any((named[:, 1:] == named[:, :-1]) & (named[:, 1:] >= 0)):
        raise InputError("its unit tables name a neuron twice", where=where)
    scale = arrays.pop(_SCALE)
    arrays["response"] = arrays["response"].astype(np.float32) * scale[:, None, None]
    return Sketches(
        key=found.key,
        width=found.width,
        blocks=tuple(found.blocks),
        places=tuple(found.places),
        sampled=tuple(found.sampled),
        whole=None if found.whole is None else tuple(found.whole),
        **arrays,
    )


def _require_sane(found: Description, where: object) -> None:
    numbers = [
        found.width,
        *(layer for _, layer in found.blocks),
        *(n for p in found.places for n in (p.layer or 0, p.rows, p.columns, p.parts)),
    ]
    if not _KEY.fullmatch(found.key) or min(numbers) < 0 or max(len(found.blocks), len(found.places)) > _MOST:
        raise InputError("its description of the sketches is absurd", where=where)
    if not all(0 <= index < len(found.places) for index in (*found.sampled, *(found.whole or ()))):
        raise InputError("its row samples are of matrices that it does not list", where=where)


def _layout(found: Description) -> dict[str, _Form]:
    """Return what every array must be."""
    blocks, matrices, words, ids = len(found.blocks), len(found.places), len(ANCHOR_WORDS), len(ANCHOR_IDS)
    operators = len(OPERATORS)
    return {
        "fixed": _Form("I8", (blocks, operators, FIXED, FIXED)),
        "words": _Form("F16", (blocks, operators, words, words), -1, 1),
        "ids": _Form("F16", (blocks, operators, ids, ids), -1, 1),
        "word_rows": _Form("F32", (words, FIXED), -_UNIT, _UNIT),
        "id_rows": _Form("F32", (ids, FIXED), -_UNIT, _UNIT),
        "word_gram": _Form("F32", (words, words), -_UNIT, _UNIT),
        "id_gram": _Form("F32", (ids, ids), -_UNIT, _UNIT),
        "head_word_rows": _Form("F32", (words, FIXED), -_UNIT, _UNIT),
        "head_id_rows": _Form("F32", (ids, FIXED), -_UNIT, _UNIT),
        "head_word_gram": _Form("F32", (words, words), -_UNIT, _UNIT),
        "head_id_gram": _Form("F32", (ids, ids), -_UNIT, _UNIT),
        "unit_index": _Form("I32", (blocks, UNITS), low=-1),
        "unit_vectors": _Form("I8", (blocks, UNITS, FIXED)),
        "unit_count": _Form("I32", (blocks,), low=0),
        "response": _Form("F16", (matrices, *RESPONSE), -1, 1),
        _SCALE: _Form("F32", (matrices,), low=0),
        "row_mean": _Form("F32", (matrices, RESPONSE[1])),
        "traces": _Form("F32", (matrices, len(TRACES)), low=0),
        "sample": _Form("I8", (len(found.sampled), BUCKETS)),
    }


def _read(infos: Mapping[str, TensorInfo], name: str, form: _Form, where: object) -> NDArray[Any]:
    info = infos.get(_PREFIX + name)
    if info is None or info.dtype != form.dtype or info.shape != form.shape:
        raise InputError(f"its tensor {_PREFIX + name!r} is missing, or of another type or shape", where=where)
    array = info.source.read_at(info.offset, info.nbytes).view(_NAMES[form.dtype]).reshape(form.shape)
    if not _is_within(array, form):
        raise InputError(f"its tensor {_PREFIX + name!r} holds values that are not finite, or out of range", where=where)
    return array


def _is_within(array: NDArray[Any], form: _Form) -> bool:
    if form.dtype == "F16":
        # Its comparisons take long; as integers, numbers without their sign are in the same order, with NaN after infinity.
        return bool((array.view("<u2") & 0x7FFF).max(initial=0) <= np.float16(form.high).view(np.uint16))
    return bool(array.min(initial=0) >= form.low and array.max(initial=0) <= form.high)  # of what holds a NaN, both are NaN
