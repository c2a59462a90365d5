"""The fingerprint's own file, `NAME.tgfp`: a safetensors file whose one metadata entry is a JSON document.

The numbers per layer and the sketches are tensors, everything that says how they were made is in the document. The same fingerprint
gives the same bytes.
"""

import re
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from safetensors.numpy import save

from tensorguard.errors import InputError, quote
from tensorguard.fingerprint.base import FEATURES, Fingerprint, TensorDigest
from tensorguard.fingerprint.features import COUNTS, LARGEST, checked_number
from tensorguard.fingerprint.sketch_file import describe, restore, tensors
from tensorguard.formats.atomic import replacing
from tensorguard.formats.json_text import parse_object
from tensorguard.formats.safetensors import read_safetensors
from tensorguard.signals.digest import BYTES
from tensorguard.signals.moments import STATISTICS
from tensorguard.sources.base import Source
from tensorguard.sources.local import LocalFile
from tensorguard.version import __version__

SUFFIX = ".tgfp"
SCHEMA = "tensorguard/tgfp/1"
_ENTRY = "tensorguard"
_TENSOR = "layers.statistics"
_STATISTICS = (*STATISTICS, "gain")
_DIGEST = re.compile(f"[0-9a-f]{{{2 * BYTES}}}")
msgspec.json.Decoder(Fingerprint)  # now: msgspec 0.22 may crash where several threads ask for one type for the first time


def plain(fingerprint: Fingerprint) -> dict[str, Any]:
    """Return a fingerprint as plain data: all but the arrays of its sketches."""
    sketches = fingerprint.sketches
    return asdict(replace(fingerprint, sketches=None)) | {"sketches": None if sketches is None else describe(sketches)}


def encode_fingerprint(fingerprint: Fingerprint) -> bytes:
    """Return the bytes of a fingerprint's file."""
    rows = [[getattr(layer, s) for s in _STATISTICS] for layer in fingerprint.layers]
    numbers = np.array(rows, np.float64).reshape(len(rows), len(_STATISTICS))
    document = plain(fingerprint) | {
        "schema": SCHEMA,
        "tool": {"name": "tensorguard", "version": __version__},
        "layers": [{k: v for k, v in asdict(layer).items() if k not in _STATISTICS} for layer in fingerprint.layers],
    }
    arrays = {_TENSOR: numbers} | ({} if fingerprint.sketches is None else tensors(fingerprint.sketches))
    text = msgspec.json.encode(document, order="sorted").decode()
    return bytes(save(arrays, metadata={_ENTRY: text}))


def write_fingerprint(path: Path | str, fingerprint: Fingerprint) -> None:
    """Write a fingerprint, whole or not at all.

    Raises:
        ResourceError: The folder cannot be written, or the disk is full.
    """
    raw = encode_fingerprint(fingerprint)
    with replacing(Path(path)) as file:
        file.write(raw)


def read_fingerprint(path: Path | str) -> Fingerprint:
    """Read a fingerprint.

    Raises:
        NotFoundError: There is no such file.
        InputError: It is not a fingerprint, is malformed, or was made by a newer version.
    """
    return decode_fingerprint(LocalFile(Path(path)))


def decode_fingerprint(source: Source) -> Fingerprint:
    """Read a fingerprint from its file, wherever that is; see `read_fingerprint`."""
    path, header = source.name, read_safetensors(source)
    document = _document(header.metadata.get(_ENTRY, ""), path)
    infos = {info.name: info for info in header.tensors}
    rows = document["layers"]
    shape = (len(rows), len(_STATISTICS))
    if _TENSOR not in infos or infos[_TENSOR].shape != shape or infos[_TENSOR].dtype != "F64":
        raise InputError(f"its tensor {_TENSOR!r} does not match its {len(rows)} layers", where=path)
    info = infos[_TENSOR]
    numbers = info.source.read_at(info.offset, info.nbytes).view("<f8").reshape(shape)
    described = document.get("sketches")
    sketches = None if described is None else restore(described, infos, path)
    known = {field.name for field in fields(Fingerprint)} - {"sketches"}
    layers = [row | dict(zip(_STATISTICS, map(float, values), strict=True)) for row, values in zip(rows, numbers, strict=True)]
    try:
        kept = {key: value for key, value in document.items() if key in known}
        found = msgspec.convert(kept | {"layers": layers}, Fingerprint)
    except msgspec.ValidationError as error:
        raise InputError(f"is not a fingerprint of schema {SCHEMA} ({quote(error)})", where=path) from error
    keys = () if found.coverage and not found.features else FEATURES
    if set(found.features) != set(keys):
        raise InputError("its features are not the 16 of the paper", where=path)
    features = {key: checked_number(key, found.features[key], path) for key in keys}
    everything = [*found.extended.values(), *numbers.flat]
    everything += [value for layer in found.layers for value in layer.extended.values()]
    if not all(abs(value) <= LARGEST for value in everything):
        raise InputError("it holds numbers that are not finite, or absurdly large", where=path)
    if not all(map(_is_sound, found.digests)):
        raise InputError("one of its digests is malformed", where=path)
    features = {key: int(value) if key in COUNTS else value for key, value in features.items()}
    return replace(found, features=features, sketches=sketches)


def _is_sound(each: TensorDigest) -> bool:
    counts = (each.layer or 0, each.expert or 0, each.nan, each.infinite)
    return min(counts) >= 0 and each.nan + each.infinite <= each.elements and _DIGEST.fullmatch(each.digest) is not None


def _document(text: str, path: str) -> dict[str, Any]:
    try:
        document = parse_object(text.encode(), "its document", path)
    except InputError as error:
        raise InputError("not a TensorGuard fingerprint", where=path, hint="make one with: tensorguard fingerprint") from error
    schema = document.get("schema")
    if schema != SCHEMA:
        raise InputError(
            f"its schema is {quote(schema)}, not {quote(SCHEMA)}", where=path, hint="a newer TensorGuard may read it"
        )
    if not isinstance(document.get("layers"), list) or not all(isinstance(row, dict) for row in document["layers"]):
        raise InputError("its list of layers is malformed", where=path)
    return document
