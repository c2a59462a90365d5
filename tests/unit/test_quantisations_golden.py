"""Every decoder against what the kind's own library makes of the same bytes; tests/golden/quantised/README.md says which."""

import json
from pathlib import Path

import numpy as np
import pytest

from tensorguard.formats.opening import open_checkpoint
from tensorguard.quantisations.unpacking import unpacked
from tensorguard.tensors.base import extent
from tensorguard.tensors.storage import stored_tensors

FILES = sorted((Path(__file__).parents[1] / "golden" / "quantised").glob("*.safetensors"))
_MARK = "reference/"

CASES = {
    "awq": 1, "bitsandbytes_4bit": 4, "bitsandbytes_int8": 1, "compressed_tensors": 11, "fp8_blocks": 2, "gptq": 7, "hqq": 10, "mlx": 21,
    "mxfp4": 2, "torchao": 3,
}  # fmt: skip
"""How many weights each file holds, so that none goes missing unnoticed."""


def opened(path):
    """Return what a golden file's tensors mean, and the library's values by name."""
    checkpoint = open_checkpoint(path)
    stored = stored_tensors(checkpoint.tensors)
    result = unpacked([s for s in stored if not s.name.startswith(_MARK)], json.loads(checkpoint.metadata["config"]))
    return result, {s.name.removeprefix(_MARK): s for s in stored if s.name.startswith(_MARK)}


def everything(stored):
    rows, columns = extent(stored)
    return stored.read(slice(0, rows), slice(0, columns))


def test_every_file_is_tested():
    assert {path.stem for path in FILES} == set(CASES)
    assert all(path.stat().st_size < 50_000 for path in FILES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_value_is_the_librarys(path):
    result, reference = opened(path)
    assert len(reference) == CASES[path.stem]
    assert {t.name for t in result.tensors} == set(reference), "a part of a weight is left over, or a weight is missing"
    for tensor in result.tensors:
        expected = reference[tensor.name]
        assert tensor.shape == expected.shape, tensor.name
        # One rounding of float32: libraries multiply and add in another order, or in one step.
        np.testing.assert_allclose(everything(tensor), everything(expected), rtol=4e-7, atol=2e-8, err_msg=tensor.name)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_block_is_that_part_of_the_whole(path):
    for tensor in opened(path)[0].tensors:
        rows, columns = extent(tensor)
        whole = everything(tensor)
        for low, high in ((0, 1), (1, rows), (rows // 2, rows // 2 + 1)):
            for left, right in ((0, columns), (columns // 3, columns - 1), (5, 6)):
                block = tensor.read(slice(low, high), slice(left, right))
                assert block.flags.c_contiguous
                assert block.dtype == np.float32
                np.testing.assert_array_equal(block, whole[low:high, left:right], err_msg=tensor.name)


def test_kinds_are_named_and_counted():
    result, _ = opened(next(path for path in FILES if path.stem == "compressed_tensors"))
    assert result.notices == ()
    assert result.kinds == {"CT-INT3": 2, "CT-INT4": 2, "CT-INT8": 2, "FP8-E4M3": 2, "INT8": 1, "MXFP4": 1, "NVFP4": 1}
