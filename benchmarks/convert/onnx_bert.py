"""A BERT encoder in ONNX, as safetensors with BERT's own names.

An exporter keeps the names of biases, norms and embeddings but folds `x @ W.T` into a MatMul by an anonymous constant (`onnx::MatMul_470`,
`val_49`), transposed. Its name is recovered from the graph: the product is added to a bias that still has its name.
A table stored as int8 with a scale per row or column (`Cast` then `Mul`) is multiplied out, exactly as the graph would.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.checkpoint import entry, write_model
from benchmarks.convert.bert import bert_config

_BERT_NAME = re.compile(r"(?:^|\.)((?:embeddings|encoder|pooler)\..*\.(?:weight|bias))$")


def convert(source: Path, folder: Path, *, heads: int) -> None:
    """Write `source` as a model folder in float32.

    Args:
        source: The ONNX file (its data inside).
        folder: Where `model.safetensors` and `config.json` go.
        heads: Attention heads: no shape of a weight shows it.
    """
    tensors = named_tensors(source)
    layers = 1 + max(int(name.split(".")[2]) for name in tensors if name.startswith("encoder.layer."))
    vocabulary, hidden = tensors["embeddings.word_embeddings.weight"].shape
    config = bert_config(
        hidden=hidden,
        layers=layers,
        heads=heads,
        intermediate=tensors["encoder.layer.0.intermediate.dense.weight"].shape[0],
        vocabulary=vocabulary,
        positions=tensors["embeddings.position_embeddings.weight"].shape[0],
        types=tensors["embeddings.token_type_embeddings.weight"].shape[0],
    )
    write_model(folder, [entry(name, tensors[name]) for name in sorted(tensors)], config)


def named_tensors(source: Path) -> dict[str, np.ndarray]:
    """Return every weight of the encoder as float32, out x in, under its BERT name."""
    import onnx

    graph = onnx.load(source).graph
    constants = _constants(graph)
    found = {match[1]: value for name, value in constants.items() if (match := _BERT_NAME.search(name))}
    products = {
        node.output[0]: constants[node.input[1]]
        for node in graph.node
        if node.op_type == "MatMul" and node.input[1] in constants
    }
    for node in graph.node:
        if node.op_type == "Add":
            for product, bias in (node.input, reversed(node.input)):
                match = _BERT_NAME.search(bias)
                if product in products and match:
                    found[match[1].removesuffix("bias") + "weight"] = products.pop(product).T
    if products:
        raise ValueError(f"{source}: {len(products)} matrices have no bias with a name")
    return {name: np.ascontiguousarray(value, dtype=np.float32) for name, value in found.items()}


def _constants(graph: Any) -> dict[str, np.ndarray]:
    """Evaluate what depends on stored tensors alone: the tensors and, of these, casts to float32 and products."""
    from onnx import numpy_helper

    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:  # a graph is stored in topological order
        if all(name in constants for name in node.input):
            if node.op_type == "Cast":
                constants[node.output[0]] = constants[node.input[0]].astype(np.float32)
            elif node.op_type == "Mul":
                constants[node.output[0]] = constants[node.input[0]] * constants[node.input[1]]
    return constants
