"""Tails of the null distributions by brute force, against what the lineage tests extrapolate or prove.

    python -m benchmarks.tails ZOO [--model FOLDER ...] [--json FILE] [--picture FILE]

For pairs of independent models: millions of random rotations of the second's operators, against the tail that is extrapolated from 256 of
them; signed permutations of the residual stream, applied to both models' real weights, likewise; and random orders of neurons against the
unit index's bound. T of every pair out of K rotations of the first and K of the second is a draw: Q_i^T A Q_i against Q_j B Q_j^T is A
against B turned by the Haar rotation Q_i Q_j. The K^2 draws are pairwise independent, so a tail's standard error is the binomial one.
"""

import argparse
import itertools
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.forgery.attacks import open_llama
from benchmarks.forgery.steps import operators_between
from benchmarks.zoo.evaluation.fingerprints import fingerprints
from benchmarks.zoo.manifest import load
from tensorguard.api.loading import load_fingerprint
from tensorguard.fingerprint.sketches import Sketches
from tensorguard.lineage.alignment import path_scores
from tensorguard.lineage.operator_tests import COMPONENTS
from tensorguard.signals.null_draws import critical, judge
from tensorguard.signals.operator_evidence import Operators, fixed_basis
from tensorguard.signals.rotations import DRAWS
from tensorguard.signals.units import UnitTable, log10_bound, unit_evidence

LEVELS = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
_NULLS = 200
"""Sets of 256 draws that a tail is extrapolated from."""

_CHUNK = 64
_ORDERS = 20_000
"""Random orders of neurons at a time."""

_TWINS = (
    ("llama-a", "llama-b"),
    ("mistral-a", "mistral-b"),
    ("gpt2-a", "gpt2-b"),
    ("gemma-a", "gemma-b"),
    ("llama-a", "qwen2-a"),
)

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Tail:
    """How often independent models reach what is called improbable.

    Attributes:
        pair: The models.
        draws: `rotations`, `signed permutations` or `orders of neurons`, and of what.
        count: How many draws.
        rates: Level -> share of draws whose reported p-value is at most the level, averaged over the sets of 256 draws.
        worst: Level -> the largest of those shares.
        curve: [standardised T, share of draws that reach it, median reported p], for the picture.
    """

    pair: str
    draws: str
    count: int
    rates: dict[str, float]
    worst: dict[str, float]
    curve: list[tuple[float, float, float]] = field(repr=False)


def rotated(A: Operators, B: Operators, component: str, size: int, random: np.random.Generator) -> NDArray[np.float32]:
    """T of a component for every pair of `size` rotations of A and of B, float32 of shape (size^2,)."""
    first, second = (_turned(each, size, random) for each in (A, B))
    return _scores(first, second, COMPONENTS[component])


def permuted(first: Path, second: Path, size: int, random: np.random.Generator) -> tuple[Operators, Operators]:
    """Operators in the fixed basis of two Llamas whose residual streams are permuted and signed at random, of shape (size, B, 5, n, n)."""
    found = []
    for folder in (first, second):
        model = open_llama(folder)
        width = len(model.basis)
        frames = [random.choice([-1.0, 1.0], (width, 1)) * model.basis[random.permutation(width)] for _ in range(size)]
        found.append(np.array([operators_between(model.weights, frame, model.head) for frame in frames]))
    return found[0], found[1]


def judged(T: NDArray[np.float32], pair: str, draws: str, random: np.random.Generator) -> Tail:
    """Compare the tail of draws with what sets of 256 of them lead to expect."""
    T = np.sort(T)
    nulls = [T[random.integers(0, len(T), DRAWS)] for _ in range(_NULLS)]
    shares = np.array([[_share(T, critical(null, level)) for level in LEVELS] for null in nulls])
    return Tail(
        pair=pair,
        draws=draws,
        count=len(T),
        rates=_by_level(shares.mean(0)),
        worst=_by_level(shares.max(0)),
        curve=_curve(T, nulls[:50]),
    )


def reordered(a: Sketches, b: Sketches, pair: str, size: int, random: np.random.Generator) -> Tail:
    """Give the neurons of both models random numbers: how often are as many matched ones equal as the bound calls improbable?"""
    ours, theirs = (UnitTable(each.unit_index, each.unit_vectors, each.unit_count) for each in (a, b))
    depth = min(len(a.blocks), len(b.blocks))
    found = unit_evidence(ours, theirs, [(block, block) for block in range(depth)])
    neurons = [int(min(a.unit_count[block], b.unit_count[block])) for block in range(depth)]
    same = np.zeros(size, np.int64)
    for (matched, _), count in zip(found.per_pair, neurons, strict=True):
        for start in range(0, size, _ORDERS):
            part = same[start : start + _ORDERS]
            part += _equal(len(part), matched, count, random)
    reported = np.array([log10_bound(c, found.expected) for c in range(int(same.max()) + 1)])
    rates = {f"{level:g}": float((reported[same] <= np.log10(level)).mean()) for level in LEVELS}
    curve = [(float(c), float((same >= c).mean()), float(10 ** reported[c])) for c in range(len(reported))]
    return Tail(pair, f"orders of neurons, {found.matched} matched", size, rates, rates, curve)


def _equal(size: int, matched: int, count: int, random: np.random.Generator) -> NDArray[np.int64]:
    """How many of the first `matched` of `count` neurons keep their number in each of `size` random orders."""
    orders = np.tile(np.arange(count, dtype=np.int32), (size, 1))
    every = np.arange(size)
    for place in range(matched):  # Fisher and Yates
        other = random.integers(place, count, size)
        taken = orders[every, other]
        orders[every, other] = orders[:, place]
        orders[:, place] = taken
    kept: NDArray[np.int64] = (orders[:, :matched] == np.arange(matched)).sum(1)
    return kept


def _turned(operators: Operators, size: int, random: np.random.Generator) -> Operators:
    """Turn all of a model's operators by each of `size` Haar rotations, of shape (size, B, 5, n, n)."""
    n = operators.shape[-1]
    Q, R = np.linalg.qr(random.standard_normal((size, n, n)))
    Q = (Q * np.sign(np.diagonal(R, axis1=1, axis2=2))[:, None, :]).astype(np.float32)
    wide = operators.astype(np.float32)
    return np.stack([q @ wide @ q.T for q in Q])


def _scores(first: Operators, second: Operators, operators: Sequence[int]) -> NDArray[np.float32]:
    """T of every pair out of two lists of operators, each of shape (size, B, 5, n, n); models that have all operators of any."""
    used = [o for o in operators if first[0, :, o].any() and second[0, :, o].any()]
    rows, columns = (each[:, :, used].astype(np.float32) / np.sqrt(len(used)) for each in (first, second))
    right = columns.reshape(columns.shape[0] * columns.shape[1], -1).T.copy()
    found = []
    for start in range(0, len(rows), _CHUNK):
        left = rows[start : start + _CHUNK]
        cosines = left.reshape(left.shape[0] * left.shape[1], -1) @ right
        shaped = cosines.reshape(*left.shape[:2], *columns.shape[:2]).transpose(0, 2, 1, 3)
        found.append(path_scores(shaped).ravel() / min(left.shape[1], columns.shape[1]))
    return np.concatenate(found)


def _share(ordered: NDArray[np.float32], value: float) -> float:
    return 1 - np.searchsorted(ordered, value) / len(ordered)


def _by_level(shares: Array) -> dict[str, float]:
    return {f"{level:g}": float(share) for level, share in zip(LEVELS, shares, strict=True)}


def _curve(ordered: NDArray[np.float32], nulls: Sequence[NDArray[np.float32]]) -> list[tuple[float, float, float]]:
    points = np.unique(np.geomspace(1, len(ordered) / 20, 40).astype(int))
    mean, sd = ordered.mean(dtype=np.float64), ordered.std(dtype=np.float64)
    found = []
    for reached in points:
        T = float(ordered[-reached])
        reported = float(np.median([judge(T, null).log10_p for null in nulls]))
        found.append(((T - mean) / sd, reached / len(ordered), 10**reported))
    return found


def _tails(zoo: Path, models: Sequence[Path], size: int) -> Iterator[Tail]:
    random = np.random.default_rng(0)
    entries = [entry for entry in load(zoo) if entry.relation == "base" and entry.split == "development"]
    prints = {name: found.sketches for name, found in fingerprints(zoo, entries, 1).items() if found.sketches}
    for name, other in (
        ("llama-a", "llama-b"),
        ("mistral-a", "mistral-b"),
        ("gpt2-a", "gpt2-b"),
        ("gemma-a", "gemma-b"),
        ("llama-a", "qwen2-a"),
    ):
        yield from _of_operators(prints[name], prints[other], f"{name}, {other}", size, random)
        yield reordered(prints[name], prints[other], f"{name}, {other}", 1_000_000, random)
    real = {folder.name: found for folder in models if (found := load_fingerprint(folder).sketches)}
    for first, second in itertools.combinations(real, 2):
        yield from _of_operators(real[first], real[second], f"{first}, {second}", min(size, 300), random)
    both = permuted(zoo / "llama-a", zoo / "llama-b", 400, random)
    for component in COMPONENTS:
        yield judged(_scores(*both, COMPONENTS[component]), "llama-a, llama-b", f"signed permutations, {component}", random)


def _of_operators(a: Sketches, b: Sketches, pair: str, size: int, random: np.random.Generator) -> Iterator[Tail]:
    A, B = fixed_basis(a.fixed), fixed_basis(b.fixed)
    for component in COMPONENTS:
        yield judged(rotated(A, B, component, size, random), pair, f"rotations, {component}", random)


def draw(tails: Sequence[Tail], path: Path) -> None:
    """Draw the share of draws that reach a value against the p-value reported for it; below the line is conservative."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 6), layout="constrained")
    axes = figure.subplots()
    colours = {"rotations": "tab:blue", "signed permutations": "tab:orange", "orders of neurons": "tab:green"}
    for tail in tails:
        kind = tail.draws.split(",")[0]
        points = np.array([(reported, share) for _, share, reported in tail.curve if reported <= 0.2])
        if len(points):
            axes.plot(points[:, 0], points[:, 1], color=colours[kind], lw=0.8, alpha=0.7, label=kind)
    axes.plot([1e-9, 1], [1e-9, 1], "k--", lw=1, label="exact")
    axes.set(
        xscale="log",
        yscale="log",
        xlim=(1, 1e-9),
        ylim=(1e-7, 1),
        xlabel="p-value reported",
        ylabel="share of draws that reach it",
    )
    handles, labels = axes.get_legend_handles_labels()
    single = dict(zip(labels, handles, strict=True))
    axes.legend(single.values(), single.keys())
    axes.set_title("Independent models: below the line is conservative", fontsize=10)
    figure.savefig(path, dpi=150)


def main(arguments: list[str] | None = None) -> int:
    """Draw, compare, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tails", description=str(__doc__).splitlines()[0])
    parser.add_argument("zoo", type=Path, help="the zoo's folder; its development bases are compared")
    parser.add_argument("--model", type=Path, action="append", default=[], help="independent models to compare as well")
    parser.add_argument(
        "--size", type=int, default=1500, help="rotations of each model; their square is drawn (default: %(default)s)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--picture", type=Path, metavar="FILE")
    given = parser.parse_args(arguments)
    tails = []
    print(f"| pair | draws | number | {' | '.join(f'{level:g}' for level in LEVELS)} |\n|---|---|---|{'---|' * len(LEVELS)}")
    for tail in _tails(given.zoo, given.model, given.size):
        print(
            f"| {tail.pair} | {tail.draws} | {tail.count} | {' | '.join(f'{rate:.2g}' for rate in tail.rates.values())} |",
            flush=True,
        )
        tails.append(tail)
    if given.json:
        given.json.write_text(json.dumps([asdict(tail) for tail in tails], indent=1) + "\n", "utf-8")
    if given.picture:
        draw(tails, given.picture)
    return 0


if __name__ == "__main__":
    sys.exit(main())
