"""VeRA (Kopiczko et al., arXiv 2310.11454): W + diag(b) B diag(d) A, with A and B random, shared by all layers, and sliced."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tensorguard.adapters.base import AdaptedTensor, AddedTensor
from tensorguard.adapters.factors import Factors, vector
from tensorguard.adapters.matching import BaseTensors
from tensorguard.adapters.settings import Settings
from tensorguard.tensors.base import Float32, Stored


@dataclass(frozen=True)
class SharedProduct:
    """diag(outer) up diag(inner) down, of which a layer uses its first rows and columns.

    Attributes:
        up: The shared B, of shape (largest out, r).
        down: The shared A, of shape (r, largest in).
        outer: b, one for each output of the layer.
        inner: d, one for each of the r.
        turned: The layer's weight is stored as in x out.
    """

    up: Stored
    down: Stored
    outer: Stored
    inner: Stored
    turned: bool

    def block(self, rows: slice, columns: slice) -> Float32:
        """Return a block; see `Update.block`."""
        if self.turned:
            rows, columns = columns, rows
        rank = slice(0, self.up.shape[1])
        left = self.up.read(rows, rank) * vector(self.outer)[rows, None]
        right = self.down.read(rank, columns) * vector(self.inner)[:, None]
        product = left @ right
        return product.T if self.turned else product


class Vera:
    """The kind; see `Kind`. Without the saved projections they would have to come from PyTorch's generator: refused."""

    title = "VeRA"
    peft_types = frozenset({"VERA"})
    factors = frozenset({"vera_A", "vera_B", "vera_lambda_b", "vera_lambda_d"})

    def adapt(self, settings: Settings, modules: Sequence[Factors], base: BaseTensors) -> Iterable[AdaptedTensor]:
        """Plan the adapter; see `Kind.adapt`."""
        shared = next((factors for factors in modules if not factors.module), None)
        if shared is None:
            settings.refuse_unmergeable("a VeRA adapter that was saved without its projections (save_projection=False)")
        shared.only("vera_A", "vera_B")
        down, up, rank = shared.matrices("vera_A", "vera_B")
        for factors in modules:
            if factors is shared:
                continue
            factors.only("vera_lambda_b", "vera_lambda_d")
            weight = base.weight(factors.module)
            outer, inner = factors.get("vera_lambda_b", 1), factors.get("vera_lambda_d", 1)
            if inner.shape[0] != rank:
                factors.refuse(f"has {inner.shape[0]} inner scales for the {rank} of the shared projections")
            turned = base.fan_in_fan_out(weight, outer.shape[0], None)
            outputs, inputs = weight.shape[::-1] if turned else weight.shape
            if outputs > up.shape[0] or inputs > down.shape[1]:
                factors.refuse(f"is {outputs} x {inputs}, larger than the shared projections: it is for another base")
            yield AddedTensor(weight, SharedProduct(up, down, outer, inner, turned))
