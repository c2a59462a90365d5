"""Mixtures of experts: a dense model's MLP copied into several, and experts put in another order."""

from numpy.random import Generator

from benchmarks.zoo.derivations.anatomy import Anatomy
from benchmarks.zoo.derivations.layouts import MIXTRAL

_DENSE_ONLY = ("attention_bias", "mlp_bias", "pretraining_tp", "layer_types", "auto_map")


def upcycle(model: Anatomy, random: Generator, *, experts: int = 4, noise: float = 0.02) -> None:
    """A llama or mistral as a mixtral: each expert is the dense MLP plus noise, the router is random.

    Noise is relative to each matrix's standard deviation. (Komatsuzaki et al. 2022, "Sparse upcycling"; noise as in later use.)
    """
    for layer in model.layers:
        dense = layer.mlps[0]
        layer.mlps = [
            {name: values + noise * values.std() * random.standard_normal(values.shape) for name, values in dense.items()}
            for _ in range(experts)
        ]
        layer.parts["router"] = 0.02 * random.standard_normal((experts, model.hidden))
    model.layout = MIXTRAL
    for key in _DENSE_ONLY:
        model.config.pop(key, None)
    model.config |= {
        "model_type": "mixtral",
        "architectures": ["MixtralForCausalLM"],
        "num_experts_per_tok": 2,
        "sliding_window": model.config.get("sliding_window"),
    }


def permute(model: Anatomy, random: Generator) -> None:
    """Experts in another order, the router's rows alike."""
    for layer in model.layers:
        order = random.permutation(len(layer.mlps))
        layer.mlps = [layer.mlps[i] for i in order]
        layer.parts["router"] = layer.parts["router"][order]
