"""Make the golden ONNX file with onnxruntime; README.md says how it is decoded there.

    python make_onnx.py OUT

Each weight is packed by onnxruntime's quantisers (or by hand where they cannot), and the identity is passed through its operator: what
comes out is what onnxruntime makes of the weight, kept as the initialiser `reference/NAME`.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization.matmul_bnb4_quantizer import MatMulBnb4Quantizer
from onnxruntime.quantization.matmul_nbits_quantizer import DefaultWeightOnlyQuantConfig, MatMulNBitsQuantizer
from onnxruntime.quantization.quant_utils import QuantFormat

MICROSOFT = "com.microsoft"
OPSETS = [helper.make_opsetid("", 21), helper.make_opsetid(MICROSOFT, 1)]


def model(nodes, tensors, width):
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, width])
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    initialisers = [t if isinstance(t, onnx.TensorProto) else numpy_helper.from_array(t[1], t[0]) for t in tensors]
    graph = helper.make_graph(nodes, "graph", [value], [out], initialisers)
    return helper.make_model(graph, opset_imports=OPSETS, ir_version=10)


def run(made, x):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    (found,) = onnxruntime.InferenceSession(made.SerializeToString(), options).run(None, {"x": x})
    return np.asarray(found, np.float32)


def matrix(rows, columns, seed):
    return (np.random.default_rng(seed).standard_normal((rows, columns)) * 0.1).astype(np.float32)


class Golden:
    """Nodes and initialisers of all cases, renamed so that they can stand in one graph."""

    def __init__(self):
        self.nodes, self.tensors, self.kinds = [], [], {}

    def add(self, name, made, x, flipped=True):
        reference = run(made, x)
        reference = np.ascontiguousarray(reference.T if flipped else reference)
        own = {tensor.name for tensor in made.graph.initializer}
        inner = {output for node in made.graph.node for output in node.output}
        for tensor in made.graph.initializer:
            tensor.name = f"{name}.{tensor.name}"
            self.tensors.append(tensor)
        for node in made.graph.node:
            node.input[:] = [f"{name}.{each}" if each in own | inner else each for each in node.input]
            node.output[:] = [f"{name}.{each}" for each in node.output]
            node.name = f"/{name}/{node.op_type}"
            self.nodes.append(node)
        self.tensors.append(numpy_helper.from_array(reference, f"reference/{name}.{'weight' if flipped else 'table.weight'}"))

    def product(self, name, weight, quantise):
        """A product with a weight of inputs x outputs, quantised by one of onnxruntime's tools."""
        node = helper.make_node("MatMul", ["x", "onnx::MatMul_1"], ["y"], name="/m/MatMul")
        plain = model([node], [("onnx::MatMul_1", weight)], len(weight))
        self.add(name, quantise(plain), np.eye(len(weight), dtype=np.float32))


def bits(number, symmetric, size, form=QuantFormat.QOperator, **more):
    def quantise(plain):
        config = DefaultWeightOnlyQuantConfig(
            block_size=size, is_symmetric=symmetric, bits=number, quant_format=form, accuracy_level=1, **more
        )
        tool = MatMulNBitsQuantizer(plain, algo_config=config)
        tool.process()
        return tool.model.model

    return quantise


def bnb(code, size):
    def quantise(plain):
        tool = MatMulBnb4Quantizer(plain, code, size)
        tool.process()
        return tool.model.model

    return quantise


def table(golden, name, number, symmetric, rows, columns, size, packed):
    """A table that is looked up: by the tool (INT4), or in bytes as onnxruntime-genai writes it."""
    weight, x = matrix(rows, columns, 7), np.arange(rows).astype(np.float32)
    cast = helper.make_node("Cast", ["x"], ["i"], to=TensorProto.INT64)
    if not packed:
        plain = model([cast, helper.make_node("Gather", ["table.weight", "i"], ["y"])], [("table.weight", weight)], None)
        config = DefaultWeightOnlyQuantConfig(
            block_size=size, is_symmetric=symmetric, op_types_to_quantize=("Gather",), quant_axes=(("Gather", 1),)
        )
        tool = MatMulNBitsQuantizer(plain, algo_config=config)
        tool.process()
        made = tool.model.model
    else:
        rng = np.random.default_rng(8)
        blocks = -(-columns // size)
        tensors = [
            ("table.weight", rng.integers(0, 256, (rows, columns * number // 8)).astype(np.uint8)),
            ("scales", (rng.random((rows, blocks)) * 0.1).astype(np.float32)),
            ("zeros", rng.integers(0, 256, (rows, -(-blocks * number // 8))).astype(np.uint8)),
        ]
        inputs = ["table.weight", "i", "scales"] + ([] if symmetric else ["zeros"])
        gather = helper.make_node(
            "GatherBlockQuantized",
            inputs,
            ["y"],
            domain=MICROSOFT,
            bits=number,
            block_size=size,
            gather_axis=0,
            quantize_axis=1,
        )
        made = model([cast, gather], tensors[: 2 if symmetric else 3], None)
    made.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", TensorProto.FLOAT, [None]))
    golden.add(name, made, x, flipped=False)


def gemm(golden):
    """QGemm: integers with a scale for each output, and a bias."""
    rng = np.random.default_rng(9)
    numbers = rng.integers(-128, 128, (24, 16)).astype(np.int8)
    tensors = [
        ("xs", np.float32(1 / 16)), ("xz", np.uint8(0)), ("onnx::Gemm_1", numbers),
        ("scales", (rng.random(24) * 0.1 + 0.01).astype(np.float32)), ("zeros", np.zeros(24, np.int8)),
    ]  # fmt: skip
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "xs", "xz"], ["q"]),
        helper.make_node("QGemm", ["q", "xs", "xz", "onnx::Gemm_1", "scales", "zeros"], ["y"], domain=MICROSOFT, transB=1),
    ]
    golden.add("qgemm", model(nodes, tensors, 16), np.eye(16, dtype=np.float32))


def main(out):
    golden = Golden()
    for number in (2, 4, 8):
        for symmetric in (True, False):
            golden.product(
                f"nbits{number}.{'sym' if symmetric else 'asym'}", matrix(72, 6, number), bits(number, symmetric, 32)
            )
    golden.product("nbits4.one_block", matrix(24, 6, 5), bits(4, False, 32))
    golden.product("nbits4.three_blocks", matrix(96, 6, 5), bits(4, False, 32))
    for symmetric in (True, False):
        name = "sym" if symmetric else "asym"
        golden.product(f"qdq4.{name}", matrix(80, 5, 6), bits(4, symmetric, 32, QuantFormat.QDQ))
    for code, number in (("fp4", 0), ("nf4", 1)):
        golden.product(code, matrix(33, 7, 3), bnb(number, 32))
    for symmetric in (True, False):
        name = "sym" if symmetric else "asym"
        table(golden, f"table4.{name}", 4, symmetric, 5, 48, 32, packed=False)
        for number in (4, 8):
            table(golden, f"bytes{number}.{name}", number, symmetric, 5, 96, 32, packed=True)
    gemm(golden)
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, None)
    graph = helper.make_graph(golden.nodes, "graph", [value], [], golden.tensors)
    onnx.save(helper.make_model(graph, opset_imports=OPSETS, ir_version=10), Path(out) / "onnx.onnx")


if __name__ == "__main__":
    main(sys.argv[1])
