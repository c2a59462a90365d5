"""Weights that operators of onnxruntime take packed into bytes, a scale for each block: what the operator's attributes say of them.

MatMulNBits, MatMulBnb4 and GatherBlockQuantized of com.microsoft (onnxruntime's docs/ContribOperators.md). Attributes and the sizes of
all parts have to agree, else nothing is made of them.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

from tensorguard.formats.base import TensorInfo
from tensorguard.formats.onnx_graph import Node

PACKED: Mapping[str, tuple[int, int, int]] = {
    "MatMulNBits": (1, 2, 3), "MatMulBnb4": (1, 2, -1), "GatherBlockQuantized": (0, 2, 3)
}  # fmt: skip
"""Operator -> as which of its inputs it takes the weight, its scale and its zero point."""

UNKNOWN: Mapping[str, tuple[int, ...]] = {
    "QMoE": (2, 5, 8),
    "MatMulFpQ4": (1,),
    "QOrderedMatMul": (2,),
    "QOrderedAttention": (2, 3, 4),
}
"""Operator -> inputs that are weights packed in a way that is not decoded."""

_TABLES = ("U8", "ONNX:UINT4", "ONNX:INT4")
"""Dtypes of tables."""

_ORDER = 4
"""The input of MatMulNBits that says which block each column belongs to (deprecated there)."""


class Packing(NamedTuple):
    """How the bytes of a weight are to be read.

    Attributes:
        dtype: Of a number: a `TensorInfo.dtype`; `ONNX:CENTRED4` are UINT4 less 8.
        shape: Rows and columns of the matrix. Rows may be longer in the file than here: their last block is always whole.
        blocks: Rows and columns of the scales.
        zeros: The dtype of zero points that are stored as bytes; empty if there are none.
    """

    dtype: str
    shape: tuple[int, int]
    blocks: tuple[int, int]
    zeros: str = ""


def side(length: int, count: int) -> int:
    """Return how long blocks are of which `count` cover a length: a power of two, else as many even ones; 0 if it is neither.

    With two blocks and more there is but one power of two.
    """
    if count < 1 or count > length:
        return 0
    if count == 1:
        return length
    power = 1 << ((length - 1) // count).bit_length()  # the least that is not too short
    if -(-length // power) == count:
        return power
    return length // count if length % count == 0 else 0


def packing(node: Node, stored: TensorInfo, scale: TensorInfo, zero: TensorInfo | None) -> Packing | None:
    """Return how an operator takes its packed weight; None if its parts do not fit its attributes, or columns are out of order."""
    found = {"MatMulNBits": _bits, "MatMulBnb4": _code, "GatherBlockQuantized": _table}[node.operator](node, stored, zero)
    return found if found is not None and math.prod(found.blocks) == scale.size and _fits(found, zero) else None


def _bits(node: Node, stored: TensorInfo, zero: TensorInfo | None) -> Packing | None:
    outputs, inputs, size, bits = (
        node.integers.get(key, default) for key, default in (("N", 0), ("K", 0), ("block_size", 0), ("bits", 4))
    )
    ordered = len(node.inputs) > _ORDER and node.inputs[_ORDER]
    if min(outputs, inputs, size) < 1 or bits not in (2, 4, 8) or ordered or node.integers.get("weight_prepacked", 0):
        return None
    blocks = -(-inputs // size)
    if (
        stored.dtype != "U8"
        or stored.nbytes * 8 != outputs * blocks * size * bits
        or side(inputs, blocks) not in (size, inputs)
    ):
        return None
    return Packing(_numbers(bits, zero), (outputs, inputs), (outputs, blocks), _numbers(bits, zero or stored))


def _code(node: Node, stored: TensorInfo, _: TensorInfo | None) -> Packing | None:
    outputs, inputs, size, code = (node.integers.get(key, 0) for key in ("N", "K", "block_size", "quant_type"))
    if min(outputs, inputs, size) < 1 or code not in (0, 1) or not node.integers.get("transB", 1) or stored.dtype != "U8":
        return None
    blocks = -(-outputs * inputs // size)
    if stored.nbytes != -(-outputs * inputs // 2) or side(outputs * inputs, blocks) not in (size, outputs * inputs):
        return None
    return Packing("ONNX:NF4" if code else "ONNX:FP4", (outputs, inputs), (1, blocks))


def _table(node: Node, stored: TensorInfo, zero: TensorInfo | None) -> Packing | None:
    size, bits, axis = (
        node.integers.get(key, default) for key, default in (("block_size", 128), ("bits", 4), ("quantize_axis", 1))
    )
    if len(stored.shape) < 2 or size < 1 or bits not in (2, 4, 8) or axis not in (0, 1, -1, -2) or stored.dtype not in _TABLES:
        return None
    rows, columns = stored.shape[0], math.prod(stored.shape[1:])
    dtype = _numbers(bits, zero) if stored.dtype == "U8" else stored.dtype
    if stored.dtype == "U8":
        columns = columns * 8 // bits
    blocks = (rows, -(-columns // size)) if axis % 2 else (-(-rows // size), columns)
    if not all(
        side(whole, count) in (size, whole) or count == whole for whole, count in zip((rows, columns), blocks, strict=True)
    ):
        return None
    return Packing(dtype, (rows, columns), blocks, _numbers(bits, zero or stored) if stored.dtype == "U8" else stored.dtype)


def _numbers(bits: int, zero: TensorInfo | None) -> str:
    """Return the dtype of unsigned numbers; without a zero point of their own it is half of their range."""
    if zero is None:
        return f"ONNX:CENTRED{bits}"
    return f"ONNX:UINT{bits}"


def _fits(found: Packing, zero: TensorInfo | None) -> bool:
    """Say whether there is a zero point for each scale: bytes of which each row begins anew, or numbers."""
    if zero is None or zero.dtype != "U8":
        return zero is None or zero.size == math.prod(found.blocks)
    return zero.nbytes == found.blocks[0] * -(-found.blocks[1] * int(found.zeros[-1]) // 8)
