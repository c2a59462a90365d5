"""ONNX weights of few bits, against what onnxruntime makes of the same file; tests/golden/quantised/README.md says how it was made."""

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from support.onnx_models import Array, node, save_onnx
from tensorguard import open_model
from tensorguard.formats.onnx_packed import side
from tensorguard.formats.opening import open_checkpoint
from tensorguard.quantisations.unpacking import unpacked
from tensorguard.tensors.base import Stored, extent
from tensorguard.tensors.storage import stored_tensors

GOLDEN = Path(__file__).parents[1] / "golden" / "quantised" / "onnx.onnx"
MARK = "reference/"


def whole(stored: Stored) -> Array:
    rows, columns = extent(stored)
    return stored.read(slice(0, rows), slice(0, columns))


def test_every_value_is_onnxruntimes() -> None:
    stored = stored_tensors(open_checkpoint(GOLDEN).tensors)
    result = unpacked([each for each in stored if not each.name.startswith(MARK)], {})
    reference = {each.name.removeprefix(MARK): whole(each) for each in stored if each.name.startswith(MARK)}
    assert result.kinds == {"ONNX-4": 10, "ONNX-8": 5, "ONNX-2": 2, "ONNX-FP4": 1, "ONNX-NF4": 1}
    assert result.notices == ()
    assert {each.name for each in result.tensors} == set(reference)
    for tensor in result.tensors:
        expected = reference[tensor.name]
        np.testing.assert_array_equal(whole(tensor), expected, err_msg=tensor.name)
        rows, columns = expected.shape
        for low, high in ((0, 1), (1, rows), (rows // 2, rows // 2 + 1)):
            for left, right in ((0, columns), (columns // 3, columns - 1), (5, 6)):
                block = tensor.read(slice(low, high), slice(left, right))
                np.testing.assert_array_equal(block, expected[low:high, left:right], err_msg=tensor.name)


Q4 = np.random.default_rng(0).integers(0, 256, (6, 2, 16)).astype(np.uint8)
"""Six outputs, two blocks of 32 inputs."""

SCALES = np.arange(1, 13, dtype=np.float32).reshape(6, 2) / 64
MEANT = np.stack([Q4 & 15, Q4 >> 4], -1).reshape(6, 64).astype(np.float32) - 8
MEANT *= np.repeat(SCALES, 32, axis=1)


def product(weight: str, *more: str, **changed: int) -> object:
    attributes = {"N": 6, "K": 64, "bits": 4, "block_size": 32} | changed
    return node("MatMulNBits", ["x", weight, "s", *more], "y", "/m/fc/MatMul_Q4", domain="com.microsoft", **attributes)


@pytest.mark.parametrize(
    ("stored", "name", "flipped"),
    [
        ("onnx::MatMul_7_Q4", "m.fc.weight", False),
        ("model.layers.0.up_proj.MatMul.weight_Q4", "model.layers.0.up_proj.weight", False),
        ("model.layers.0.up_proj.MatMulNBits.qweight", "model.layers.0.up_proj.weight", False),
        (
            "h.0.attn.c_attn.weight_Q4G32",
            "h.0.attn.c_attn.weight",
            True,
        ),  # a checkpoint's own name: inputs x outputs, as it lay there
    ],
)
def test_names_and_orientation(tmp_path: Path, stored: str, name: str, flipped: bool) -> None:
    save_onnx(tmp_path / "m.onnx", {stored: Q4, "s": SCALES}, [product(stored)])
    (found,) = open_model(tmp_path / "m.onnx").tensors
    assert (found.name, found.dtype) == (name, "ONNX-4")
    np.testing.assert_array_equal(whole(found), MEANT.T if flipped else MEANT)
    np.testing.assert_array_equal(found.read(slice(1, 4), slice(3, 5)), (MEANT.T if flipped else MEANT)[1:4, 3:5])


def test_a_table_and_a_head_in_one_and_what_a_builder_adds(tmp_path: Path) -> None:
    head, norm, rotation = "lm_head.MatMul.weight_Q4", "model.layers.2.final_norm_layernorm.weight", np.ones((9, 8), np.float32)
    lookup = {"domain": "com.microsoft", "bits": 4, "block_size": 32, "quantize_axis": 1}
    nodes = [
        node("Reshape", [head, "shape"], "flat"),
        node("GatherBlockQuantized", ["flat", "i", "s"], "e", "/model/embed_tokens/GatherBlockQuantized", **lookup),
        node("GroupQueryAttention", ["e", *[""] * 6, "cos", "sin"], "a", num_heads=4, kv_num_heads=2, domain="com.microsoft"),
        node("SimplifiedLayerNormalization", ["a", norm], "n"),
        product(head),
    ]
    tensors = {head: Q4, "s": SCALES, norm: np.ones(64, np.float32), "cos": rotation, "sin": rotation}
    save_onnx(tmp_path / "m.onnx", tensors | {"shape": np.array([6, 32])}, nodes)
    model = open_model(tmp_path / "m.onnx")
    found = {tensor.name: tensor for tensor in model.tensors}
    assert set(found) == {"model.embed_tokens.weight", "model.norm.weight"}
    np.testing.assert_array_equal(whole(found["model.embed_tokens.weight"]), MEANT)
    assert model.config == {"num_attention_heads": 4, "num_key_value_heads": 2}
    (tmp_path / "config.json").write_text('{"model_type": "llama", "num_attention_heads": 8}')
    assert open_model(tmp_path / "m.onnx").config == {"model_type": "llama", "num_attention_heads": 8, "num_key_value_heads": 2}


@pytest.mark.parametrize(
    ("changed", "more"),
    [
        ({"N": 7}, {}), ({"N": -6}, {}), ({"K": 2**60}, {}), ({"K": 65}, {}), ({"bits": 3}, {}), ({"block_size": 0}, {}),
        ({"block_size": 16}, {}),
        ({}, {"z": np.zeros(5, np.uint8)}), ({}, {"z": np.zeros(12, np.uint8), "g": np.zeros(64, np.int32)}), ({"weight_prepacked": 1}, {}),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_left_as_stored(tmp_path: Path, changed: dict[str, int], more: dict[str, Array]) -> None:
    save_onnx(tmp_path / "m.onnx", {"w_Q4": Q4, "s": SCALES} | more, [product("w_Q4", *more, **changed)])
    checkpoint = open_checkpoint(tmp_path / "m.onnx")
    assert {"w_Q4", "s"} <= {info.name for info in checkpoint.tensors}
    assert any("1 weights of 'MatMulNBits' are packed" in notice for notice in checkpoint.notices)


def test_numbers_of_four_bits_as_a_list_and_lines_that_begin_within_a_byte(tmp_path: Path) -> None:
    values = np.random.default_rng(2).integers(-8, 8, (5, 33))
    tensor = helper.make_tensor("onnx::MatMul_7_DQ_Q4", TensorProto.INT4, values.shape, values.flatten().tolist())
    scale = helper.make_tensor("s", TensorProto.FLOAT, (5, 2), np.arange(1, 11) / 8)
    nodes = [
        node("DequantizeLinear", ["onnx::MatMul_7_DQ_Q4", "s"], "w", axis=1, block_size=32),
        node("MatMul", ["x", "w"], "y", "/m/fc/MatMul"),
    ]
    save_onnx(tmp_path / "m.onnx", [tensor, scale], nodes)
    (found,) = open_model(tmp_path / "m.onnx").tensors
    expected = (values * np.repeat(np.arange(1, 11).reshape(5, 2) / 8, [32, 1], axis=1)).T
    np.testing.assert_array_equal(whole(found), expected)
    np.testing.assert_array_equal(found.read(slice(31, 33), slice(1, 4)), expected[31:33, 1:4])


def test_query_key_and_value_in_one_and_tables_of_integers(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    qkv, table, gain = rng.integers(0, 256, (4, 12)), rng.integers(0, 256, (7, 4)), rng.integers(0, 256, 4)
    tensors = {"qkv": qkv.astype(np.uint8), "embeddings.word_embeddings.weight_quantized": table.astype(np.uint8)}
    tensors |= {"embeddings.LayerNorm.weight_quantized": gain.astype(np.uint8), "s": np.float32(0.5), "z": np.uint8(100)}
    tensors |= {"o": rng.standard_normal((4, 4)).astype(np.float32)}
    inputs = [
        "x",
        "",
        "embeddings.word_embeddings.weight_quantized",
        *[""] * 2,
        "embeddings.LayerNorm.weight_quantized",
        *[""] * 2,
    ]
    inputs += ["s", "", "", "s", "", "z", "", "", "z"]
    nodes = [
        node("QEmbedLayerNormalization", inputs, "e", domain="com.microsoft"),
        node("QAttention", ["e", "qkv", "b", "xs", "s", "", "xz", "z"], "a", "Attention_0", domain="com.microsoft"),
        node("MatMul", ["a", "o"], "y", "/encoder/layer.0/attention/output/dense/MatMul"),
    ]
    save_onnx(tmp_path / "m.onnx", tensors, nodes)
    found = {stored.name: whole(stored) for stored in open_model(tmp_path / "m.onnx").tensors}
    np.testing.assert_array_equal(found["encoder.layer.0.attention.self.qkv.weight"], (qkv.T - 100) * np.float32(0.5))
    np.testing.assert_array_equal(found["embeddings.word_embeddings.weight"], (table - 100) * np.float32(0.5))
    np.testing.assert_array_equal(found["embeddings.LayerNorm.weight"], (gain[None] - 100) * np.float32(0.5))


def test_the_length_of_a_block_is_the_only_power_of_two() -> None:
    for size in (16, 32, 64, 128):
        for length in range(1, 400):
            count = -(-length // size)
            assert side(length, count) == (length if count == 1 else size)
    assert (side(60, 4), side(7, 7), side(10, 11), side(10, 0), side(0, 0)) == (16, 1, 0, 0, 0)
