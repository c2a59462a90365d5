"""LoRA (Hu et al., arXiv 2106.09685): W + (alpha / r) B A; with rank-stabilised scale, patterns, embeddings and trained biases."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tensorguard.adapters.base import AdaptedTensor, AddedTensor
from tensorguard.adapters.dora import DoraTensor
from tensorguard.adapters.factors import Factors
from tensorguard.adapters.lowrank import LowRank
from tensorguard.adapters.matching import BaseTensors
from tensorguard.adapters.settings import Settings
from tensorguard.errors import quote
from tensorguard.tensors.base import Float32, Stored

_UNMERGEABLE = {
    "alora_invocation_tokens": "activated LoRA",
    "arrow_config": "an Arrow router of LoRAs",
    "kasa_config": "KaSA",
    "layer_replication": "replication of layers",
    "monteclora_config": "MonteCLoRA",
    "target_parameters": "LoRA on stacked experts",
    "trainable_token_indices": "training of single tokens",
    "use_bdlora": "block-diagonal LoRA",
    "use_qalora": "QALoRA",
    "velora_config": "VeLoRA",
}
_HARMLESS_STARTS = (True, False, None, "gaussian", "eva", "orthogonal", "mica")
"""Values of init_lora_weights that leave the base as it is; the others (PiSSA, OLoRA, CorDA, LoftQ) change it before training."""

_MAGNITUDE = "lora_magnitude_vector"


@dataclass(frozen=True)
class _ScaledVector:
    """A trained bias of `lora_B`, which is scaled as B is."""

    source: Stored
    scale: float

    def block(self, rows: slice, columns: slice) -> Float32:
        """Return a block; see `Update.block`."""
        return self.source.read(rows, columns) * self.scale


class Lora:
    """The kind; see `Kind`."""

    title = "LoRA"
    peft_types = frozenset({"LORA"})
    factors = frozenset({"lora_A", "lora_B", "lora_embedding_A", "lora_embedding_B", _MAGNITUDE})

    def adapt(self, settings: Settings, modules: Sequence[Factors], base: BaseTensors) -> Iterable[AdaptedTensor]:
        """Plan the adapter; see `Kind.adapt`."""
        settings.refuse_if_set(_UNMERGEABLE)
        start = settings.config.get("init_lora_weights")
        if start not in _HARMLESS_STARTS:
            settings.refuse_unmergeable(f"an adapter that began as {quote(start)}, which changes the base as well,")
        for factors in modules:
            if "lora_embedding_A" in factors.tensors or "lora_embedding_B" in factors.tensors:
                yield _embedding(settings, factors, base)
            else:
                yield from _linear(settings, factors, base)


def _linear(settings: Settings, factors: Factors, base: BaseTensors) -> Iterable[AdaptedTensor]:
    factors.only("lora_A", "lora_B", "lora_B.bias", _MAGNITUDE)
    weight = base.weight(factors.module)
    down, up, rank = factors.matrices("lora_A", "lora_B")
    scale = settings.scale(factors.module, rank, root=settings.flag("use_rslora"))
    turned = base.fan_in_fan_out(weight, up.shape[0], down.shape[1])
    yield _changed(settings, factors, weight, LowRank(up, down, scale, turned))
    if "lora_B.bias" in factors.tensors:
        source, bias = factors.get("lora_B.bias", 1), base.bias(weight)
        if bias is None or bias.shape != source.shape:
            factors.refuse("has a trained bias, but the base has none of that size there")
        yield AddedTensor(bias, _ScaledVector(source, scale))


def _embedding(settings: Settings, factors: Factors, base: BaseTensors) -> AdaptedTensor:
    """An embedding is stored as tokens x width, and its factors make width x tokens: always turned."""
    factors.only("lora_embedding_A", "lora_embedding_B", _MAGNITUDE)
    weight = base.weight(factors.module)
    down, up, rank = factors.matrices("lora_embedding_A", "lora_embedding_B")
    if weight.shape != (down.shape[1], up.shape[0]):
        factors.refuse(
            f"is an embedding of {list(weight.shape)} in this base, but its factors are for {[down.shape[1], up.shape[0]]}"
        )
    scale = settings.scale(factors.module, rank, root=settings.flag("use_rslora"))
    return _changed(settings, factors, weight, LowRank(up, down, scale, turned=True))


def _changed(settings: Settings, factors: Factors, weight: Stored, update: LowRank) -> AdaptedTensor:
    if settings.flag("use_dora") != (_MAGNITUDE in factors.tensors):
        factors.refuse(f"contradicts use_dora = {settings.flag('use_dora')} in the configuration")
    if not settings.flag("use_dora"):
        return AddedTensor(weight, update)
    magnitude = factors.get(_MAGNITUDE, 1)
    if magnitude.shape[0] != update.up.shape[0]:
        factors.refuse(f"has {magnitude.shape[0]} magnitudes for {update.up.shape[0]} outputs")
    return DoraTensor(weight, update, magnitude)
