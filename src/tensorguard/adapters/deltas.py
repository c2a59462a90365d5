"""What a LoRA adds, without its base: the factors of every matrix, under the role and layer that the module's name tells."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from tensorguard.adapters.errors import refuse
from tensorguard.adapters.factors import Factors, matrix, sort_tensors
from tensorguard.adapters.kinds import kind_of
from tensorguard.adapters.lora import Lora
from tensorguard.adapters.lowrank import LowRank
from tensorguard.adapters.settings import Settings
from tensorguard.formats.adapter import AdapterFiles
from tensorguard.limits import MAX_FACTORED_RANK
from tensorguard.tensors.base import Float32, Stored
from tensorguard.tensors.storage import stored_tensors
from tensorguard.tensors.view import BY_STRUCTURE, canonical_view
from tensorguard.tensors.weight import Weight

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Delta:
    """scale * up @ down, what an adapter adds to one matrix W (out x in).

    Attributes:
        module: The module's path as the adapter has it; untrusted text. A fused module (`qkv`) has several deltas.
        role: What W does (`tensors.roles`); `other` where the name is not known.
        layer: Block index, or None outside blocks.
        stack: Which tower it belongs to.
        expert: Expert index, or None.
        up: B, float64 of shape (out, r).
        down: A, float64 of shape (r, in).
        scale: alpha / r, or alpha / sqrt(r).
    """

    module: str
    role: str
    layer: int | None
    stack: str
    expert: int | None
    up: Array = field(repr=False)
    down: Array = field(repr=False)
    scale: float

    @property
    def shape(self) -> tuple[int, int]:
        """(out, in) of the matrix."""
        return self.up.shape[0], self.down.shape[1]

    @property
    def rank(self) -> int:
        """The inner size r."""
        return len(self.down)

    @property
    def place(self) -> tuple[str, str, int | None, int | None]:
        """(stack, role, layer, expert)."""
        return self.stack, self.role, self.layer, self.expert

    @property
    def norm(self) -> float:
        """Frobenius norm of scale * up @ down, by its r x r Gram matrices."""
        squares = float(np.sum((self.up.T @ self.up) * (self.down @ self.down.T)))
        return abs(self.scale) * float(np.sqrt(max(0.0, squares)))


@dataclass(frozen=True)
class _Product:
    """The product under the name that the base's weight has: what the tables of names place."""

    name: str
    where: str
    shape: tuple[int, ...]
    low: LowRank
    embedding: bool
    dtype: str = "F32"

    def read(self, rows: slice, columns: slice) -> Float32:
        return np.ascontiguousarray(self.low.block(rows, columns))


def read_deltas(adapter: AdapterFiles) -> tuple[Delta, ...]:
    """Read all factors of a LoRA or DoRA adapter; of DoRA what it adds before the norms are set.

    Raises:
        InputError: The adapter is malformed or broken, or is of another kind: what IA3, OFT ... change can be told only on a base.
    """
    settings = Settings(adapter.config, adapter.location)
    kind = kind_of(settings)
    if not isinstance(kind, Lora):
        reason = f"what a {kind.title} adapter changes depends on its base, so that it cannot be compared without one"
        refuse(reason, adapter.location, "merge both with their bases (tensorguard merge), then: tensorguard compare")
    found = sort_tensors(stored_tensors(adapter.tensors), kind.factors, adapter.location)
    products = [_product(settings, factors, adapter.location) for factors in found.modules]
    deltas = _placed(products)
    if not deltas:
        settings.refuse("it changes nothing: it holds no factors")
    return deltas


def _product(settings: Settings, factors: Factors, where: str) -> _Product:
    embedding = "lora_embedding_A" in factors.tensors
    names = ("lora_embedding_A", "lora_embedding_B") if embedding else ("lora_A", "lora_B")
    down, up, rank = factors.matrices(*names)
    if rank > MAX_FACTORED_RANK:
        factors.refuse(f"has rank {rank}, more than the {MAX_FACTORED_RANK} that are compared without a base")
    scale = settings.scale(factors.module, rank, root=settings.flag("use_rslora"))
    turned = embedding or settings.flag("fan_in_fan_out")
    shape = (down.shape[1], up.shape[0]) if turned else (up.shape[0], down.shape[1])
    return _Product(f"{factors.module}.weight", where, shape, LowRank(up, down, scale, turned), embedding)


def _placed(products: Sequence[_Product]) -> tuple[Delta, ...]:
    """Place all products as a base's weights are placed; fused ones are split where their shapes allow it.

    Which way round a base stores its matrices (GPT-2: in x out) the configuration may have wrong; a table of names that fits knows.
    """
    for each in (products, [_flipped(product) for product in products]):
        by_name = {product.name: product for product in each}
        view = canonical_view(list[Stored](each), {}, "safetensors")
        if view.architecture != BY_STRUCTURE and all(_agree(weight, by_name[weight.name]) for weight in view.weights):
            break
    else:
        return tuple(_unplaced(product) for product in products)
    placed = {weight.name for weight in view.weights}
    read = {name: _factors(by_name[name]) for name in placed}
    found = [_part(weight, by_name[weight.name], *read[weight.name]) for weight in view.weights]
    return (*found, *(_unplaced(product) for product in products if product.name not in placed))


def _part(weight: Weight, product: _Product, up: Array, down: Array) -> Delta:
    if product.embedding:  # W is tokens x width, and B A its transpose
        up, down = down.T, up.T
    rows = weight.order.indices(0, weight.shape[0])
    columns = slice(weight.first, weight.first + weight.shape[1]) if weight.transposed else slice(0, weight.shape[1])
    module = product.name.removesuffix(".weight")
    return Delta(module, weight.role, weight.layer, weight.stack, weight.expert, up[rows], down[:, columns], product.low.scale)


def _unplaced(product: _Product) -> Delta:
    module = product.name.removesuffix(".weight")
    return Delta(module, "other", None, "", None, *_factors(product), product.low.scale)


def _factors(product: _Product) -> tuple[Array, Array]:
    return matrix(product.low.up).astype(np.float64), matrix(product.low.down).astype(np.float64)


def _agree(weight: Weight, product: _Product) -> bool:
    return product.embedding or weight.transposed == product.low.turned


def _flipped(product: _Product) -> _Product:
    if product.embedding:
        return product
    return replace(product, low=replace(product.low, turned=not product.low.turned), shape=product.shape[::-1])
