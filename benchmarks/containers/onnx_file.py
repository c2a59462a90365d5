"""ONNX as PyTorch exports it, quantised by ONNX Runtime's tools, and what ONNX Runtime itself makes of the quantised matrices."""

import logging
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.containers.base import Container, Original, Tensors, UnfitError
from benchmarks.containers.libraries import named

_ALIKE = 0.5
"""Cosine from which on a decoded matrix is the original's of that shape that it is nearest to: names are lost on the way."""


def containers() -> Iterator[Container]:
    """Yield every container of ONNX."""
    exporter = named("torch", "onnxscript")
    yield Container("ONNX F32", exporter, _exported)
    quantised = named("onnxruntime")
    yield Container("ONNX dynamic int8", quantised, _quantised(_dynamic(per_channel=False)))
    yield Container("ONNX dynamic int8, by row", quantised, _quantised(_dynamic(per_channel=True)))
    yield Container("ONNX QDQ int8", quantised, _quantised(_qdq))
    for bits, symmetric in ((4, True), (4, False), (8, True)):
        name = f"ONNX MatMulNBits {bits}, {'symmetric' if symmetric else 'asymmetric'}"
        yield Container(name, quantised, _quantised(_n_bits(bits, symmetric=symmetric)))


class _Logits(torch.nn.Module):
    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.model(input_ids=tokens, use_cache=False).logits


def _exported(model: Original, folder: Path) -> None:
    """Export by torch.onnx; the values lie in a file beside the graph."""
    from transformers import AutoModelForCausalLM

    if model.config["model_type"] == "mixtral":
        raise UnfitError("PyTorch's exporter does not follow its routing")
    logging.disable(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = AutoModelForCausalLM.from_pretrained(model.folder, dtype=torch.float32, attn_implementation="eager").eval()
        tokens = torch.arange(10).reshape(1, 10)
        torch.onnx.export(_Logits(made), (tokens,), folder / "model.onnx", dynamo=True, external_data=True, verbose=False)
    logging.disable(logging.NOTSET)


def _quantised(quantise: Callable[[Path, Path], None]) -> Callable[[Original, Path], Tensors]:
    def write(model: Original, folder: Path) -> Tensors:
        plain = folder / "plain"
        plain.mkdir()
        _exported(model, plain)
        logging.disable(logging.WARNING)
        quantise(plain / "model.onnx", folder / "model.onnx")
        logging.disable(logging.NOTSET)
        shutil.rmtree(plain)
        return _named(model, _decoded(folder / "model.onnx"))

    return write


def _dynamic(*, per_channel: bool) -> Callable[[Path, Path], None]:
    def quantise(plain: Path, to: Path) -> None:
        from onnxruntime.quantization import QuantType, quantize_dynamic

        quantize_dynamic(plain, to, weight_type=QuantType.QInt8, per_channel=per_channel)

    return quantise


def _qdq(plain: Path, to: Path) -> None:
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

    class Tokens(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.left = [{"tokens": np.arange(10, dtype=np.int64).reshape(1, 10)}]

        def get_next(self) -> Mapping[str, Any] | None:
            return self.left.pop() if self.left else None

    quantize_static(plain, to, Tokens(), quant_format=QuantFormat.QDQ, op_types_to_quantize=["MatMul"], per_channel=True)


def _n_bits(bits: int, *, symmetric: bool) -> Callable[[Path, Path], None]:
    def quantise(plain: Path, to: Path) -> None:
        import onnx
        from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

        work = MatMulNBitsQuantizer(onnx.load(plain), bits=bits, block_size=32, is_symmetric=symmetric)
        work.process()
        work.model.save_model_to_file(str(to))

    return quantise


def _decoded(path: Path) -> list[np.ndarray]:
    """Return the quantised matrices, inputs x outputs, as ONNX Runtime decodes them."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(path).graph
    held = {each.name: each for each in graph.initializer}
    values: list[np.ndarray] = []
    for node in graph.node:
        if node.op_type == "MatMulNBits":
            width = next(a.i for a in node.attribute if a.name == "K")
            values.append(_run(node, held, {node.input[0]: np.eye(width, dtype=np.float32)}))
        elif node.op_type == "DequantizeLinear" and node.input[0] in held and len(held[node.input[0]].dims) == 2:
            values.append(_run(node, held, {}))
    for name in held:
        if name.endswith("_quantized") and len(held[name].dims) == 2 and f"{name.removesuffix('_quantized')}_scale" in held:
            stem = name.removesuffix("_quantized")
            if not any(name in node.input and node.op_type == "DequantizeLinear" for node in graph.node):
                scale = numpy_helper.to_array(held[f"{stem}_scale"])
                axis = [onnx.helper.make_attribute("axis", 1)] if scale.ndim else []
                inputs = [name, f"{stem}_scale", f"{stem}_zero_point"]
                node = onnx.helper.make_node("DequantizeLinear", inputs, ["out"])
                node.attribute.extend(axis)
                values.append(_run(node, held, {}))
    return values


def _run(node: Any, held: Mapping[str, Any], given: dict[str, np.ndarray]) -> np.ndarray:
    """Run one operator of a model."""
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper

    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, list(value.shape)) for name, value in given.items()]
    output = helper.make_tensor_value_info(node.output[0], TensorProto.FLOAT, None)
    graph = helper.make_graph([node], "one", inputs, [output], [held[name] for name in node.input if name in held])
    domains = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    session = onnxruntime.InferenceSession(
        onnx.helper.make_model(graph, opset_imports=domains, ir_version=10).SerializeToString()
    )
    result: np.ndarray = session.run(None, given)[0]
    return result


def _named(model: Original, decoded: list[np.ndarray]) -> Tensors:
    """Put each decoded matrix in the place of the original's that it resembles."""
    meant = dict(model.tensors)
    left = {name for name, value in meant.items() if value.ndim == 2}
    for value in map(torch.from_numpy, decoded):
        turned = value.T.contiguous()
        fits = {name: turned if meant[name].shape == turned.shape and not model.turned(name) else value for name in left}
        close = {
            name: float(torch.nn.functional.cosine_similarity(each.flatten(), meant[name].flatten(), dim=0))
            for name, each in fits.items()
            if each.shape == meant[name].shape
        }
        best = max(close, key=close.__getitem__, default=None)
        if best is None or close[best] < _ALIKE:
            raise UnfitError("a quantised matrix resembles none of the original's")
        meant[best] = fits[best].clone()
        left.remove(best)
    if not decoded:
        raise UnfitError("nothing was quantised")
    return meant
