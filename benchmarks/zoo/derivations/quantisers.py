"""Weights rounded to few levels and written back as floating point, as tools leave them when they dequantise.

Every function takes one matrix, outputs x inputs, and returns the rounded one.
"""

from collections.abc import Callable

import numpy as np
from gguf import GGMLQuantizationType
from gguf.quants import dequantize, quantize
from numpy.random import Generator
from scipy.linalg import cholesky, solve_triangular

from benchmarks.zoo.derivations.anatomy import Anatomy
from benchmarks.zoo.derivations.checkpoint import Tensor
from benchmarks.zoo.derivations.k_quants import quantise_q4_k

# Dettmers et al. 2023 (QLoRA), appendix E.
NF4 = np.array(
    [
        *(-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453),
        *(-0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0),
        *(0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224),
        *(0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0),
    ]
)


def int8_rows(matrix: Tensor) -> Tensor:
    """127 levels of either sign, a scale per row: its largest magnitude."""
    return _absmax(matrix, 127)


def int4_groups(matrix: Tensor, group: int = 32) -> Tensor:
    """7 levels of either sign, a scale per `group` inputs of a row."""
    return _in_blocks(matrix, group, lambda blocks: _absmax(blocks, 7), by_row=True)


def nf4(matrix: Tensor, block: int = 64) -> Tensor:
    """The 16 normal-float levels, a scale per `block` values in memory order."""

    def to_levels(blocks: Tensor) -> Tensor:
        scale = np.abs(blocks).max(1, keepdims=True)
        nearest = np.searchsorted((NF4[1:] + NF4[:-1]) / 2, blocks / np.where(scale, scale, 1))
        levels: Tensor = NF4[nearest] * scale
        return levels

    return _in_blocks(matrix, block, to_levels)


def gguf(kind: str) -> Callable[[Tensor], Tensor]:
    """A round trip through a GGUF type, blocks in memory order.

    A row that is no multiple of the block (the K types': 256) would make llama.cpp choose another type. These models are
    too narrow for that rule to leave anything of the K types, so blocks run across rows here.
    """
    code = GGMLQuantizationType[kind]
    block = {"Q4_K": 256}.get(kind, 32)

    def through(blocks: Tensor) -> Tensor:
        single = blocks.astype(np.float32)
        packed = quantise_q4_k(single) if kind == "Q4_K" else quantize(single, code)
        values: Tensor = dequantize(packed, code).reshape(blocks.shape)
        return values

    return lambda matrix: _in_blocks(matrix, block, through)


def gptq(matrix: Tensor, inputs: Tensor, group: int = 32) -> Tensor:
    """Four bits with error feedback: what a column loses to rounding, the columns after it make up for.

    After Frantar et al. 2022, algorithm 1, without its lazy batches. The scale of a group of columns is taken when the group
    is reached.

    Args:
        matrix: outputs x inputs.
        inputs: samples x inputs, what the layer reads.
        group: Columns that share a scale per row.
    """
    hessian = inputs.T @ inputs / len(inputs)
    hessian[np.diag_indices_from(hessian)] += 0.01 * np.mean(np.diag(hessian))
    lower = cholesky(hessian, lower=True)
    inverse = solve_triangular(lower, np.eye(len(hessian)), lower=True)
    feedback = cholesky(inverse.T @ inverse)  # upper
    left, rounded = matrix.copy(), np.empty_like(matrix)
    for column in range(matrix.shape[1]):
        if column % group == 0:
            scale = np.abs(left[:, column : column + group]).max(1) / 7
            scale[scale == 0] = 1
        rounded[:, column] = np.clip(np.round(left[:, column] / scale), -8, 7) * scale
        error = (left[:, column] - rounded[:, column]) / feedback[column, column]
        left[:, column:] -= np.outer(error, feedback[column, column:])
    return rounded


def quantise(function: Callable[[Tensor], Tensor], dtype: str = "float32", *, embeddings: bool = False) -> Callable[..., None]:
    """A transformation that rounds every matrix of the blocks, and the embedding and head if asked."""

    def apply(model: Anatomy, _random: Generator) -> None:
        model.map_matrices(function, embeddings=embeddings)
        model.dtype = dtype

    return apply


def quantise_with_feedback(model: Anatomy, random: Generator) -> None:
    """`gptq` on every matrix of the blocks, with random inputs that are as unevenly spread as activations are."""

    def apply(matrix: Tensor) -> Tensor:
        size = matrix.shape[1]
        basis = np.linalg.qr(random.standard_normal((size, size)))[0]
        samples = random.standard_normal((4 * size, size)) * np.arange(1, size + 1) ** -0.5
        return gptq(matrix, samples @ basis)

    model.map_matrices(apply)
    model.dtype = "float16"


def _absmax(rows: Tensor, levels: int) -> Tensor:
    scale = np.abs(rows).max(1, keepdims=True) / levels
    rounded: Tensor = np.round(rows / np.where(scale, scale, 1)) * scale
    return rounded


def _in_blocks(matrix: Tensor, block: int, function: Callable[[Tensor], Tensor], *, by_row: bool = False) -> Tensor:
    """Apply to blocks x `block` values; the last block, of each row or of all, is filled up with zeros for it."""
    rows = matrix if by_row else matrix.reshape(1, -1)
    size = rows.shape[1]
    padded = np.pad(rows, ((0, 0), (0, -size % block)))
    done = function(padded.reshape(-1, block)).reshape(padded.shape)
    return np.ascontiguousarray(done[:, :size]).reshape(matrix.shape)
