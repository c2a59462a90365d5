"""The published method as a baseline: the gradient of every sample built by autograd, its tails estimated from a sample of its entries.

Written from the paper (arXiv 2506.01631, III-C) and from what the authors' code computes. Two generosities to the baseline: its adversarial
probe uses the layer's own loss and does not build a second weight gradient, and the tensors are in memory before the clock starts.
One difference in results: all repeats are different inputs here, while the published code re-seeds and so repeats five.

    python -m benchmarks.published MODEL.safetensors [--repeats 30]
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from scipy import stats

STRATEGIES = ("adversarial", "structured", "gaussian", "low_frequency", "high_frequency")
STATISTICS = ("mean", "std", "norm", "skewness", "kurtosis")
CATEGORIES = ("attention", "ffn", "embedding")
SAMPLE, SAMPLED_ABOVE = 500_000, 1_000_000

Named = tuple[str, str, torch.Tensor]
"""A tensor's name, its category and its float32 values, out x in."""


@dataclass(frozen=True)
class Published:
    """What the published method gives for one model.

    Attributes:
        features: The 16 numbers under their published keys.
        samples: Per tensor, float64 of shape (repeats, 5) in the order of `STATISTICS`.
        inputs: Per tensor, the inputs x used, float32 of shape (repeats, in).
        seconds: Per tensor, the time its repeats took.
    """

    features: dict[str, float]
    samples: dict[str, np.ndarray]
    inputs: dict[str, np.ndarray]
    seconds: dict[str, float]


def fingerprint(
    tensors: Sequence[Named],
    *,
    total_params: int,
    repeats: int = 30,
    seed: int = 0,
    inputs: Mapping[str, np.ndarray] | None = None,
) -> Published:
    """Compute the published fingerprint of the tensors given.

    Args:
        tensors: The tensors to analyse.
        total_params: Passed through to the features.
        repeats: Inputs per tensor.
        seed: Of inputs, strategies and sampled entries.
        inputs: Inputs to use instead of drawn ones, (repeats, in) per tensor name.
    """
    generator = torch.Generator().manual_seed(seed)
    random = np.random.RandomState(seed)
    samples, used, seconds = {}, {}, {}
    for name, _, weight in tensors:
        weight = weight.detach().requires_grad_(True)
        started = time.perf_counter()
        rows, probes = [], []
        for repeat in range(repeats):
            if inputs is None:
                x = perturbed(weight, STRATEGIES[random.randint(len(STRATEGIES))], generator)
            else:
                x = torch.from_numpy(inputs[name][repeat : repeat + 1])
            rows.append(gradient_statistics(weight_gradient(weight, x), random))
            probes.append(x.numpy()[0])
        seconds[name] = time.perf_counter() - started
        samples[name], used[name] = np.array(rows), np.array(probes)
    features = _features({name: category for name, category, _ in tensors}, samples, total_params)
    return Published(features, samples, used, seconds)


def weight_gradient(weight: torch.Tensor, x: torch.Tensor) -> np.ndarray:
    """Return dL/dW of L = ||W x|| as autograd builds it: float32 of W's shape."""
    weight.grad = None
    (x @ weight.T).norm().backward()
    assert weight.grad is not None
    gradient: np.ndarray = weight.grad.numpy()
    return gradient


def gradient_statistics(gradient: np.ndarray, random: np.random.RandomState) -> tuple[float, ...]:
    """Return `STATISTICS` of a gradient; skewness and kurtosis of 500,000 entries without replacement if it has over a million."""
    entries = gradient.flatten()
    if entries.size > SAMPLED_ABOVE:
        entries = entries[random.choice(entries.size, SAMPLE, replace=False)]
    return (
        float(np.mean(gradient)),
        float(np.std(gradient)),
        float(np.linalg.norm(gradient)),
        float(stats.skew(entries)),
        float(stats.kurtosis(entries)),
    )


def perturbed(weight: torch.Tensor, strategy: str, generator: torch.Generator) -> torch.Tensor:
    """Draw x ~ N(0, I) and perturb it by one of `STRATEGIES`; shape (1, in)."""
    x = torch.randn((1, weight.shape[1]), generator=generator)
    if strategy == "gaussian":
        return x + 0.1 * torch.randn(x.shape, generator=generator)
    if strategy == "adversarial":
        leaf = x.clone().requires_grad_(True)
        (slope,) = torch.autograd.grad((leaf @ weight.detach().T).norm(), leaf)
        return x + 0.03 * slope.sign()
    spectrum = torch.fft.rfft(x)
    bins = spectrum.shape[-1]
    kept = {"structured": slice(0, bins // 4), "low_frequency": slice(0, bins // 8), "high_frequency": slice(bins // 2, bins)}[
        strategy
    ]
    mask = torch.zeros(bins)
    mask[kept] = 1
    noise = torch.fft.irfft(spectrum * mask, n=x.shape[-1])
    return x + (1.0 if strategy == "structured" else 0.1) * noise


def select(path: Path, *, last_layer: int = 15, at_least: int = 10) -> tuple[list[Named], int]:
    """Choose tensors as the published code does, and count the parameters it would load.

    Layers after `last_layer` are skipped; of embeddings, attention, feed-forward and other 2-D tensors up to three each are taken, evenly
    spaced in file order; gaps up to `at_least` are filled at random.
    """
    with safe_open(path, framework="pt") as file:
        shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
        shapes = {name: shape for name, shape in shapes.items() if _layer(name) <= last_layer}
        names = [name for name, shape in shapes.items() if len(shape) == 2]
        groups: dict[str, list[str]] = {}
        for name in names:
            groups.setdefault(category(name), []).append(name)
        chosen = [group[i] for group in groups.values() for i in np.linspace(0, len(group) - 1, min(3, len(group)), dtype=int)]
        left = sorted(set(names) - set(chosen))
        if len(chosen) < at_least and left:
            chosen += np.random.RandomState(0).choice(left, min(at_least - len(chosen), len(left)), replace=False).tolist()
        tensors = [(name, category(name), file.get_tensor(name).float()) for name in chosen]
    return tensors, sum(int(np.prod(shape)) for shape in shapes.values())


def category(name: str) -> str:
    """Tell a tensor's category from its name, as the paper does."""
    lowered = name.lower()
    if "embed" in lowered:
        return "embedding"
    if "attention" in lowered or "attn" in lowered:
        return "attention"
    return "ffn" if "ffn" in lowered or "mlp" in lowered else "unknown"


def _layer(name: str) -> int:
    return int(name.split("layers.")[1].split(".")[0]) if "layers." in name else -1


def _features(categories: Mapping[str, str], samples: Mapping[str, np.ndarray], total_params: int) -> dict[str, float]:
    means = {name: rows.mean(0) for name, rows in samples.items()}
    overall = np.mean(list(means.values()), axis=0)
    features: dict[str, float] = {
        f"global_{statistic}": float(value) for statistic, value in zip(STATISTICS, overall, strict=True)
    }
    for wanted in CATEGORIES:
        rows = [means[name] for name, found in categories.items() if found == wanted] or [np.zeros(len(STATISTICS))]
        for statistic, value in zip(STATISTICS[:3], np.mean(rows, axis=0), strict=False):
            features[f"{wanted}_{statistic}"] = float(value)
    return features | {"total_params": total_params, "num_layers": len(samples)}


def main(arguments: list[str] | None = None) -> int:
    """Print the features and the time of each tensor as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.published", description=str(__doc__).splitlines()[0])
    parser.add_argument("model", type=Path, help="a safetensors file")
    parser.add_argument("--repeats", type=int, default=30)
    given = parser.parse_args(arguments)
    started = time.perf_counter()
    tensors, total_params = select(given.model)
    loaded = time.perf_counter() - started
    result = fingerprint(tensors, total_params=total_params, repeats=given.repeats)
    seconds = {"load": loaded, "analyse": sum(result.seconds.values())}
    print(json.dumps({"features": result.features, "seconds": seconds, "per_tensor": result.seconds}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
