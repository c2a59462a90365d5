"""A stored tensor with its place in the model, before fused tensors are split."""

from dataclasses import dataclass, field

from tensorguard.tensors.base import Stored


@dataclass(frozen=True, slots=True)
class Placed:
    """What names or structure say about one stored tensor.

    Attributes:
        stored: The tensor.
        role: See `tensors.roles`.
        part: Of a norm, its place; of a bias, what it is added to; else empty.
        layer: Block index, or None outside blocks.
        expert: Expert index, or None.
        stack: Tower it belongs to.
        flags: Layout words, see `tensors.architectures`.
    """

    stored: Stored = field(repr=False)
    role: str
    part: str = ""
    layer: int | None = None
    expert: int | None = None
    stack: str = "decoder"
    flags: frozenset[str] = frozenset()


def matrix_shape(shape: tuple[int, ...], flags: frozenset[str]) -> tuple[int, int] | None:
    """Return (out, in) of the matrix, or of one expert's, that a stored shape holds; None if it holds no matrix.

    A vector is a matrix of one row (GGUF stores the gate of a shared expert so).
    """
    if len(shape) == 3 and "stacked" in flags:
        shape = shape[1:]
    if len(shape) == 1:
        shape = (1, *shape)
    if len(shape) != 2:
        return None
    return (shape[1], shape[0]) if "transposed" in flags else (shape[0], shape[1])
