"""Whether what a process holds grew while it ran: the slope after the warm-up, with its interval, and a figure.

python -m benchmarks.endurance.soak_verdict soak.csv soak.png
"""

import csv
import math
import statistics
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

WARM_UP = 60.0
"""Minutes that are left out: by then each of the models has been seen, the largest too, and memory that was freed is used again."""
PIECE = 5.0
"""Minutes whose median is one point: within them measurements follow one another too closely to be counted one by one."""
BOUND = 2.0
"""MB per hour; a curve is called flat if all of the interval lies below."""


def slope(minutes: NDArray[np.float64], values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the slope per hour and half of its 95 % interval, by least squares on medians of pieces of five minutes."""
    pieces = np.floor(minutes / PIECE)
    points = [(minutes[pieces == at].mean() / 60, float(np.median(values[pieces == at]))) for at in np.unique(pieces)]
    x, y = np.array(points).T
    if len(x) < 4:
        return math.nan, math.nan
    from scipy import stats

    found = stats.linregress(x, y)
    return float(found.slope), float(found.stderr * stats.t.ppf(0.975, len(x) - 2))


def judge(path: Path, picture: Path) -> str:
    """Read the measurements, draw them, and say what became of memory, files, threads and temporary files."""
    with path.open() as file:
        rows = list(csv.DictReader(file))
    lines, curves = [], {}
    for name in sorted({row["process"] for row in rows}):
        own = [row for row in rows if row["process"] == name and float(row["rss_mb"])]
        minutes = np.array([float(row["seconds"]) / 60 for row in own])
        warm = minutes >= min(WARM_UP, minutes[-1] / 2)
        curves[name] = (
            minutes,
            np.array([float(row["uss_mb"]) for row in own]),
            np.array([float(row["rss_mb"]) for row in own]),
        )
        lines.append(
            f"{name}: {minutes[-1]:.0f} minutes, {len(own)} measurements, {float(own[-1]['cpu_s']):.0f} s of a processor"
        )
        lines.append(f"  of the last {minutes[-1] - minutes[warm][0]:.0f} minutes:")
        for column in ("uss_mb", "rss_mb"):
            values = np.array([float(row[column]) for row in own])
            per_hour, half = slope(minutes[warm], values[warm])
            least, most = per_hour - half, per_hour + half
            word = "flat" if most < BOUND else "grows" if least > 0 else "undecided"
            text = f"{per_hour:+.2f} MB per hour (95 %: {least:+.2f} to {most:+.2f})"
            middle = np.median(values[warm])
            lines.append(f"  {column[:3]}: {text}, median {middle:.0f} MB, highest {values.max():.0f} MB: {word}")
        for column in ("files", "threads", "temporary"):
            counted = [int(row[column]) for row, kept in zip(own, warm, strict=True) if kept]
            half_way = len(counted) // 2
            first, second = statistics.median(counted[:half_way]), statistics.median(counted[half_way:])
            lines.append(f"  {column}: median {first:g} in the first half, {second:g} in the second, most {max(counted)}")
    _draw(curves, picture)
    return "\n".join(lines)


def _draw(curves: dict[str, tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]], picture: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    for name, (minutes, own, resident) in curves.items():
        (line,) = axes.plot(minutes, resident, linewidth=1, label=f"{name}, resident")
        axes.plot(minutes, own, linewidth=1, linestyle=":", color=line.get_color(), label=f"{name}, of its own")
    axes.set(xlabel="minutes", ylabel="MB", ylim=(0, None), title="Memory over hours of work")
    axes.axvspan(0, WARM_UP, color="0.93", zorder=0)
    axes.legend(frameon=False)
    figure.savefig(picture, dpi=150)


if __name__ == "__main__":
    print(judge(Path(sys.argv[1]), Path(sys.argv[2])))
