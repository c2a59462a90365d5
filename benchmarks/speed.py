"""Our fingerprint against the published computation, on the same tensors of SmolLM2-135M (bf16), side by side in one process.

    python -m benchmarks.speed [--models DIR] [--cache DIR]

The baseline (benchmarks/published.py) has its tensors decoded in memory before its clock starts; ours reads and decodes them from the
file while its clock runs. The second table checks that the closed form lies inside the error of the published sampling.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from scipy import stats

from benchmarks import published, real_models
from benchmarks.wheels import default_cache
from tensorguard.api.models import open_model
from tensorguard.engines.sizing import processors
from tensorguard.engines.threads import Threads
from tensorguard.fingerprint.responses import respond
from tensorguard.probes.inputs import ProbeSpec, inputs
from tensorguard.progress import Silent
from tensorguard.signals.moments import gradient_moments
from tensorguard.signals.products import NumpyProducts
from tensorguard.tensors.weight import Weight

MODEL = "smollm2-135m-instruct-bf16"
ROUNDS = 9
DRAWS = 20


def timed(path: Path, names: set[str], *, every: bool = False) -> list[tuple[float, float]]:
    """Return the seconds of `ROUNDS` runs, after one that is not counted: of the numbers alone, and with opening the file."""
    seconds = []
    for _ in range(ROUNDS + 1):
        started = time.perf_counter()
        weights = [weight for weight in open_model(path).view().weights if every or weight.name in names]
        opened = time.perf_counter()
        for response in respond(weights, ProbeSpec(), Threads(processors()), NumpyProducts(), Silent()):
            gradient_moments(response.sums, response.weight.shape[0], response.x_moments, response.weight.shape[1])
        ended = time.perf_counter()
        seconds.append((ended - opened, ended - started))
    return seconds[1:]


def agreement(weight: Weight) -> list[tuple[str, float, float, float, float]]:
    """Compare the closed form with `DRAWS` samples of 500,000 entries: (statistic, exact, sampled, one sample's error, z)."""
    probes = ProbeSpec(repeats=1, strategies=("gaussian",))
    (response,) = respond([weight], probes, Threads(1), NumpyProducts(), Silent())
    exact = gradient_moments(response.sums, weight.shape[0], response.x_moments, weight.shape[1])
    W = torch.from_numpy(weight.rows(0, weight.shape[0])).requires_grad_(True)
    entries = published.weight_gradient(W, torch.from_numpy(inputs(probes, weight.shape[1]).T.copy())).ravel()
    random = np.random.default_rng(0)
    samples = [entries[random.integers(0, entries.size, published.SAMPLE)] for _ in range(DRAWS)]
    rows = []
    for name, truth, measure in (
        ("mean", exact.mean[0], np.mean),
        ("std", exact.std[0], np.std),
        ("skewness", exact.skewness[0], stats.skew),
        ("kurtosis", exact.kurtosis[0], stats.kurtosis),
    ):
        drawn = np.array([measure(sample.astype(np.float64)) for sample in samples])
        error = float(drawn.std(ddof=1))
        rows.append((name, float(truth), float(drawn.mean()), error, float((drawn.mean() - truth) / (error / DRAWS**0.5))))
    return rows


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=str(__doc__).splitlines()[0])
    parser.add_argument("--models", type=Path, default=default_cache().parent / "models")
    parser.add_argument("--cache", type=Path, default=default_cache())
    options = parser.parse_args(arguments)
    path = real_models.make(MODEL, options.models, options.cache) / "model.safetensors"
    tensors, total = published.select(path)
    names = {name for name, _, _ in tensors}

    before = timed(path, names)
    baseline = sum(published.fingerprint(tensors, total_params=total).seconds.values())
    after = timed(path, names)
    everything = timed(path, names, every=True)

    same, opening = map(statistics.median, zip(*before, *after, strict=True))
    console = Console()
    table = Table("computation", "tensors", "repeats", "seconds", "times faster", title=f"{MODEL}, {processors()} processors")
    table.add_row("published way (autograd, sampled)", str(len(tensors)), "30", f"{baseline:.1f}", "1")
    table.add_row("closed form, same tensors", str(len(tensors)), "30", f"{same:.4f}", f"{baseline / same:.0f}")
    table.add_row("the same, opening the file too", str(len(tensors)), "30", f"{opening:.4f}", f"{baseline / opening:.0f}")
    whole = statistics.median(seconds for seconds, _ in everything)
    table.add_row("closed form, all tensors", "211", "30", f"{whole:.3f}", "")
    console.print(table)

    weight = max((w for w in open_model(path).view().weights), key=lambda w: w.shape[0] * w.shape[1])
    table = Table(
        "statistic", "closed form", f"mean of {DRAWS} samples", "error of one sample", "z", title="Inside the sampling error?"
    )
    for name, truth, sampled, error, z in agreement(weight):
        table.add_row(name, f"{truth:.6g}", f"{sampled:.6g}", f"{error:.2g}", f"{z:+.2f}")
    console.print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
