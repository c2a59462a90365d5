"""The ONNX container: a graph of operators, and the constants among them as a model's tensors.

Constants are given the names and the orientation of the checkpoint they were exported from, as far as the graph tells; quantised ones
stand as NAME_quantized, NAME_scale and NAME_zero_point (onnxruntime's names), the latter shaped so that they align with the first.
"""

import itertools
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace

from tensorguard.errors import InputError, quote
from tensorguard.formats.base import DAMAGED, Header, TensorInfo
from tensorguard.formats.onnx_graph import Graph, Node, read_graph
from tensorguard.formats.onnx_weights import Weight, heads, rotations, weights
from tensorguard.limits import MAX_SHARING
from tensorguard.sources.base import Source

QUANTISED, SCALE, ZERO = "_quantized", "_scale", "_zero_point"
"""What is added to a weight's name."""

_VERSIONS = tuple(bytes([version]) for version in range(3, 32))
_FIELDS = (b"\x12", b"\x1a", b"\x22", b"\x28", b"\x32", b"\x3a", b"\x42", b"\x72")
"""What may follow: the producer and its version, the domain, the model's version, a text, the graph, opsets, properties."""

_QUANTISERS = re.compile(r"(_quantized|_quant|_q|_DequantizeLinear_Output|(_DQ)?_Q\d+(G\d+)?|_Bnb4)$")
"""What quantisers add to the name of a tensor."""

_BUILDER = re.compile(r"\.(MatMul|Gemm|MatMulNBits)\.q?weight$")
"""What onnxruntime-genai's builder puts into the name of a matrix that it transposed or packed."""

_FINAL_NORM = re.compile(r"model\.layers\.\d+\.final_norm_layernorm\.(weight|bias)")
"""How the same builder calls the norm after the last layer."""

_BERT_OUTPUT = ".output.dense.weight"
"""How the output matrix of attention ends that onnxruntime fuses most: its query, key and value lie beside it, below `self`."""

_MODULE = re.compile(r"\w+(\.\w+)+")
"""A name that a checkpoint gave."""

_COUNTED = frozenset({"I64", "I32", "BOOL", "U32", "U64"})


class Onnx:
    """The format; see `Format`."""

    container = "onnx"
    suffixes = (".onnx",)

    def recognises(self, head: bytes) -> bool:
        """A version of the format, then another of a model's fields: protocol buffers have no magic bytes."""
        return head[:1] == b"\x08" and head[1:2] in _VERSIONS and head[2:3] in _FIELDS

    def read_header(self, source: Source) -> Header:
        """Parse the header; see `read_onnx`."""
        return read_onnx(source)


def read_onnx(source: Source) -> Header:
    """Read which tensors a model's graph holds.

    Raises:
        InputError: The file is no ONNX model, is malformed, hostile or over a limit, or keeps its values outside its own folder.
    """
    graph = read_graph(source)
    chosen: dict[str, Weight] = {}
    used, left = weights(graph)
    for weight in used:
        if _is_weight(weight, graph.tensors[weight.stored].shape):
            chosen[weight.stored] = _better(chosen.get(weight.stored), weight)
    names = _names(graph, chosen)
    parts = {name for weight in chosen.values() for name in (weight.scale, weight.zero) if name}
    formulas = rotations(graph)
    tensors: dict[str, TensorInfo] = {}
    aside = 0
    for name, tensor in graph.tensors.items():
        if name in chosen:
            tensors |= {info.name: info for info in _weight(chosen[name], names[name], graph.tensors)}
        elif name not in parts and name not in formulas and _is_value(tensor):
            own = _FINAL_NORM.sub(r"model.norm.\1", name)
            own = name if own in graph.tensors or own in tensors else own
            tensors[own] = replace(tensor, name=own)
        elif name not in parts:
            aside += 1
    _require_little_sharing(tensors, source)
    return Header(tuple(tensors.values()), heads(graph), notices=tuple(_notices(graph, names, aside, left)))


def _require_little_sharing(tensors: Mapping[str, TensorInfo], source: Source) -> None:
    """Refuse a model whose tensors all name the same bytes of a file beside it: a few of its bytes would cost terabytes of reading."""
    claimed = sum(info.nbytes for info in tensors.values())
    held = source.size + sum({id(info.source): info.source.size for info in tensors.values()}.values())
    if claimed > MAX_SHARING * held:
        message = f"its tensors claim {claimed} bytes of files of {held}: more sharing than is allowed"
        raise InputError(message, where=source.name, hint=DAMAGED)


def _is_weight(weight: Weight, shape: tuple[int, ...]) -> bool:
    """Say whether a constant is a matrix that is multiplied by, or numbers (a bias, too) that are to be scaled."""
    if len(shape) == 2:
        return bool(weight.scale or weight.node)
    return weight.packing is not None or (len(shape) == 1 and bool(weight.scale) and weight.node is None)


def _better(known: Weight | None, weight: Weight) -> Weight:
    """Return what is known of a constant that is used more than once: its scale from one use, its layer from another."""
    if known is None:
        return weight
    return replace(
        weight if known.node is None else known,
        scale=known.scale or weight.scale,
        zero=known.zero or weight.zero,
        axis=known.axis if known.scale else weight.axis,
        packing=known.packing if known.scale else weight.packing,
        table=known.table or weight.table,
    )


def _names(graph: Graph, chosen: Mapping[str, Weight]) -> dict[str, str]:
    """Return what each weight is called: its own name, else after its bias, else after its operator, else its own after all."""
    wanted = {stored: _name(weight) for stored, weight in chosen.items()}
    taken = Counter([*wanted.values(), *(name for name in graph.tensors if name not in chosen)])
    return {stored: name if taken[name] == 1 else stored for stored, name in wanted.items()}


def _name(weight: Weight) -> str:
    if weight.output is not None:
        output = _name(Weight("", node=weight.output[0], bias=weight.output[1]))
        return f"{output.removesuffix(_BERT_OUTPUT)}.self.qkv.weight" if output.endswith(_BERT_OUTPUT) else weight.stored
    own = _QUANTISERS.sub("", weight.stored)
    if _MODULE.fullmatch(own):
        named = _BUILDER.sub(".weight", own)
        # Of a head and an embedding in one, checkpoints keep the embedding.
        return _scope(weight.table) or named if named == "lm_head.weight" else named
    if _MODULE.fullmatch(weight.bias) and weight.bias.endswith(".bias"):
        return weight.bias.removesuffix("bias") + "weight"
    if weight.node and weight.node.module:
        return f"{weight.node.module}.weight"
    return _scope(weight.node) or own


def _scope(node: Node | None) -> str:
    """Return the name of a weight of the module that an operator is named after, or an empty text."""
    scope = node.name.strip("/").split("/")[:-1] if node else []
    modules = [part for part, after in itertools.pairwise([*scope, ""]) if not after.startswith(f"{part}.")]
    return ".".join([*modules, "weight"]) if modules else ""


def _weight(weight: Weight, name: str, tensors: Mapping[str, TensorInfo]) -> Iterator[TensorInfo]:
    """Yield a weight with its scale and zero point: as outputs x inputs, or as its checkpoint had it where its name is from there."""
    stored, packing = tensors[weight.stored], weight.packing
    scale, zero = tensors.get(weight.scale), tensors.get(weight.zero)
    if scale is None:
        yield _turned(stored, name, stored.shape, flip=weight.transposed and not _is_own(weight.stored))
    elif packing is None:
        flip = weight.transposed and not _is_own(weight.stored)
        yield _turned(stored, name + QUANTISED, stored.shape, flip=flip)
        for part, end in ((scale, SCALE), (zero, ZERO)):
            if part is not None:
                axis = weight.axis if len(stored.shape) > 1 else -1
                yield _turned(part, name + end, _aligned(part.shape, axis), flip=flip)
    else:
        # A quantiser that went by products put inputs x outputs of this name the other way.
        flip = weight.node is not None and _is_own(weight.stored) and bool(_QUANTISERS.search(weight.stored))
        yield _turned(replace(stored, dtype=packing.dtype), name + QUANTISED, packing.shape, flip=flip)
        yield _turned(scale, name + SCALE, packing.blocks, flip=flip)
        if zero is not None:
            dtype = packing.zeros if zero.dtype == "U8" else zero.dtype
            yield _turned(replace(zero, dtype=dtype), name + ZERO, packing.blocks, flip=flip)


def _is_own(stored: str) -> bool:
    """Say whether a weight has the name of its checkpoint, and so lies as it did there."""
    own = _QUANTISERS.sub("", stored)
    return bool(_MODULE.fullmatch(own)) and not _BUILDER.search(own)


def _turned(tensor: TensorInfo, name: str, shape: tuple[int, ...], *, flip: bool) -> TensorInfo:
    if not flip or len(shape) != 2:
        return replace(tensor, name=name, shape=shape)
    return replace(tensor, name=name, shape=shape[::-1], transposed=True)


def _aligned(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    """Return the shape, in two dimensions, with which numbers align with a matrix."""
    if len(shape) == 1 and shape[0] > 1 and axis == 0:
        return shape[0], 1
    return shape if len(shape) > 2 else (1, 1, *shape)[-2:]


def _is_value(tensor: TensorInfo) -> bool:
    """Say whether a constant can be a model's: not the shapes and switches that a graph computes with."""
    return tensor.size > 1 and (tensor.dtype not in _COUNTED or bool(_MODULE.fullmatch(tensor.name)))


def _notices(graph: Graph, names: Mapping[str, str], aside: int, left: Mapping[str, int]) -> Iterator[str]:
    for operator, count in left.items():
        yield f"{count} weights of {quote(operator)} are packed in a way that is not decoded, and were left as stored."
    if named := sum(bool(not _MODULE.fullmatch(stored) and _MODULE.fullmatch(name)) for stored, name in names.items()):
        yield f"{named} weights have no names of their own and were named after the layers of the graph that use them."
    if aside:
        yield f"{aside} constants of the graph (shapes, switches, scalars, sines) were left aside."
    if graph.sparse:
        yield f"{graph.sparse} sparse tensors were not read."
