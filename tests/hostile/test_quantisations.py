"""Packed weights whose parts do not fit: a notice that names them, or one InputError when they are read; never a crash."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support import packing
from support.packed_files import stored, write_model
from tensorguard.api.models import open_model
from tensorguard.errors import InputError
from tensorguard.quantisations.unpacking import unpacked
from tensorguard.tensors.base import extent

WEIGHT = (np.random.default_rng(0).standard_normal((64, 128)) * 0.1).astype(np.float32)


def parts_of(kind):
    return {f"m{end}": value for end, value in packing.PACKERS[kind](WEIGHT)[0].items()}


def read_all(result):
    for tensor in result.tensors:
        rows, columns = extent(tensor)
        if tensor.name == "m.weight":
            tensor.read(slice(0, rows), slice(0, columns))


# What a weight cannot be decoded without; without the others it can, or is what is left.
NEEDED = {
    "gptq": (".qzeros", ".scales"),
    "awq": (".qzeros", ".scales"),
    "nf4": (".weight.absmax", ".weight.nested_absmax", ".weight.nested_quant_map"),
    "compressed": (".weight_shape",),
    "hqq": (".scale", ".zero", ".shape"),
}


@pytest.mark.parametrize(("kind", "end"), [(kind, end) for kind, ends in NEEDED.items() for end in ends])
def test_a_missing_part_is_said(kind, end):
    parts = parts_of(kind)
    del parts[f"m{end}"]
    result = unpacked(stored(parts), packing.CONFIGS[kind])
    assert len(result.notices) == 1
    assert "not decoded" in result.notices[0]
    assert {t.name for t in result.tensors} == set(parts), "all of it passes through"


SMALL = {
    "gptq": (".qzeros", ".scales", ".g_idx"),
    "awq": (".qzeros", ".scales"),
    "int8": (".SCB",),
    "nf4": (".weight.absmax", ".weight.nested_absmax", ".weight.nested_quant_map"),
    "fp8": (".weight_scale_inv",),
    "compressed": (".weight_scale", ".weight_zero_point", ".weight_shape"),
    "nvfp4": (".weight_scale", ".weight_global_scale"),
    "hqq": (".scale", ".zero", ".shape"),
    "mlx": (".scales", ".biases"),
}


@pytest.mark.parametrize(("kind", "end"), [(kind, end) for kind, ends in SMALL.items() for end in ends])
@pytest.mark.parametrize("shape", [(0,), (0, 0), (7,), (3, 5), (1, 1, 1, 1), (64, 0), (1000,)])
def test_a_part_of_another_shape_is_said_or_read_as_what_it_is(kind, end, shape):
    parts = parts_of(kind)
    parts[f"m{end}"] = np.ones(shape, parts[f"m{end}"].dtype)
    result = unpacked(stored(parts), packing.CONFIGS[kind])
    if result.notices:
        assert "not decoded" in result.notices[0]
        assert "m." in result.notices[0]
    else:
        assert parts[f"m{end}"].size == 1, "only one number for all fits as well"
        read_all(result)


def test_groups_out_of_range_are_refused_by_name():
    for wrong in (-1, 4, 2**31 - 1, -(2**31)):
        parts = parts_of("gptq")
        parts["m.g_idx"][5] = wrong
        result = unpacked(stored(parts), {})
        with pytest.raises(InputError, match=r"m\.g_idx.*group"):
            read_all(result)


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"shape": [2**62, 2], "blocksize": 64},
        {"shape": [-64, -128], "blocksize": 64},
        {"shape": [64, 128], "blocksize": 0},
        {"shape": [64, 128], "blocksize": 2**60},
        {"shape": [64, 128.0], "blocksize": 64},
        {"shape": [True, 8192], "blocksize": 64},
        {"shape": "64x128", "blocksize": 64},
        {"shape": [64, 128], "blocksize": 64, "nested_blocksize": 0, "nested_offset": 0},
        {"shape": [64, 128], "blocksize": 64, "nested_blocksize": 256, "nested_offset": "much"},
        {"shape": [1] * 100, "blocksize": 64},
    ],
)
def test_a_state_that_lies_is_said(state):
    parts = parts_of("nf4")
    parts["m.weight.quant_state.bitsandbytes__nf4"] = np.frombuffer(json.dumps(state).encode(), np.uint8)
    result = unpacked(stored(parts), {})
    assert "not decoded" in result.notices[0]


@pytest.mark.parametrize("text", [b"{", b"[]", b"\xff\xfe", b'{"shape": NaN}', b"[" * 10_000])
def test_a_state_that_is_no_json_is_one_error(text):
    parts = parts_of("nf4")
    parts["m.weight.quant_state.bitsandbytes__nf4"] = np.frombuffer(text, np.uint8)
    with pytest.raises(InputError, match=r"quantisation state of 'm\.weight'"):
        unpacked(stored(parts), {})


def test_a_state_of_megabytes_is_not_read():
    parts = parts_of("nf4")
    parts["m.weight.quant_state.bitsandbytes__nf4"] = np.full(10_000_000, 32, np.uint8)
    tensors = stored(parts)
    result = unpacked(tensors, {})
    assert "10000000 bytes" in result.notices[0]
    assert max(t.info.source.read for t in tensors) < 100_000


def test_two_packings_of_one_weight_are_not_both_taken():
    result = unpacked(stored(parts_of("gptq") | parts_of("hqq")), {})
    assert [t.name for t in result.tensors].count("m.weight") == 1
    assert "packs the same weight" in result.notices[0]


def test_a_weight_beside_its_packing_stays():
    result = unpacked(stored(parts_of("gptq") | {"m.weight": WEIGHT}), {})
    assert next(t for t in result.tensors if t.name == "m.weight").dtype == "F32"
    assert "also holds the weight" in result.notices[0]


@pytest.mark.parametrize("end", [".trellis", ".q_weight", ".B", ".codes", ".Qidxs", ".weight._data"])
def test_known_kinds_that_are_not_decoded_are_named(end):
    beside = {".trellis": ".suh", ".q_weight": ".q_scale", ".B": ".s", ".codes": ".codebooks", ".Qidxs": ".SU"}
    other = beside.get(end, ".weight._scale")
    result = unpacked(stored({f"m{end}": np.ones((4, 4), np.int32), f"m{other}": np.ones(4, np.float16)}), {})
    assert "not decoded: it is" in result.notices[0]
    assert len(result.tensors) == 2


def test_a_configuration_that_no_tensor_bears_out_is_said():
    result = unpacked(stored({"m.weight": WEIGHT}), {"quantization_config": {"quant_method": "gptq\x1b"}})
    assert "no tensor shows it" in result.notices[0]
    assert "\x1b" not in result.notices[0]


def test_hostile_names_are_made_harmless():
    name = "a\x1b[2J\u202e" + "b" * 500
    result = unpacked(stored({f"{name}.W_q": np.ones((4, 4), np.uint8)}), {})
    assert "\x1b" not in result.notices[0]
    assert "\u202e" not in result.notices[0]
    assert len(result.notices[0]) < 700


any_config = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["bits", "group_size", "m"]), inner, max_size=3)
    ),
    max_leaves=6,
)
keys = st.sampled_from(["bits", "group_size", "checkpoint_format", "weight_block_size", "m", "num_bits"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(packing.PACKERS)), st.dictionaries(keys, any_config, max_size=4))
def test_no_configuration_breaks_it(kind, section):
    result = unpacked(stored(parts_of(kind)), {"quantization_config": section, "quantization": section})
    read_all(result)
    assert any(t.name == "m.weight" for t in result.tensors) or result.notices


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_random_shapes_and_bytes_end_in_values_a_notice_or_an_input_error(data):
    kind = data.draw(st.sampled_from(sorted(packing.PACKERS)))
    parts = parts_of(kind)
    for name in data.draw(st.sets(st.sampled_from(sorted(parts)), min_size=1)):
        shape = data.draw(st.lists(st.sampled_from([0, 1, 2, 4, 8, 16, 64, 128]), max_size=3))
        if int(np.prod(shape)) <= 100_000:
            raw = np.random.default_rng(data.draw(st.integers(0, 2**32))).integers(0, 256, 8 * int(np.prod(shape)), np.uint8)
            dtype = data.draw(
                st.sampled_from([parts[name].dtype, np.dtype(np.uint8), np.dtype(np.int32), np.dtype(np.float16)])
            )
            parts[name] = raw[: int(np.prod(shape)) * dtype.itemsize].view(dtype).reshape(shape)
    try:
        result = unpacked(stored(parts), packing.CONFIGS[kind])
        for tensor in result.tensors:
            rows, columns = extent(tensor)
            if rows * columns:
                values = tensor.read(slice(0, rows), slice(0, columns))
                assert values.shape == (rows, columns)
    except InputError as refused:
        where = refused.where
    else:
        where = "model.safetensors"
    assert where == "model.safetensors"


def test_the_command_says_what_is_not_decoded(tmp_path):
    folder = write_model(tmp_path / "m", {"model.layers.0.x.trellis": np.ones((2, 2), np.int16), "model.layers.0.x.suh": np.ones(2)
                                          .astype(np.float16), "model.embed_tokens.weight": WEIGHT}, {})  # fmt: skip
    model = open_model(folder)
    assert any("EXL3" in notice for notice in model.notices)
