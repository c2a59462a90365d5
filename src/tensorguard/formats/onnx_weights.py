"""Which tensors of an ONNX graph are the weights of its layers: how they lie, what scales them, and what they are called.

An exporter folds `x @ W.T` into a product with a constant of its own, transposed and without a name (`onnx::MatMul_470`, `val_49`);
a quantiser puts integers, a scale and a zero point in its place. Both are told from the operators that use the constant.
Operators: https://onnx.ai/onnx/operators/ and, for com.microsoft, onnxruntime's docs/ContribOperators.md.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from tensorguard.formats.base import TensorInfo
from tensorguard.formats.onnx_graph import Graph, Node
from tensorguard.formats.onnx_packed import PACKED, UNKNOWN, Packing, packing, side

_SCALED_PRODUCTS: Mapping[str, tuple[int, int, int]] = {
    "QLinearMatMul": (3, 4, 5),
    "DynamicQuantizeMatMul": (1, 2, 3),
    "MatMulIntegerToFloat": (1, 3, 5),
    "QGemm": (3, 4, 5),
    "QAttention": (1, 4, 7),
}
"""Products of integers that take the weight, its scale and its zero point, and as which of their inputs."""

_PRODUCTS = ("MatMul", "FusedMatMul", "Gemm", "FusedGemm", "Attention")
"""Products that take the weight as their second input. `Attention`: query, key and value in one, of com.microsoft alone."""

_BIAS: Mapping[str, int] = {
    "Gemm": 2,
    "FusedGemm": 2,
    "Attention": 2,
    "QAttention": 2,
    "MatMulNBits": 5,
    "MatMulIntegerToFloat": 6,
}
"""Operators that add a bias themselves, and as which of their inputs they take it."""

_ROTATIONS = {"RotaryEmbedding": (1, 2, 3), "GroupQueryAttention": (7, 8)}
"""Operators, and as which of their inputs they take tables of sines and cosines, which are no weights."""

_HEADS = {"num_attention_heads": ("num_heads", "q_num_heads"), "num_key_value_heads": ("kv_num_heads",)}
"""What a configuration calls counts of heads -> what operators call them."""

_EMBEDDINGS = {"QEmbedLayerNormalization": ((2, 8, 13), (3, 9, 14), (4, 10, 15), (5, 11, 16), (6, 12, 17))}
"""Operators that look up in several tables of integers: as which inputs they take table (or gain, or bias), scale and zero point."""

_NO_MORE = ("",) * 18
"""What inputs are continued with: those at the end may be left out."""

_ATTENTION = ("Attention", "QAttention")
_NOWHERE = Node("", "", (), (), {})
_FURTHEST = 4
"""How many operators after a product its scale and its bias are looked for."""

_MOST_USERS = 16
"""How many operators that take one result are looked at: each product of a hostile graph may have given the same one to thousands."""


@dataclass(frozen=True, slots=True)
class Weight:
    """A constant that a layer multiplies by.

    Attributes:
        stored: Name of the tensor.
        transposed: Whether it lies as inputs x outputs.
        scale: Name of what its integers are multiplied by; empty if it is stored as it is.
        zero: Name of what is subtracted from them before; empty if nothing is.
        axis: Along which of its dimensions a list of scales runs; -1 if shapes are to be aligned at their ends.
        node: The operator that multiplies by it; None if it is looked up in (an embedding).
        bias: Name of the constant that is added to the product; empty if none is.
        packing: How its bytes are to be read where its dtype and shape do not say so.
        table: The operator that looks up in it, if it is packed.
        output: For query, key and value in one: the operator that multiplies what attention gives, and its bias.
    """

    stored: str
    transposed: bool = False
    scale: str = ""
    zero: str = ""
    axis: int = -1
    node: Node | None = None
    bias: str = ""
    packing: Packing | None = None
    table: Node | None = None
    output: tuple[Node, str] | None = None


def weights(graph: Graph) -> tuple[list[Weight], Mapping[str, int]]:
    """Find the constants that layers multiply by.

    Returns:
        One for each use, in the order of the operators; and how many weights of which operator are packed in a way that is not decoded.
    """
    uses = _Uses(graph)
    return list(uses.find()), uses.left


def rotations(graph: Graph) -> set[str]:
    """Return the constants that rotate positions: formulas, not weights."""
    given = (node.inputs[which : which + 1] for node in graph.nodes for which in _ROTATIONS.get(node.operator, ()))
    return {name for names in given for name in names if name in graph.tensors}


def heads(graph: Graph) -> dict[str, int]:
    """Return the counts of heads that the first operator of attention gives, as a configuration names them."""
    for node in graph.nodes:
        if node.operator in ("GroupQueryAttention", "MultiHeadAttention", *_ATTENTION):
            found = {
                key: next((node.integers[name] for name in names if name in node.integers), 0) for key, names in _HEADS.items()
            }
            return {key: count for key, count in found.items() if count > 0}
    return {}


class _Uses:
    """Follows constants through a graph.

    Attributes:
        left: How many weights of which operator could not be decoded.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self.left: Counter[str] = Counter()
        self._known: dict[str, Weight] = {name: Weight(name) for name in graph.tensors}
        self._users: dict[str, list[Node]] = {}
        self._makers = {name: node for node in graph.nodes for name in node.outputs}
        for node in graph.nodes:
            for name in dict.fromkeys(node.inputs):
                self._users.setdefault(name, []).append(node)

    def find(self) -> Iterator[Weight]:
        """See `weights`."""
        for node in self._graph.nodes:
            if node.outputs:
                yield from self._use(node, (*node.inputs, *_NO_MORE))

    def _use(self, node: Node, inputs: tuple[str, ...]) -> Iterator[Weight]:
        first, second = self._known.get(inputs[0]), self._known.get(inputs[1])
        if node.operator == "DequantizeLinear" and first:
            scaled = replace(first, scale=inputs[1], zero=inputs[2], axis=node.integers.get("axis", 1))
            if not self._in_blocks(node, first.stored, inputs[1]):
                self.left[node.operator] += 1
            else:
                self._known[node.outputs[0]] = scaled
                yield scaled
        elif (
            node.operator == "DequantizeLinear"
            and (looked_up := self._makers.get(inputs[0]))
            and looked_up.operator == "Gather"
        ):
            if (table := self._known.get(looked_up.inputs[0])) and not self._shape(inputs[1]):
                yield replace(table, scale=inputs[1], zero=inputs[2])
        elif node.operator in ("Cast", "Reshape") and first:
            self._known[node.outputs[0]] = first
        elif node.operator == "Mul" and first and second:
            product = _scaled(first, second, inputs, self._graph)
            if product:
                self._known[node.outputs[0]] = product
                yield product
        elif node.operator == "Transpose" and first and len(self._shape(first.stored)) == 2:
            self._known[node.outputs[0]] = replace(first, transposed=not first.transposed)
        elif node.operator in _PRODUCTS and second:
            yield self._product(second, node, inputs)
        elif node.operator == "MatMulInteger" and second:
            yield self._product(replace(second, scale=self._scale_after(node), zero=inputs[3]), node, inputs)
        elif node.operator in _SCALED_PRODUCTS:
            which, scale, zero = _SCALED_PRODUCTS[node.operator]
            if weight := self._known.get(inputs[which]):
                product = self._product(replace(weight, scale=inputs[scale], zero=inputs[zero]), node, inputs)
                yield replace(product, axis=1 if product.transposed else 0)  # one for each output
        elif node.operator in _EMBEDDINGS:
            for which, scale, zero in _EMBEDDINGS[node.operator]:
                if (table := self._known.get(inputs[which])) and inputs[scale] in self._known:
                    yield replace(table, scale=inputs[scale], zero=inputs[zero])
        elif node.operator in PACKED:
            yield from self._packed(node, inputs)
        elif node.operator in UNKNOWN:
            self.left[node.operator] += sum(inputs[which] in self._known for which in UNKNOWN[node.operator])

    def _packed(self, node: Node, inputs: tuple[str, ...]) -> Iterator[Weight]:
        weight, scale, zero = (self._known.get(inputs[which]) for which in PACKED[node.operator])
        if weight is None or scale is None:
            return
        parts = [self._graph.tensors[each.stored] if each else None for each in (weight, scale, zero)]
        found = packing(node, parts[0], parts[1], parts[2]) if parts[0] and parts[1] else None
        if found is None:
            self.left[node.operator] += 1
            return
        whole = replace(weight, scale=scale.stored, zero=zero.stored if zero else "", packing=found)
        if node.operator == "GatherBlockQuantized":
            yield replace(whole, table=node)
        else:
            yield replace(whole, node=node, bias=self._bias(node, inputs))

    def _in_blocks(self, node: Node, stored: str, scale: str) -> bool:
        """Say whether the blocks of a scale can be told from its shape: there are none, or they are as long as they are said to be."""
        size, whole, parts = node.integers.get("block_size", 0), self._shape(stored), self._shape(scale)
        axis = node.integers.get("axis", 1)
        if not size or len(whole) != len(parts) or not -len(whole) <= axis < len(whole):
            return not size
        return side(whole[axis], parts[axis]) in (size, whole[axis]) or parts[axis] == whole[axis]

    def _shape(self, name: str) -> tuple[int, ...]:
        return self._graph.tensors[name].shape if name in self._graph.tensors else ()

    def _product(self, weight: Weight, node: Node, inputs: tuple[str, ...]) -> Weight:
        turned = weight.transposed if node.integers.get("transB", 0) else not weight.transposed
        output = self._output(node) if node.operator in _ATTENTION else None
        return replace(weight, transposed=turned, node=node, bias=self._bias(node, inputs), output=output)

    def _output(self, node: Node) -> tuple[Node, str] | None:
        """Return the product that takes what attention gives, perhaps quantised before, and the constant that is added to it."""
        for _ in range(_FURTHEST):
            users = self._users.get(node.outputs[0], []) if node.outputs else []
            node = next((user for user in users[:_MOST_USERS] if user.operator != "Shape"), _NOWHERE)
            if "MatMul" in node.operator or "Gemm" in node.operator:
                return node, self._bias(node, (*node.inputs, *_NO_MORE))
        return None

    def _bias(self, node: Node, inputs: tuple[str, ...]) -> str:
        """Return the constant that an operator adds to its product, or that is added after it."""
        own = inputs[_BIAS[node.operator]] if node.operator in _BIAS else ""
        return own or self._bias_after(node)

    def _bias_after(self, node: Node) -> str:
        """Return the constant that is added to a product, perhaps after a cast and a scale."""
        for after in self._following(node):
            constants = [name for name in after.inputs[:2] if name in self._graph.tensors]
            if after.operator == "Add" and constants:
                return constants[0]
        return ""

    def _scale_after(self, node: Node) -> str:
        """Return the weight's part of what a product of integers is multiplied by: the scale itself, or times the input's."""
        for after in self._following(node):
            if after.operator != "Mul":
                continue
            for name in after.inputs[:2]:
                maker = self._makers.get(name)
                candidates = (name, *(maker.inputs[:2] if maker and maker.operator == "Mul" else ()))
                if found := next((each for each in candidates if each in self._graph.tensors), ""):
                    return found
        return ""

    def _following(self, node: Node) -> Iterator[Node]:
        """Yield the operators that take a product's result, one after the other, as long as there is one only."""
        for _ in range(_FURTHEST):
            users = self._users.get(node.outputs[0], []) if node.outputs else []
            if len(users) != 1:
                return
            node = users[0]
            yield node
            if node.operator not in ("Cast", "Mul"):
                return


def _scaled(first: Weight, second: Weight, inputs: tuple[str, ...], graph: Graph) -> Weight | None:
    """Return integers multiplied by a constant of floating-point numbers."""
    for table, scale, name in ((first, second, inputs[1]), (second, first, inputs[0])):
        if (
            _is_integer(graph.tensors[table.stored])
            and not table.scale
            and name == scale.stored
            and not _is_integer(graph.tensors[name])
        ):
            return replace(table, scale=name)
    return None


def _is_integer(tensor: TensorInfo) -> bool:
    """Say whether a tensor is of integers that weights are packed into."""
    return tensor.dtype in ("I8", "U8") or tensor.dtype.startswith("ONNX:")
