"""What a model's stored numbers are called, and how many bits that tells."""

import pytest

from tensorguard.lineage.grids import Side, bits_of, noise_of, packed_as


@pytest.mark.parametrize(
    ("name", "bits"),
    [
        ("GGUF:Q4_K", 4), ("GGUF:IQ2_XXS", 2), ("GGUF:TQ1_0", 1), ("GGUF:Q8_0", 8), ("GPTQ-3", 3), ("BNB-NF4", 4), ("BNB-INT8", 8),
        ("FP8-E4M3", 8), ("F8_E4M3", 8), ("CT-INT4", 4), ("NVFP4", 4), ("MXFP4", 4), ("MLX-MXFP8", 8), ("ONNX-8", 8), ("BF16", 16),
        ("F32", 32), ("F64", 64), ("", 0), ("odd", 0),
    ],
)  # fmt: skip
def test_bits(name: str, bits: int) -> None:
    assert bits_of(name) == bits


def test_what_most_numbers_are_stored_as() -> None:
    assert packed_as({"F32": 10, "GGUF:Q4_K": 1000, "GGUF:Q6_K": 200}) == "Q4_K"
    assert packed_as({"BF16": 1000, "GPTQ-4": 10}) == ""
    assert packed_as({"F16": 5, "odd": 9}) == ""
    assert packed_as({}) == ""
    assert packed_as({"\x1b[2J INT-4": 9}) == "", "a fingerprint is somebody else's file"


def test_fewer_bits_leave_more_noise() -> None:
    assert noise_of(2) > noise_of(4) > noise_of(8) > 0.001


def test_neither_zeros_nor_16_bits_make_a_grid() -> None:
    plain = Side()
    pruned = Side(zeros=0.5, distinct_32=0.53, distinct_row=0.501)
    short = Side(bf16=1.0, distinct_32=0.985, distinct_row=0.8)
    four_bits = Side(zeros=0.11, distinct_32=0.41, distinct_row=0.3)
    assert not pruned.coarser(plain)
    assert not pruned.on_grid
    assert pruned.sparser(plain, 0.08)
    assert not short.coarser(plain)
    assert four_bits.coarser(plain)
    assert four_bits.coarser(short)
    assert four_bits.on_grid
    assert not four_bits.sparser(plain, 0.08)
    assert not plain.coarser(four_bits)
    assert four_bits.least_noise(plain) > 0.01 > plain.least_noise(four_bits) == 0
