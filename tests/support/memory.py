"""A stored tensor that holds its numbers in memory, for tests that need no file."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tensorguard.tensors.base import Float32, extent


@dataclass(frozen=True, eq=False)
class MemoryTensor:
    """An array that plays a `Stored`; `reads` counts the blocks that were asked for."""

    name: str
    array: NDArray[np.generic] = field(repr=False)
    dtype: str = "F32"
    where: str = "memory"
    reads: list[tuple[slice, slice]] = field(default_factory=list, repr=False)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    def read(self, rows: slice, columns: slice) -> Float32:
        height, width = extent(self)
        for part, limit in ((rows, height), (columns, width)):
            if not 0 <= part.start <= part.stop <= limit:
                raise AssertionError(f"{self.name}: {part} lies outside {limit}")
        self.reads.append((rows, columns))
        matrix = np.asarray(self.array).reshape(height, width)
        return np.array(matrix[rows, columns], dtype=np.float32, order="C")
