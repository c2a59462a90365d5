"""What is made of a trained base without training: one line each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.random import Generator

from benchmarks.zoo.derivations import (
    casts,
    disguises,
    experts,
    heads,
    layers,
    neurons,
    pruning,
    quantisers,
    renaming,
    residual,
    vocabulary,
    width,
)
from benchmarks.zoo.derivations.anatomy import Anatomy, assemble, dissect
from benchmarks.zoo.derivations.checkpoint import Checkpoint, Facts

Apply = Callable[[Checkpoint, Generator], tuple[Checkpoint, Facts]]
Config = dict[str, Any]


@dataclass(frozen=True)
class Transformation:
    """One way to make a model of a base.

    Attributes:
        name: Ends the derivative's name.
        kind: What the ground truth calls it.
        apply: The parent -> the derivative.
        keeps: Whether the logits must stay; checked when it is made.
        suits: Whether a configuration allows it.
        twins: Whether it is made of the twins too.
        smoke: Whether it is in the smoke set.
    """

    name: str
    kind: str
    apply: Apply
    keeps: bool = False
    suits: Callable[[Config], bool] = lambda _config: True
    twins: bool = False
    smoke: bool = False


def in_parts(*functions: Callable[[Anatomy, Generator], Facts | None]) -> Apply:
    """Apply functions of an anatomy, one after the other; the last one that knows facts tells them."""

    def apply(checkpoint: Checkpoint, random: Generator) -> tuple[Checkpoint, Facts]:
        model = dissect(checkpoint)
        facts = [function(model, random) for function in functions]
        return assemble(model), next((each for each in reversed(facts) if each is not None), Facts())

    return apply


def then(*steps: Apply) -> Apply:
    """One whole-model transformation after the other, with the facts of the last."""

    def apply(checkpoint: Checkpoint, random: Generator) -> tuple[Checkpoint, Facts]:
        facts = Facts()
        for step in steps:
            checkpoint, facts = step(checkpoint, random)
        return checkpoint, facts

    return apply


def _of(*types: str) -> Callable[[Config], bool]:
    return lambda config: config["model_type"] in types


def _not_of(*types: str) -> Callable[[Config], bool]:
    return lambda config: config["model_type"] not in types


def _tied(config: Config) -> bool:
    return bool(config.get("tie_word_embeddings"))


def _relu(config: Config) -> bool:
    names = ("hidden_act", "hidden_activation", "activation_function")
    return any(config.get(name) == "relu" for name in names)


_T = Transformation
_quantise = quantisers.quantise
# GPT-2's sizes leave no room for fewer heads, and its neurons have no gate; output norms cannot be rotated.
_gated = _free_heads = _not_of("gpt2")
_rotatable = _not_of("gemma2", "olmo2")
_rms = _not_of("gpt2")

TRANSFORMATIONS = (
    _T("all-disguises", "disguised", in_parts(disguises.apply_all), keeps=True, twins=True, smoke=True),
    _T("upcycled-moe", "upcycled", in_parts(experts.upcycle), suits=_of("llama", "mistral"), smoke=True),
    _T("fp16", "copy", casts.to("float16")),
    _T("bf16", "copy", casts.to("bfloat16"), twins=True, smoke=True),
    _T("int8", "quantised", in_parts(_quantise(quantisers.int8_rows))),
    _T("int4", "quantised", in_parts(_quantise(quantisers.int4_groups)), twins=True, smoke=True),
    _T("nf4", "quantised", in_parts(_quantise(quantisers.nf4, "bfloat16"))),
    _T("gptq", "quantised", in_parts(quantisers.quantise_with_feedback)),
    _T("gguf-q8_0", "quantised", in_parts(_quantise(quantisers.gguf("Q8_0"), embeddings=True))),
    _T("gguf-q4_0", "quantised", in_parts(_quantise(quantisers.gguf("Q4_0"), embeddings=True))),
    _T("gguf-q4_k", "quantised", in_parts(_quantise(quantisers.gguf("Q4_K"), embeddings=True))),
    _T("pruned-magnitude", "pruned", in_parts(pruning.smallest(0.5)), twins=True, smoke=True),
    _T("pruned-2-of-4", "pruned", in_parts(pruning.two_of_four)),
    _T("pruned-neurons", "pruned", in_parts(pruning.drop_neurons)),
    _T("pruned-heads", "pruned", in_parts(pruning.drop_heads), suits=_free_heads),
    _T("layers-every-third-dropped", "layers", in_parts(layers.drop_every_third), twins=True, smoke=True),
    _T("layers-last-third-dropped", "layers", in_parts(layers.drop_last_third)),
    _T("layers-one-duplicated", "layers", in_parts(layers.duplicate_one)),
    _T("layers-two-swapped", "layers", in_parts(layers.swap_two)),
    _T("layers-reversed", "layers", in_parts(layers.reverse)),
    _T("depth-up-scaled", "layers", in_parts(layers.scale_up)),
    _T("narrowed", "width", in_parts(width.narrow), smoke=True),
    _T("vocabulary-extended", "vocabulary", in_parts(vocabulary.extend), keeps=True),
    _T("vocabulary-reordered", "vocabulary", in_parts(vocabulary.reorder), keeps=True, smoke=True),
    _T("vocabulary-extended-reordered", "vocabulary", in_parts(vocabulary.extend_and_reorder), keeps=True),
    _T("new-embeddings", "vocabulary", in_parts(vocabulary.replace), smoke=True),
    _T("new-embeddings+hidden-permutation", "vocabulary", in_parts(vocabulary.replace, residual.permute)),
    _T("neuron-permutation", "disguised", in_parts(neurons.permute), keeps=True, smoke=True),
    _T("neuron-sign-flips", "disguised", in_parts(neurons.flip_signs), keeps=True, suits=_gated),
    _T("up-down-rescaled", "disguised", in_parts(neurons.rescale), keeps=True, suits=_gated),
    _T("up-down-rescaled-either-sign", "disguised", in_parts(neurons.rescale_either_sign), keeps=True, suits=_gated),
    _T("gate-rescaled", "disguised", in_parts(neurons.rescale_gate), keeps=True, suits=_relu),
    _T("padded-neurons", "disguised", in_parts(neurons.pad), keeps=True),
    _T("head-permutation", "disguised", in_parts(heads.permute), keeps=True),
    _T("value-basis", "disguised", in_parts(heads.change_value_basis), keeps=True),
    _T("key-basis", "disguised", in_parts(heads.change_key_basis), keeps=True),
    _T("hidden-permutation", "disguised", in_parts(residual.permute), keeps=True, twins=True, smoke=True),
    _T("hidden-signed-permutation", "disguised", in_parts(residual.permute_and_sign), keeps=True, suits=_rms),
    _T("norms-folded", "disguised", in_parts(residual.fold_gains), keeps=True),
    _T("residual-rotation", "disguised", in_parts(residual.rotate), keeps=True, suits=_rotatable, twins=True, smoke=True),
    _T("untied-embeddings", "disguised", in_parts(residual.untie), keeps=True, suits=_tied),
    _T("experts-permuted", "disguised", in_parts(experts.permute), keeps=True, suits=_of("mixtral")),
    _T("renamed", "disguised", renaming.to_nonsense, keeps=True, smoke=True),
    _T("renamed-scrambled", "disguised", renaming.to_scrambled, keeps=True),
    _T("all-disguises-renamed", "disguised", then(in_parts(disguises.apply_all), renaming.to_nonsense), keeps=True),
)
