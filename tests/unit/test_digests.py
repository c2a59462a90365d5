"""Digests of a file against the definition in docs/method.md, computed from the reference reader's arrays."""

from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from blake3 import blake3
from numpy.typing import NDArray
from safetensors.numpy import load_file

from support.checkpoints import gpt2, llama, save
from tensorguard.api.fingerprints import fingerprint_model
from tensorguard.fingerprint.base import TensorDigest
from tensorguard.signals.digest import block_digest

BLOCK_ELEMENTS = 2**18


def defined(array: NDArray[np.float32]) -> str:
    """Blocks of 2^18 elements of whole rows as little-endian float32, without lower halves if all are zero; shape first."""
    whole = blake3(np.array(array.shape, "<u8").tobytes())
    matrix = array.reshape(-1, array.shape[-1])
    rows = max(1, BLOCK_ELEMENTS // matrix.shape[1])
    for start in range(0, len(matrix), rows):
        halves = matrix[start : start + rows].astype("<f4").view("<u2").reshape(-1, 2)  # lower, upper
        whole.update(blake3((halves if halves[:, 0].any() else halves[:, 1]).tobytes()).digest(16))
    return whole.digest(16).hex()


def found(path: Path) -> dict[tuple[str, int | None], TensorDigest]:
    return {(each.role, each.layer): each for each in fingerprint_model(path).digests}


@pytest.mark.parametrize("dtype", [np.float32, ml_dtypes.bfloat16, np.float64], ids=["F32", "BF16", "F64"])
def test_every_tensor_of_a_llama(tmp_path: Path, dtype: type) -> None:
    arrays = {name: array.astype(dtype) for name, array in llama(width=640, blocks=1).items()}
    folder = save(tmp_path / "m", arrays)
    stored = load_file(folder / "model.safetensors")
    expected = sorted((defined(array.astype(np.float32)), array.size) for array in stored.values())
    digests = found(folder)
    assert sorted((each.digest, each.elements) for each in digests.values()) == expected
    q = stored["model.layers.0.self_attn.q_proj.weight"]
    assert q.size > BLOCK_ELEMENTS
    assert digests["q", 0].digest == defined(q.astype(np.float32))


def test_a_block_that_is_no_bfloat16_leaves_the_others_alone(tmp_path: Path) -> None:
    """The form follows from a block's values, not from the file's dtype: the copy of a bfloat16 file has its digests."""
    tensors = {name: array.astype(ml_dtypes.bfloat16) for name, array in llama(width=640, blocks=1).items()}
    wide = {name: array.astype(np.float32) for name, array in tensors.items()}
    before = found(save(tmp_path / "a", tensors))
    assert found(save(tmp_path / "b", wide)) == before
    q = wide["model.layers.0.self_attn.q_proj.weight"]
    q[-1, -1] += np.float32(2**-20)
    after = found(save(tmp_path / "c", wide))
    assert after["q", 0].digest == defined(q) != before["q", 0].digest
    assert {place for place in before if before[place].digest != after[place].digest} == {("q", 0)}


def test_every_bfloat16_is_digested_alike_from_both_forms() -> None:
    bits = np.arange(2**16, dtype=np.uint16).reshape(256, 256)  # not-a-numbers too
    values = (bits.astype(np.uint32) << 16).view(np.float32)
    assert np.array_equal(bits.view(ml_dtypes.bfloat16).astype(np.float32).view(np.uint32), values.view(np.uint32))
    assert block_digest(values) == block_digest(values, bits) == blake3(bits.astype("<u2").tobytes()).digest(16)
    odd = values.copy()
    odd.view(np.uint32)[255, 255] |= 1
    assert block_digest(odd) == blake3(odd.astype("<f4").tobytes()).digest(16)


def test_fused_and_transposed_matrices_are_digested_as_rows_of_w(tmp_path: Path) -> None:
    tensors = gpt2()
    digests = found(save(tmp_path / "m", tensors, "gpt2"))
    fused = np.ascontiguousarray(tensors["transformer.h.0.attn.c_attn.weight"].T)
    for role, part in zip("qkv", np.split(fused, 3), strict=True):
        assert digests[role, 0].digest == defined(part)
    assert digests["fc_in", 0].digest == defined(np.ascontiguousarray(tensors["transformer.h.0.mlp.c_fc.weight"].T))


def test_constants_and_signs_of_zero(tmp_path: Path) -> None:
    tensors = llama(blocks=1)
    tensors["model.norm.weight"][:] = 1
    q = tensors["model.layers.0.self_attn.q_proj.weight"]
    q[0, 0] = 0.0
    before = found(save(tmp_path / "a", tensors))
    assert {place for place, each in before.items() if each.constant} == {("norm:final", None)}
    q[0, 0] = -0.0
    after = found(save(tmp_path / "b", tensors))
    assert after["q", 0].digest != before["q", 0].digest, "bits count, not comparison"
