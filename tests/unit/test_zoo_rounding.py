"""What the zoo's quantisers, pruners and merges leave is on the grid, or the formula, that they claim."""

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType
from gguf.quants import dequantize, quantize
from safetensors.torch import load_file
from scipy.linalg import hadamard

from benchmarks.zoo.derivations import merge_list, merging, passthrough, pruning, quantisers
from benchmarks.zoo.derivations.anatomy import assemble, dissect
from benchmarks.zoo.derivations.checkpoint import Checkpoint, write
from benchmarks.zoo.derivations.k_quants import quantise_q4_k
from benchmarks.zoo.derivations.registry import TRANSFORMATIONS
from support.tiny_models import tiny

MATRIX = np.random.default_rng(0).standard_normal((24, 128))
BY_NAME = {each.name: each for each in TRANSFORMATIONS}
MERGES = {each.name: each for each in merge_list.MERGES}


def error(rounded, matrix=MATRIX):
    return np.linalg.norm(rounded - matrix) / np.linalg.norm(matrix)


def test_int8_has_one_step_per_row_and_keeps_the_largest():
    rounded = quantisers.int8_rows(MATRIX)
    for row, old in zip(rounded, MATRIX, strict=True):
        levels = row / (np.abs(old).max() / 127)
        np.testing.assert_allclose(levels, np.round(levels), atol=1e-9)
    assert np.abs(rounded - MATRIX).max() <= np.abs(MATRIX).max() / 254 + 1e-12


def test_int4_has_one_step_per_group_of_a_row():
    matrix = MATRIX[:, :80]  # the last group is half as long
    rounded = quantisers.int4_groups(matrix)
    for start in range(0, 80, 32):
        group, old = rounded[:, start : start + 32], matrix[:, start : start + 32]
        levels = group / (np.abs(old).max(1, keepdims=True) / 7)
        np.testing.assert_allclose(levels, np.round(levels), atol=1e-9)
        assert len(np.unique(np.round(levels))) <= 15


def test_nf4_picks_the_nearest_level_of_each_block():
    rounded = quantisers.nf4(MATRIX).reshape(-1, 64)
    for block, old in zip(rounded, MATRIX.reshape(-1, 64), strict=True):
        scale = np.abs(old).max()
        nearest = quantisers.NF4[np.abs(old[:, None] / scale - quantisers.NF4).argmin(1)]
        np.testing.assert_allclose(block, nearest * scale, atol=1e-12)


@pytest.mark.parametrize("kind", ["Q8_0", "Q4_0"])
def test_gguf_round_trips_are_those_of_the_gguf_package_row_by_row(kind):
    code = GGMLQuantizationType[kind]
    single = MATRIX.astype(np.float32)
    assert np.array_equal(quantisers.gguf(kind)(MATRIX), dequantize(quantize(single, code), code))


def test_q4_k_unpacks_to_sixteen_levels_near_the_values():
    blocks = np.random.default_rng(1).standard_normal((50, 256)).astype(np.float32)
    packed = quantise_q4_k(blocks)
    assert packed.shape == (50, 144)
    values = dequantize(packed, GGMLQuantizationType.Q4_K).reshape(blocks.shape)
    spread = np.ptp(blocks.reshape(50, 8, 32), axis=2)
    assert (np.abs(values - blocks).reshape(50, 8, 32).max(2) < 0.06 * spread.max(1, keepdims=True)).all()
    assert max(len(np.unique(part)) for part in values.reshape(-1, 32)) <= 16
    # A block that the format can hold exactly comes back exactly.
    exact = np.tile(np.arange(32) % 16, (1, 8)).astype(np.float32) * np.repeat(np.arange(1, 9) / 8 * 63 // 1, 32)
    np.testing.assert_allclose(
        dequantize(quantise_q4_k(exact), GGMLQuantizationType.Q4_K).reshape(exact.shape), exact, rtol=2e-3
    )


def test_feedback_gives_a_smaller_error_of_the_outputs_than_rounding():
    random = np.random.default_rng(2)
    inputs = random.standard_normal((512, 128)) * np.arange(1, 129) ** -0.5 @ (hadamard(128) / np.sqrt(128))
    rounded = quantisers.gptq(MATRIX, inputs)
    plain = quantisers.int4_groups(MATRIX)
    assert np.linalg.norm(inputs @ (rounded - MATRIX).T) < 0.8 * np.linalg.norm(inputs @ (plain - MATRIX).T)
    assert all(len(np.unique(row[:32])) <= 16 for row in rounded)
    # Uncorrelated inputs leave nothing to make up for.
    white = quantisers.gptq(MATRIX[:, :32], np.sqrt(32) * np.eye(32))
    np.testing.assert_allclose(white, quantisers.int4_groups(MATRIX[:, :32]), atol=1e-9)


def test_quantised_models_are_rounded_in_the_blocks_only_and_stored_as_they_say(tmp_path):
    parent = tiny("gpt2")
    child, _ = BY_NAME["nf4"].apply(parent, np.random.default_rng(0))
    assert np.array_equal(child.tensors["transformer.wte.weight"], parent.tensors["transformer.wte.weight"])
    name = "transformer.h.0.mlp.c_fc.weight"  # Conv1D: stored inputs x outputs
    np.testing.assert_allclose(child.tensors[name].T, quantisers.nf4(parent.tensors[name].T), atol=1e-6)
    write(child, tmp_path)
    assert {each.dtype for each in load_file(tmp_path / "model.safetensors").values()} == {torch.bfloat16}


@pytest.mark.parametrize(("name", "dtype"), [("fp16", torch.float16), ("bf16", torch.bfloat16)])
def test_casts_are_torchs(tmp_path, name, dtype):
    parent = tiny("llama")
    write(BY_NAME[name].apply(parent, np.random.default_rng(0))[0], tmp_path)
    for each, values in load_file(tmp_path / "model.safetensors").items():
        assert torch.equal(values, torch.from_numpy(parent.tensors[each]).to(dtype))


def test_pruning_zeroes_the_smallest():
    parent = tiny("llama")
    name = "model.layers.3.mlp.down_proj.weight"
    half = BY_NAME["pruned-magnitude"].apply(parent, np.random.default_rng(0))[0].tensors[name]
    old = parent.tensors[name]
    assert (half == 0).sum() == old.size // 2
    assert np.abs(old[half == 0]).max() <= np.abs(old[half != 0]).min()
    fours = BY_NAME["pruned-2-of-4"].apply(parent, np.random.default_rng(0))[0].tensors[name].reshape(-1, 4)
    assert ((fours == 0).sum(1) == 2).all()
    assert np.array_equal(np.where(fours == 0, 0, old.reshape(-1, 4)), fours)


def test_dropped_neurons_are_the_smallest_and_dropped_heads_divide_the_width():
    parent = tiny("llama-mha")
    model = dissect(parent)
    pruning.drop_neurons(model, np.random.default_rng(0))
    pruning.drop_heads(model)
    child = assemble(model)
    assert (child.config["intermediate_size"], child.config["num_attention_heads"]) == (36, 2)
    assert child.config["hidden_size"] % child.config["num_attention_heads"] == 0
    old = dissect(parent).layers[0].mlps[0]
    weights = np.sort(np.linalg.norm(old["up"], axis=1) * np.linalg.norm(old["down"], axis=0))
    new = model.layers[0].mlps[0]
    np.testing.assert_allclose(np.sort(np.linalg.norm(new["up"], axis=1) * np.linalg.norm(new["down"], axis=0)), weights[12:])


def family(count):
    """A base and fine-tunes of it, as one tensor each."""
    random = np.random.default_rng(3)
    base = random.standard_normal((6, 8))
    return base, [base + 0.1 * random.standard_normal(base.shape) for _ in range(count)]


def test_linear_and_task_arithmetic_are_the_formula():
    base, (a, b, c) = family(3)
    random = np.random.default_rng(0)
    np.testing.assert_allclose(merging.linear(0.5, 0.3, 0.2)("x", [a, b, c], base, random), 0.5 * a + 0.3 * b + 0.2 * c)
    np.testing.assert_allclose(
        merging.task_arithmetic(0.8, 0.4)("x", [a, b], base, random), base + 0.8 * (a - base) + 0.4 * (b - base)
    )


def test_slerp_stays_on_the_sphere_and_follows_the_curve():
    random = np.random.default_rng(4)
    a, b = (each / np.linalg.norm(each) for each in random.standard_normal((2, 50)))
    angle = np.arccos(a @ b)
    merged = merging.slerp([0.25])("model.layers.0.w", [a, b], a, random)
    assert np.linalg.norm(merged) == pytest.approx(1)
    assert np.arccos(merged @ a) == pytest.approx(0.25 * angle)
    assert np.arccos(merging.slerp([0.25])("lm_head.weight", [a, b], a, random) @ a) == pytest.approx(0.5 * angle)
    near = a + 1e-3 * b
    np.testing.assert_allclose(merging.on_sphere(0.3, a, near), 0.7 * a + 0.3 * near)


def test_ties_trims_elects_and_averages():
    base = np.zeros(4)
    merged = merging.ties(density=0.5)(
        "x", [np.array([4.0, 3, 1, 0]), np.array([2.0, -5, 0, 1])], base, np.random.default_rng(0)
    )
    # Kept: (4, 3) and (2, -5); signs elected: +, -; the mean of those who agree.
    np.testing.assert_allclose(merged, [3, -5, 0, 0])


def test_dare_drops_half_and_keeps_the_mean():
    base, ones = np.zeros(20000), np.ones(20000)
    merged = merging.dare(1.0)("x", [ones], base, np.random.default_rng(0))
    assert set(np.unique(merged)) == {0.0, 2.0}
    assert merged.mean() == pytest.approx(1, abs=0.03)


def test_a_slerp_merge_notes_its_curve_and_passthrough_its_parents():
    base = tiny("llama")
    first, second = (Checkpoint({k: v + n for k, v in base.tensors.items()}, base.config) for n in (0.1, 0.2))
    _, facts = MERGES["merge-slerp"].combine([first, second], base, np.random.default_rng(0))
    assert facts.notes == '{"t": [0.2, 0.4, 0.6, 0.8], "t_elsewhere": 0.5}'
    merged, facts = passthrough.overlapping(dissect(first), dissect(second))
    assert facts.layer_map == [[0, 0], [1, 1], [2, 2], [3, 1], [4, 2], [5, 3]]
    assert '"layer_parents": [0, 0, 0, 1, 1, 1]' in facts.notes
    child = assemble(merged)
    name = "model.layers.{}.mlp.up_proj.weight"
    assert np.array_equal(child.tensors[name.format(2)], first.tensors[name.format(2)])
    assert np.array_equal(child.tensors[name.format(3)], second.tensors[name.format(1)])
    assert np.array_equal(child.tensors["lm_head.weight"], second.tensors["lm_head.weight"])
