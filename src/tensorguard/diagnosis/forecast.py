"""How long a full fingerprint would take: what the processors need, or the disk if that takes longer."""

from collections.abc import Sequence
from dataclasses import dataclass

from tensorguard.diagnosis.base import Bound, Disk, Forecast, Rate
from tensorguard.tensors.base import Stored, extent
from tensorguard.tensors.selection import select
from tensorguard.tensors.view import View

BEGINNING, _BLOCK = 1.0, 0.01
"""Seconds of every fingerprint, and of every block, however small: starting Python, vocabularies, operators, unit tables."""

_PER_CATEGORY = 3


@dataclass(frozen=True, slots=True)
class Size:
    """A model to forecast for.

    Attributes:
        name: What to call it.
        parameters: How many it has.
        blocks: How many blocks it has.
        chosen: How many of its parameters the 16 numbers ask, which are gone through twice.
        bytes: What its files hold.
    """

    name: str
    parameters: int
    blocks: int
    chosen: int
    bytes: int


def _llama(name: str, width: int, inner: int, kv: int, blocks: int, vocabulary: int, tables: int) -> Size:
    """Return the size of a Llama in bfloat16: chosen are its embeddings and three matrices each of attention and feed-forward."""
    embedding = tables * vocabulary * width
    block = 2 * width * (width + kv) + 3 * width * inner
    parameters = embedding + blocks * (block + 2 * width) + width
    return Size(name, parameters, blocks, embedding + 3 * width * (width + inner), 2 * parameters)


SIZES = (
    _llama("1 B", 2048, 8192, 512, 16, 128_256, 1),
    _llama("8 B", 4096, 14_336, 1024, 32, 128_256, 2),
    _llama("70 B", 8192, 28_672, 1024, 80, 128_256, 2),
)
"""Shapes of Llama 3.2 1B, Llama 3.1 8B and 70B."""


def size_of(name: str, tensors: Sequence[Stored], view: View, nbytes: int) -> Size:
    """Return the size of an opened model."""
    chosen = sum(rows * columns for weight in select(view.weights, _PER_CATEGORY) for rows, columns in [weight.shape])
    parameters = sum(rows * columns for rows, columns in map(extent, tensors))
    blocks = len({(weight.stack, weight.layer) for weight in view.weights if weight.layer is not None})
    return Size(name, parameters, blocks, chosen, nbytes)


def forecast(size: Size, sweep: Rate, sixteen: Rate, disk: Disk, largest: Bound) -> Forecast:
    """Forecast the time of one model's full fingerprint with all processors, and nobody else at work.

    Args:
        size: Of the model.
        sweep: Bytes of bfloat16 per second through the lineage fingerprint.
        sixteen: Likewise through the 16 numbers.
        disk: How fast its files come.
        largest: What takes most of the processors' time.
    """
    warm = BEGINNING + size.blocks * _BLOCK + 2 * size.parameters / sweep.all + 2 * size.chosen / sixteen.all
    reading = BEGINNING + size.bytes / disk.cold if disk.cold else None
    cold = None if reading is None else max(warm, reading)
    taken = warm if cold is None else cold
    bound: Bound = "disk" if reading is not None and reading > warm else largest
    return Forecast(size.name, size.parameters, size.bytes, warm, cold, size.bytes / taken, bound)
