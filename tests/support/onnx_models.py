"""Small ONNX models by the `onnx` package, with the patterns that exporters and quantisers write."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Array = NDArray[np.generic]


def node(operator: str, inputs: Sequence[str], output: str, name: str = "", **attributes: object) -> onnx.NodeProto:
    """An operator with one output."""
    return helper.make_node(operator, list(inputs), [output], name=name or output, **attributes)


def save_onnx(
    path: Path, tensors: dict[str, Array] | Sequence[onnx.TensorProto], nodes: Sequence[onnx.NodeProto] = (), **options: object
) -> Path:
    """A model with these initialisers and operators; nothing checks that it computes anything."""
    initialisers = [numpy_helper.from_array(v, k) for k, v in tensors.items()] if isinstance(tensors, dict) else list(tensors)
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, None])
    graph = helper.make_graph(list(nodes), "graph", [value], [], initialisers)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(helper.make_model(graph), path, **options)  # type: ignore[arg-type]
    return path
