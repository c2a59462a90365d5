"""(IA)^3 (Liu et al., arXiv 2205.05638): every output of a layer, or every input of a feed-forward layer, is scaled."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from tensorguard.adapters.base import AdaptedTensor
from tensorguard.adapters.factors import Factors, vector
from tensorguard.adapters.matching import BaseTensors
from tensorguard.adapters.settings import Settings
from tensorguard.tensors.base import Float32, Stored


@dataclass(frozen=True)
class ScaledTensor(AdaptedTensor):
    """A base tensor whose rows or columns are multiplied. Reads exactly the block of the base that is asked for.

    Attributes:
        factors: One number for each row or column.
        by_rows: Which of the two.
    """

    factors: Stored
    by_rows: bool

    def read(self, rows: slice, columns: slice) -> Float32:
        """Compute a block; see `Stored.read`."""
        block = self.base.read(rows, columns)
        factors = vector(self.factors)
        with np.errstate(over="ignore", invalid="ignore"):
            block *= factors[rows, None] if self.by_rows else factors[columns]
        return block


class Ia3:
    """The kind; see `Kind`. A vector of shape (1, in) scales inputs, one of shape (out, 1) outputs and with them the bias."""

    title = "IA3"
    peft_types = frozenset({"IA3"})
    factors = frozenset({"ia3_l"})

    def adapt(self, settings: Settings, modules: Sequence[Factors], base: BaseTensors) -> Iterable[AdaptedTensor]:  # noqa: ARG002
        """Plan the adapter; see `Kind.adapt`."""
        for factors in modules:
            factors.only("ia3_l")
            weight = base.weight(factors.module)
            scaling = factors.get("ia3_l", 2)
            if scaling.shape[0] != 1 and scaling.shape[1] != 1:
                factors.refuse(f"has an ia3_l of shape {list(scaling.shape)}, which is no vector")
            if scaling.shape[0] == 1:
                turned = base.fan_in_fan_out(weight, None, scaling.shape[1])
                yield ScaledTensor(weight, scaling, by_rows=turned)
                continue
            turned = base.fan_in_fan_out(weight, scaling.shape[0], None)
            yield ScaledTensor(weight, scaling, by_rows=not turned)
            bias = base.bias(weight)
            if bias is not None:
                if bias.shape != scaling.shape[:1]:
                    factors.refuse(f"scales {scaling.shape[0]} outputs, but the base has {list(bias.shape)} biases")
                yield ScaledTensor(bias, scaling, by_rows=False)
