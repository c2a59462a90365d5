"""LoHa (FedPara, Hyeon-Woo et al., arXiv 2108.06098): W + (alpha / r) (A1 B1) o (A2 B2), a product of low ranks by elements."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tensorguard.adapters.base import AdaptedTensor, AddedTensor
from tensorguard.adapters.factors import Factors
from tensorguard.adapters.lowrank import LowRank
from tensorguard.adapters.matching import BaseTensors
from tensorguard.adapters.settings import Settings
from tensorguard.tensors.base import Float32

_FACTORS = ("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b")


@dataclass(frozen=True)
class Hadamard:
    """Two low-rank products multiplied by elements."""

    first: LowRank
    second: LowRank

    def block(self, rows: slice, columns: slice) -> Float32:
        """Return a block; see `Update.block`."""
        return self.first.block(rows, columns) * self.second.block(rows, columns)


class Loha:
    """The kind; see `Kind`. PEFT has it for linear layers and convolutions; the latter are refused."""

    title = "LoHa"
    peft_types = frozenset({"LOHA"})
    factors = frozenset({*_FACTORS, "hada_t1", "hada_t2"})

    def adapt(self, settings: Settings, modules: Sequence[Factors], base: BaseTensors) -> Iterable[AdaptedTensor]:
        """Plan the adapter; see `Kind.adapt`."""
        for factors in modules:
            weight = base.weight(factors.module)
            factors.only(*_FACTORS)
            down, up, rank = factors.matrices("hada_w1_b", "hada_w1_a")
            other_down, other_up, _ = factors.matrices("hada_w2_b", "hada_w2_a")
            shape = (up.shape[0], down.shape[1])
            if weight.shape != shape or (other_up.shape[0], other_down.shape[1]) != shape:
                factors.refuse(f"is {list(weight.shape)} in this base, but its factors are for {list(shape)}")
            scale = settings.scale(factors.module, rank, "alpha")
            first, second = LowRank(up, down, scale, turned=False), LowRank(other_up, other_down, 1.0, turned=False)
            yield AddedTensor(weight, Hadamard(first, second))
