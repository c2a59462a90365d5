"""The product of two thin matrices, block by block."""

from dataclasses import dataclass

from tensorguard.tensors.base import Float32, Stored


@dataclass(frozen=True)
class LowRank:
    """scale * up @ down, an out x in matrix of rank r; a block reads only the rows of `up` and columns of `down` it needs.

    Attributes:
        up: Of shape (out, r).
        down: Of shape (r, in).
        scale: What the product is multiplied with.
        turned: The tensor it is added to is stored as in x out.
    """

    up: Stored
    down: Stored
    scale: float
    turned: bool

    def block(self, rows: slice, columns: slice) -> Float32:
        """Return a block; see `Update.block`."""
        if self.turned:
            rows, columns = columns, rows
        inner = slice(0, self.up.shape[1])
        up = self.up.read(rows, inner)
        up *= self.scale
        product = up @ self.down.read(inner, columns)
        return product.T if self.turned else product
