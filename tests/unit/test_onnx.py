"""ONNX files, against what the `onnx` package makes of their tensors."""

from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from onnx import helper, numpy_helper

from support.containers import save_model
from support.onnx_models import Array, node, save_onnx
from tensorguard import open_model
from tensorguard.errors import InputError
from tensorguard.formats.opening import open_checkpoint
from tensorguard.tensors.base import Stored, extent
from tensorguard.tensors.decoding import PLAIN
from tensorguard.tensors.storage import stored_tensors

TYPES = [
    np.float32, np.float64, np.float16, ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2, np.int8, np.uint8, np.int16,
    np.uint16, np.int32, np.int64, np.uint32, np.uint64, np.bool_,
]  # fmt: skip


def whole(stored: Stored) -> Array:
    rows, columns = extent(stored)
    return stored.read(slice(0, rows), slice(0, columns)).reshape(stored.shape)


def tensors_of(path: Path) -> dict[str, Stored]:
    return {stored.name: stored for stored in open_model(path).tensors}


@pytest.mark.parametrize("dtype", TYPES, ids=lambda dtype: np.dtype(dtype).name)
@pytest.mark.parametrize("raw", [True, False])
def test_every_type_raw_and_as_a_list(tmp_path: Path, dtype: type, raw: bool) -> None:
    values = (np.arange(-10, 11).reshape(3, 7) * 3).astype(dtype)
    kind = helper.np_dtype_to_tensor_dtype(values.dtype)
    content = (
        values.tobytes() if raw else values.astype(np.float64 if values.dtype.kind == "V" else values.dtype).flatten().tolist()
    )
    tensor = helper.make_tensor("layer.0.weight", kind, values.shape, content, raw=raw)
    save_onnx(tmp_path / "m.onnx", [tensor])
    (stored,) = stored_tensors(open_checkpoint(tmp_path / "m.onnx").tensors)
    assert stored.shape == (3, 7)
    got = stored.plain_bytes(slice(0, 3), slice(0, 7)).view(PLAIN[stored.dtype])
    assert got.tobytes() == numpy_helper.to_array(tensor).tobytes()
    assert np.array_equal(stored.read(slice(1, 3), slice(2, 5)), values[1:3, 2:5].astype(np.float32))


def test_external_data(tmp_path: Path) -> None:
    tensors = {f"layer.{n}.weight": np.random.default_rng(n).standard_normal((40, 30)).astype(np.float32) for n in range(4)}
    save_onnx(tmp_path / "model.onnx", tensors, save_as_external_data=True, location="model.onnx_data", size_threshold=100)
    assert (tmp_path / "model.onnx_data").stat().st_size >= 4 * 4800
    for path in (tmp_path, tmp_path / "model.onnx"):
        checkpoint = open_checkpoint(path)
        assert (checkpoint.container, checkpoint.name) == ("onnx", tmp_path.name)
        for stored in stored_tensors(checkpoint.tensors):
            assert np.array_equal(whole(stored), tensors[stored.name])
    (tmp_path / "model.onnx_data").unlink()
    with pytest.raises(InputError, match=r"'model.onnx_data', which is not there"):
        open_checkpoint(tmp_path)


def linear(scope: str, constant: str, bias: str = "") -> list[object]:
    product = node("MatMul", ["x", constant], f"/{scope}/MatMul_output_0", f"/{scope}/MatMul")
    return [product, node("Add", [bias, product.output[0]], f"/{scope}/Add_output_0")] if bias else [product]


WEIGHT = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)
"""Inputs x outputs, as a product takes it."""


@pytest.mark.parametrize(
    ("nodes", "name"),
    [
        (linear("m/output/dense", "onnx::MatMul_7", "bert.encoder.layer.0.output.dense.bias"), "bert.encoder.layer.0.output.dense.weight"),
        (linear("model/layers.1/mlp/up_proj", "onnx::MatMul_7"), "model.layers.1.mlp.up_proj.weight"),
        (linear("model/model.0/auto_model/dense", "onnx::MatMul_7"), "model.0.auto_model.dense.weight"),
        ([node("MatMul", ["x", "onnx::MatMul_7"], "y", "MatMul_3")], "onnx::MatMul_7"),
    ],
)  # fmt: skip
def test_an_anonymous_matrix_is_named_and_turned(tmp_path: Path, nodes: list[object], name: str) -> None:
    bias = {"bert.encoder.layer.0.output.dense.bias": np.ones(4, np.float32)}
    save_onnx(tmp_path / "m.onnx", {"onnx::MatMul_7": WEIGHT} | bias, nodes)  # type: ignore[arg-type]
    tensors = tensors_of(tmp_path / "m.onnx")
    assert np.array_equal(whole(tensors[name]), WEIGHT.T)
    assert set(tensors) == {name, *bias}


def test_the_module_that_an_exporter_notes(tmp_path: Path) -> None:
    product = node("MatMul", ["x", "val_49"], "y", "node_linear_7")
    product.metadata_props.add(key="pkg.torch.onnx.stack_trace", value="x" * 10_000)
    product.metadata_props.add(
        key="pkg.torch.onnx.name_scopes", value="['', 'model', 'model.layers.0', 'model.layers.0.q_proj', 'linear_7']"
    )
    save_onnx(tmp_path / "m.onnx", {"val_49": WEIGHT}, [product])
    assert np.array_equal(whole(tensors_of(tmp_path / "m.onnx")["model.layers.0.q_proj.weight"]), WEIGHT.T)


def test_own_names_stay_as_they_are(tmp_path: Path) -> None:
    tensors = {"h.0.attn.c_attn.weight": WEIGHT, "fc.weight": WEIGHT, "model.layers.0.q_proj.MatMul.weight": WEIGHT}
    nodes = [
        node("Gemm", ["x", "h.0.attn.c_attn.weight"], "a"),
        node("Gemm", ["x", "fc.weight"], "b", transB=1),
        node("MatMul", ["x", "model.layers.0.q_proj.MatMul.weight"], "c"),
    ]
    save_onnx(tmp_path / "m.onnx", tensors, nodes)
    found = tensors_of(tmp_path / "m.onnx")
    assert np.array_equal(whole(found["h.0.attn.c_attn.weight"]), WEIGHT)  # GPT-2 keeps inputs x outputs in its checkpoint, too
    assert np.array_equal(whole(found["fc.weight"]), WEIGHT)
    assert np.array_equal(whole(found["model.layers.0.q_proj.weight"]), WEIGHT.T)


def test_two_matrices_that_would_have_one_name_keep_their_own(tmp_path: Path) -> None:
    nodes = [*linear("a/b", "onnx::MatMul_1"), *linear("a/b", "onnx::MatMul_2")]
    nodes[1].name += "_again"  # type: ignore[attr-defined]
    save_onnx(tmp_path / "m.onnx", {"onnx::MatMul_1": WEIGHT, "onnx::MatMul_2": WEIGHT + 1}, nodes)  # type: ignore[arg-type]
    assert set(tensors_of(tmp_path / "m.onnx")) == {"onnx::MatMul_1", "onnx::MatMul_2"}


def test_constants_of_the_graph_are_left_aside(tmp_path: Path) -> None:
    constant = helper.make_node("Constant", [], ["/Constant_output_0"], value=numpy_helper.from_array(np.arange(3), "value"))
    held = helper.make_node("Constant", [], ["/c"], value=numpy_helper.from_array(WEIGHT, "value"))
    inner = helper.make_graph([held], "then", [], [])
    nodes = [constant, helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=inner), *linear("m/fc", "/c")]
    save_onnx(tmp_path / "m.onnx", {"val_8": np.arange(4), "a.weight": WEIGHT, "eps": np.float32(1e-5)}, nodes)
    checkpoint = open_checkpoint(tmp_path / "m.onnx")
    assert {info.name for info in checkpoint.tensors} == {"a.weight", "m.fc.weight"}
    assert any("3 constants of the graph" in notice for notice in checkpoint.notices)


INTEGERS = np.random.default_rng(1).integers(-128, 128, (6, 4)).astype(np.int8)
BYTES = INTEGERS.view(np.uint8)
SCALES = np.array([0.5, 0.25, 0.125, 3], np.float32)
ROWS = np.array([1, 2, 3, 4, 5, 6], np.float32)


def dequantised(q: Array, scale: Array, zero: Array | int = 0) -> Array:
    return (q.astype(np.float32) - np.asarray(zero, np.float32)) * scale


QUANTISED = {
    "QDQ, one scale": (
        {"onnx::MatMul_7_quantized": BYTES, "s": np.float32(0.5), "z": np.uint8(120)},
        [node("DequantizeLinear", ["onnx::MatMul_7_quantized", "s", "z"], "w"), *linear("m/fc", "w")],
        dequantised(BYTES, np.float32(0.5), 120).T,
    ),
    "QDQ, a scale per output": (
        {"onnx::MatMul_7_quantized": INTEGERS, "s": SCALES, "z": np.array([1, -2, 0, 5], np.int8)},
        [node("DequantizeLinear", ["onnx::MatMul_7_quantized", "s", "z"], "w", axis=1), *linear("m/fc", "w")],
        dequantised(INTEGERS, SCALES, np.array([1, -2, 0, 5])).T,
    ),
    "QDQ, a scale per input": (
        {"onnx::MatMul_7_quantized": INTEGERS, "s": ROWS},
        [node("DequantizeLinear", ["onnx::MatMul_7_quantized", "s"], "w", axis=0), *linear("m/fc", "w")],
        dequantised(INTEGERS, ROWS[:, None]).T,
    ),
    "QDQ of a transposed matrix": (
        {"onnx::Transpose_9": INTEGERS.T.copy(), "s": SCALES},
        [node("DequantizeLinear", ["onnx::Transpose_9", "s"], "w", axis=0), node("Transpose", ["w"], "t"), *linear("m/fc", "t")],
        dequantised(INTEGERS, SCALES).T,
    ),
    "dynamic": (
        {"onnx::MatMul_7_quantized": BYTES, "s": np.float32(0.5), "z": np.uint8(7)},
        [
            node("DynamicQuantizeLinear", ["x"], "xq"),
            node("MatMulInteger", ["xq", "onnx::MatMul_7_quantized", "xz", "z"], "i", "/m/fc/MatMul_quant"),
            node("Cast", ["i"], "f", to=1),
            node("Mul", ["xs", "s"], "both"),
            node("Mul", ["f", "both"], "p"),
        ],
        dequantised(BYTES, np.float32(0.5), 7).T,
    ),
    "dynamic, fused": (
        {"onnx::MatMul_7_quantized": INTEGERS, "s": SCALES, "z": np.zeros(4, np.int8)},
        [node("DynamicQuantizeMatMul", ["x", "onnx::MatMul_7_quantized", "s", "z"], "p", "/m/fc/MatMul_quant")],
        dequantised(INTEGERS, SCALES).T,
    ),
    "QLinearMatMul": (
        {"onnx::MatMul_7_quantized": INTEGERS, "s": SCALES, "z": np.zeros(4, np.int8)},
        [node("QLinearMatMul", ["x", "xs", "xz", "onnx::MatMul_7_quantized", "s", "z", "ys", "yz"], "p", "/m/fc/MatMul_quant")],
        dequantised(INTEGERS, SCALES).T,
    ),
    "cast and product": (
        {"val_7_q": INTEGERS, "s": ROWS[:, None]},
        [node("Cast", ["val_7_q"], "f", to=1), node("Mul", ["f", "s"], "w"), *linear("m/fc", "w")],
        dequantised(INTEGERS, ROWS[:, None]).T,
    ),
    "a table, looked up before it is scaled": (
        {"m.fc.weight_quantized": BYTES, "s": np.float32(0.1), "z": np.uint8(128)},
        [node("Gather", ["m.fc.weight_quantized", "x"], "g"), node("DequantizeLinear", ["g", "s", "z"], "e")],
        dequantised(BYTES, np.float32(0.1), 128),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", QUANTISED)
def test_quantised_matrices_are_multiplied_out(tmp_path: Path, name: str) -> None:
    tensors, nodes, expected = QUANTISED[name]
    save_onnx(tmp_path / "m.onnx", tensors, nodes)  # type: ignore[arg-type]
    model = open_model(tmp_path / "m.onnx")
    assert [(stored.name, stored.dtype) for stored in model.tensors] == [("m.fc.weight", "ONNX-8")]
    assert np.array_equal(whole(model.tensors[0]), expected)
    assert np.array_equal(model.tensors[0].read(slice(1, 3), slice(2, 4)), expected[1:3, 2:4])


def test_a_folder_of_a_repository(tmp_path: Path) -> None:
    folder = tmp_path / "some-model" / "onnx"
    for name in ("model.onnx", "model_quantized.onnx"):
        save_onnx(folder / name, {"a.weight": WEIGHT})
    (folder.parent / "config.json").write_text('{"model_type": "bert"}')
    checkpoint = open_checkpoint(folder)
    assert (checkpoint.name, checkpoint.config) == ("some-model", {"model_type": "bert"})
    assert "'model.onnx' was opened" in checkpoint.notices[0]
    assert open_checkpoint(folder / "model_quantized.onnx").name == "model_quantized"
    save_model(folder / "model.safetensors")
    assert open_checkpoint(folder).container == "safetensors"
