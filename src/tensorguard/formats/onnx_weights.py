"""Which tensors of an ONNX graph are the weights of its layers: how they lie, what scales them, and what they are called.

An exporter folds `x @ W.T` into a product with a constant of its own, transposed and without a name (`onnx::MatMul_470`, `val_49`);
a quantiser puts integers, a scale and a zero point in its place. Both are told from the operators that use the constant.
Operators: https://onnx.ai/onnx/operators/ and, for com.microsoft, onnxruntime's docs/ContribOperators.md.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from tensorguard.formats.base import TensorInfo
from tensorguard.formats.onnx_graph import Graph, Node

_SCALED_PRODUCTS: Mapping[str, tuple[int, int, int]] = {
    "QLinearMatMul": (3, 4, 5),
    "DynamicQuantizeMatMul": (1, 2, 3),
    "MatMulIntegerToFloat": (1, 3, 5),
}
"""Products of integers that take the weight, its scale and its zero point, and as which of their inputs."""

_FURTHEST = 4
"""How many operators after a product its scale and its bias are looked for."""


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
    """

    stored: str
    transposed: bool = False
    scale: str = ""
    zero: str = ""
    axis: int = -1
    node: Node | None = None
    bias: str = ""


def weights(graph: Graph) -> Iterator[Weight]:
    """Yield the constants that layers multiply by, once for each use, in the order of the operators."""
    yield from _Uses(graph).find()


class _Uses:
    """Follows constants through a graph."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
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
                yield from self._use(node, (*node.inputs, "", "", "", "", "", ""))

    def _use(self, node: Node, inputs: tuple[str, ...]) -> Iterator[Weight]:
        first, second = self._known.get(inputs[0]), self._known.get(inputs[1])
        if node.operator == "DequantizeLinear" and first:
            self._known[node.outputs[0]] = replace(first, scale=inputs[1], zero=inputs[2], axis=node.integers.get("axis", 1))
            yield self._known[node.outputs[0]]
        elif (
            node.operator == "DequantizeLinear"
            and (looked_up := self._makers.get(inputs[0]))
            and looked_up.operator == "Gather"
        ):
            if (table := self._known.get(looked_up.inputs[0])) and not self._shape(inputs[1]):
                yield replace(table, scale=inputs[1], zero=inputs[2])
        elif node.operator == "Cast" and first:
            self._known[node.outputs[0]] = first
        elif node.operator == "Mul" and first and second:
            product = _scaled(first, second, inputs, self._graph)
            if product:
                self._known[node.outputs[0]] = product
                yield product
        elif node.operator == "Transpose" and first and len(self._shape(first.stored)) == 2:
            self._known[node.outputs[0]] = replace(first, transposed=not first.transposed)
        elif node.operator == "MatMul" and second:
            yield self._product(second, node, transposed=not second.transposed)
        elif node.operator == "Gemm" and second:
            flipped = second.transposed if node.integers.get("transB", 0) else not second.transposed
            yield replace(self._product(second, node, transposed=flipped), bias=inputs[2])
        elif node.operator == "MatMulInteger" and second:
            scaled = replace(second, scale=self._scale_after(node), zero=inputs[3])
            yield self._product(scaled, node, transposed=not second.transposed)
        elif node.operator in _SCALED_PRODUCTS:
            which, scale, zero = _SCALED_PRODUCTS[node.operator]
            if weight := self._known.get(inputs[which]):
                scaled = replace(weight, scale=inputs[scale], zero=inputs[zero])
                yield self._product(scaled, node, transposed=not weight.transposed)

    def _shape(self, name: str) -> tuple[int, ...]:
        return self._graph.tensors[name].shape if name in self._graph.tensors else ()

    def _product(self, weight: Weight, node: Node, *, transposed: bool) -> Weight:
        return replace(weight, transposed=transposed, node=node, bias=self._bias_after(node))

    def _bias_after(self, node: Node) -> str:
        """Return the constant that is added to a product, perhaps after a cast and a scale."""
        for after in self._following(node):
            constants = [name for name in after.inputs if name in self._graph.tensors]
            if after.operator == "Add" and constants:
                return constants[0]
        return ""

    def _scale_after(self, node: Node) -> str:
        """Return the weight's part of what a product of integers is multiplied by: the scale itself, or times the input's."""
        for after in self._following(node):
            if after.operator != "Mul":
                continue
            for name in after.inputs:
                maker = self._makers.get(name)
                candidates = (name, *(maker.inputs if maker and maker.operator == "Mul" else ()))
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
    return tensor.dtype in ("I8", "U8", "ONNX:INT4", "ONNX:UINT4")
