"""DoRA (Liu et al., arXiv 2402.09353, equation 5): m (W + D) / ||W + D||, the norm over the inputs of each output."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tensorguard.adapters.base import AdaptedTensor
from tensorguard.adapters.factors import vector
from tensorguard.adapters.lowrank import LowRank
from tensorguard.tensors.base import Float32, Stored, extent

_ELEMENTS = 1 << 22


@dataclass(frozen=True)
class DoraTensor(AdaptedTensor):
    """A weight with a trained direction and magnitude.

    A block that spans all inputs reads just itself. One that does not needs the norms, and the first such block reads the whole
    tensor once, in pieces; the norms are kept.

    Attributes:
        update: D.
        magnitude: m, one for each output.
    """

    update: LowRank
    magnitude: Stored

    def read(self, rows: slice, columns: slice) -> Float32:
        """Compute a block; see `Stored.read`."""
        height, width = extent(self)
        turned = self.update.turned
        spans_inputs = (rows.start, rows.stop) == (0, height) if turned else (columns.start, columns.stop) == (0, width)
        outputs = columns if turned else rows
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            block = self._directed(rows, columns)
            norms = _norms(block, turned) if spans_inputs else self._all_norms[outputs]
            factor = np.divide(vector(self.magnitude)[outputs], norms).astype(np.float32)
            block *= factor if turned else factor[:, None]
        return block

    def _directed(self, rows: slice, columns: slice) -> Float32:
        block = self.base.read(rows, columns)
        block += self.update.block(rows, columns)
        return block

    @cached_property
    def _all_norms(self) -> NDArray[np.float64]:
        height, width = extent(self)
        step = max(1, _ELEMENTS // width)
        squares = np.zeros(width if self.update.turned else height)
        for start in range(0, height, step):
            rows = slice(start, min(height, start + step))
            norms = _norms(self._directed(rows, slice(0, width)), self.update.turned)
            if self.update.turned:
                squares += norms**2
            else:
                squares[rows] = norms**2
        return np.sqrt(squares)


def _norms(block: Float32, turned: bool) -> NDArray[np.float64]:
    """Return the Euclidean norm of each output, summed in double precision."""
    squares: NDArray[np.float64] = np.einsum("ij,ij->j" if turned else "ij,ij->i", block, block, dtype=np.float64)
    return np.sqrt(squares)
