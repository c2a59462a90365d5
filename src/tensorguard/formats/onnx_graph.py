"""An ONNX model as its file lists it: operators with their inputs and outputs, and the tensors among them.

Messages and field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from tensorguard.errors import quote
from tensorguard.formats.base import TensorInfo
from tensorguard.formats.onnx_tensors import read_tensor
from tensorguard.formats.protobuf import Field, Wire
from tensorguard.limits import MAX_NAME_BYTES, MAX_NESTING, MAX_TENSORS
from tensorguard.sources.base import Source
from tensorguard.sources.remote import Location

_MODEL_GRAPH = 7
_NODE, _INITIALISER, _SPARSE = 1, 5, 15
_INPUT, _OUTPUT, _NAME, _OPERATOR, _ATTRIBUTE = 1, 2, 3, 4, 5
_PROPERTY, _PROPERTY_KEY, _PROPERTY_VALUE = 9, 1, 2
_SCOPES = "pkg.torch.onnx.name_scopes"
"""The property in which torch's exporter lists the modules around an operator, as a Python list that ends with the operator."""
_KEY, _INTEGER, _TENSOR, _GRAPH, _GRAPHS = 1, 3, 5, 6, 11


@dataclass(frozen=True, slots=True)
class Node:
    """An operator.

    Attributes:
        operator: What it does: `MatMul`.
        name: What it is called; often the module it came from.
        inputs: Names of what it takes; an optional input that is left out is empty.
        outputs: Names of what it gives.
        integers: Its attributes that are one integer: `axis`, `transB`.
        module: The module it came from, where the exporter says it beside the name; else empty.
    """

    operator: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    integers: Mapping[str, int]
    module: str = ""


@dataclass
class Graph:
    """A model's operators, those of branches and loops included, in file order, and its constants by name.

    Attributes:
        nodes: All operators.
        tensors: Initialisers, and the values of `Constant` operators under the name of their output.
        sparse: How many initialisers are sparse, which are not read.
    """

    nodes: list[Node] = field(default_factory=list)
    tensors: dict[str, TensorInfo] = field(default_factory=dict)
    sparse: int = 0


def read_graph(source: Source) -> Graph:
    """Read a model's graph; of its tensors, where they lie.

    Raises:
        InputError: The file is no ONNX model, is truncated or malformed, or over a limit.
    """
    wire = Wire(source)
    graph = Graph()
    graphs = [part for part in wire.fields(0, source.size) if part.number == _MODEL_GRAPH]
    if len(graphs) != 1:
        wire.refuse(f"no ONNX model: it has {len(graphs)} graphs")
    _Reader(wire, graph).graph(graphs[0], 1)
    return graph


class _Reader:
    """Adds what messages hold to a graph."""

    def __init__(self, wire: Wire, graph: Graph) -> None:
        self._wire, self._graph = wire, graph
        self._files: dict[Location, Source] = {}

    def graph(self, message: Field, depth: int) -> None:
        """Add a graph's operators and initialisers."""
        if depth > MAX_NESTING:
            self._wire.refuse(f"its graphs are nested more than {MAX_NESTING} deep")
        for part in self._wire.fields(message.begin, message.end):
            if part.number == _INITIALISER:
                self._initialiser(part)
            elif part.number == _NODE:
                self._node(part, depth)
            elif part.number == _SPARSE:
                self._graph.sparse += 1

    def _initialiser(self, message: Field) -> None:
        tensor = read_tensor(self._wire, message.begin, message.end, self._files)
        if tensor is None:
            return
        if tensor.name in self._graph.tensors:
            self._wire.refuse(f"it has the tensor {quote(tensor.name)} twice")
        if len(self._graph.tensors) >= MAX_TENSORS:
            self._wire.refuse(f"it has more than the {MAX_TENSORS} tensors allowed")
        self._graph.tensors[tensor.name] = tensor

    def _node(self, message: Field, depth: int) -> None:
        names: dict[int, list[str]] = {_INPUT: [], _OUTPUT: [], _NAME: [], _OPERATOR: []}
        integers: dict[str, int] = {}
        values: list[Field] = []
        module = ""
        for part in self._wire.fields(message.begin, message.end):
            if part.number in names:
                names[part.number].append(self._wire.text(part, MAX_NAME_BYTES))
            elif part.number == _ATTRIBUTE:
                values += self._attribute(part, integers, depth)
            elif part.number == _PROPERTY:
                module = self._module(part) or module
        outputs = tuple(names[_OUTPUT])
        self._graph.nodes.append(
            Node("".join(names[_OPERATOR]), "".join(names[_NAME]), tuple(names[_INPUT]), outputs, integers, module)
        )
        for value in values:
            tensor = read_tensor(self._wire, value.begin, value.end, self._files)
            if tensor is not None and outputs:
                self._graph.tensors.setdefault(outputs[0], _renamed(tensor, outputs[0]))

    def _module(self, message: Field) -> str:
        """Return the innermost module of an operator's property, if it is the one that lists them."""
        parts = {part.number: part for part in self._wire.fields(message.begin, message.end)}
        key, value = parts.get(_PROPERTY_KEY), parts.get(_PROPERTY_VALUE)
        if not key or not value or max(key.end - key.begin, value.end - value.begin) > MAX_NAME_BYTES:
            return ""
        if self._wire.text(key, MAX_NAME_BYTES) != _SCOPES:
            return ""
        scopes = re.findall(r"'([^']*)'", self._wire.text(value, MAX_NAME_BYTES))
        return scopes[-2] if len(scopes) > 1 else ""

    def _attribute(self, message: Field, integers: dict[str, int], depth: int) -> list[Field]:
        """Note an attribute's integer, follow its graphs, and return its tensor."""
        key, number, tensors, graphs = "", None, [], []
        for part in self._wire.fields(message.begin, message.end):
            if part.number == _KEY:
                key = self._wire.text(part, MAX_NAME_BYTES)
            elif part.number == _INTEGER:
                number = part.signed
            elif part.number == _TENSOR:
                tensors.append(part)
            elif part.number in (_GRAPH, _GRAPHS):
                graphs.append(part)
        if number is not None:
            integers[key] = number
        for graph in graphs:
            self.graph(graph, depth + 1)
        return tensors


def _renamed(tensor: TensorInfo, name: str) -> TensorInfo:
    return TensorInfo(name, tensor.dtype, tensor.shape, tensor.source, tensor.offset, tensor.nbytes)
