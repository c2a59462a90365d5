"""Random matrices through packers written apart from the decoders (tests/support/packing.py): every value comes back."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support import packing
from support.packed_files import stored
from tensorguard.quantisations.unpacking import unpacked
from tensorguard.tensors.base import extent


def check(parts, meant, config, name="m.weight"):
    result = unpacked(stored({f"m{end}": value for end, value in parts.items()}), config)
    assert [t.name for t in result.tensors] == [name], result.notices
    tensor = pickle.loads(pickle.dumps(result.tensors[0]))
    assert tensor.shape == meant.shape
    rows, columns = extent(tensor)
    flat = meant.reshape(rows, columns)
    np.testing.assert_allclose(tensor.read(slice(0, rows), slice(0, columns)), flat, rtol=3e-7, atol=1e-9)
    low, left = rows // 3, columns // 3
    np.testing.assert_allclose(tensor.read(slice(low, rows), slice(left, columns)), flat[low:, left:], rtol=3e-7, atol=1e-9)
    return result


def matrix(rows, columns, seed):
    return (np.random.default_rng(seed).standard_normal((rows, columns)) * 0.1).astype(np.float32)


seeds = st.integers(0, 2**32 - 1)
sides = st.integers(1, 5)


@settings(max_examples=30, deadline=None)
@given(sides, sides, seeds, st.sampled_from([2, 3, 4, 8]), st.booleans(), st.booleans())
def test_gptq_of_both_versions_in_any_order(out, groups, seed, bits, second, ordered):
    width = groups * 32
    order = np.random.default_rng(seed).permutation(width) if ordered else None
    parts, meant = packing.gptq(matrix(out * 32, width, seed), bits, 32, second, order)
    config = {"quantization_config": {"checkpoint_format": "gptq_v2" if second else "gptq"}}
    assert check(parts, meant, config).kinds == {f"GPTQ-{bits}": 1}


@settings(max_examples=20, deadline=None)
@given(sides, sides, seeds)
def test_awq(out, groups, seed):
    parts, meant = packing.awq(matrix(out * 8, groups * 32, seed))
    check(parts, meant, packing.CONFIGS["awq"])


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 40), st.integers(1, 70), seeds, st.booleans())
def test_nf4_of_any_shape(out, width, seed, nested):
    parts, meant = packing.nf4(matrix(out, width, seed), nested)
    check(parts, meant, {})


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 300), st.integers(1, 300), seeds)
def test_fp8_with_short_blocks_at_the_end(out, width, seed):
    parts, meant = packing.fp8(matrix(out, width, seed))
    check(parts, meant, packing.CONFIGS["fp8"])


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 40), sides, seeds, st.sampled_from([2, 3, 4, 5, 6, 7, 8]))
def test_compressed_tensors(out, groups, seed, bits):
    parts, meant = packing.compressed(matrix(out, groups * 32, seed), bits)
    assert check(parts, meant, {}).kinds == {f"CT-INT{bits}": 1}


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 20), sides, seeds)
def test_nvfp4(out, groups, seed):
    parts, meant = packing.nvfp4(matrix(out, groups * 16, seed))
    check(parts, meant, {})


@settings(max_examples=20, deadline=None)
@given(sides, st.integers(1, 12), sides, seeds)
def test_experts_of_mxfp4(experts, out, blocks, seed):
    parts, meant = packing.mxfp4_experts(matrix(experts * out, blocks * 32, seed).reshape(experts, out, blocks * 32))
    check({f".experts.down_proj{end}": value for end, value in parts.items()}, meant, {}, "m.experts.down_proj")


@settings(max_examples=20, deadline=None)
@given(sides, sides, seeds, st.sampled_from([1, 2, 4, 8]))
def test_hqq(out, groups, seed, bits):
    parts, meant = packing.hqq(matrix(out * 8, groups * 64, seed), bits)
    check(parts, meant, {})


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 20), sides, seeds, st.sampled_from([2, 3, 4, 5, 6, 8]), st.sampled_from([32, 64, 128]))
def test_mlx(out, groups, seed, bits, size):
    parts, meant = packing.mlx(matrix(out, groups * size, seed), bits, size)
    check(parts, meant, {"quantization": {"bits": bits, "group_size": size}})


@pytest.mark.parametrize("second", [False, True])
def test_symmetric_zero_points_tell_the_version_of_gptq_whatever_the_configuration_says(second):
    weight = matrix(64, 64, 0)
    weight[:, ::32], weight[:, 1::32] = -0.75, 0.7  # so that every zero point is 8
    parts, meant = packing.gptq(weight, second=second)
    result = check(parts, meant, {"quantization_config": {"checkpoint_format": "gptq" if second else "gptq_v2"}})
    assert "second" in result.notices[0] if second else "first" in result.notices[0]
