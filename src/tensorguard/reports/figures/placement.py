"""Where to write labels beside points, so that they cover neither points nor each other."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.text import Text
from numpy.typing import NDArray

_DISTANCES = (2.0, 5.0, 9.0, 14.0, 20.0, 28.0, 38.0, 50.0, 64.0, 82.0, 105.0, 130.0)  # points (1/72 inch), from mark to label
_DIRECTIONS = 24
_LEADER_FROM = 8.0
_GAP = 1.5


@dataclass(frozen=True, slots=True)
class Label:
    """A text for a point.

    Attributes:
        text: What to write.
        point: The point's place in data coordinates.
        size: Font size in points.
        colour: Of the text.
        weight: `normal` or `bold`.
        clearance: Radius of the point's mark, in points.
    """

    text: str
    point: tuple[float, float]
    size: float
    colour: str
    weight: str = "normal"
    clearance: float = 4.0


def place_labels(axes: Axes, labels: Sequence[Label], points: NDArray[np.float64], radii: NDArray[np.float64]) -> None:
    """Write each label at the nearest free place around its point, the first ones first, with a leader line where it is far.

    Deterministic. Where nothing is free, the place that covers least is taken. The axes' limits and the figure's size must not
    change afterwards.

    Args:
        axes: Where to draw.
        labels: The labels.
        points: All points that should not be covered, n x 2, in data coordinates.
        radii: The radii of their marks, n, in points (1/72 inch).
    """
    figure = axes.figure
    unit = figure.dpi / 72.0
    frame = axes.get_window_extent()
    limits = np.array([frame.x0, frame.y0, frame.x1, frame.y1])
    marks = axes.transData.transform(points)
    reserved = radii[:, None] * unit
    taken = np.column_stack([marks - reserved, marks + reserved])
    lines = np.empty((0, 4))
    for label in labels:
        text = axes.text(0, 0, label.text, fontsize=label.size, color=label.colour, weight=label.weight, zorder=5)
        extent = text.get_window_extent()
        anchor = axes.transData.transform(label.point)
        boxes, reach = _candidates(
            anchor, label.clearance, extent.width + 2 * _GAP * unit, extent.height + 2 * _GAP * unit, unit
        )
        cost = reach / unit / 20 + 30 * _overlaps(boxes, taken) + 200 * _outside(boxes, limits) + 8 * _overlaps(boxes, lines)
        best = int(cost.argmin())
        _write(axes, text, label, anchor, boxes[best], reach[best] > _LEADER_FROM * unit)
        taken = np.vstack([taken, boxes[best]])
        lines = np.vstack([lines, _along(anchor, boxes[best], unit)])


def _candidates(
    anchor: NDArray[np.float64], clearance: float, width: float, height: float, unit: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return boxes (x0, y0, x1, y1) around a point in pixels, and how far each is from its mark, to the right first."""
    boxes, reach = [], []
    for distance in _DISTANCES:
        for step in range(_DIRECTIONS):
            turn = (-1) ** step * math.pi * ((step + 1) // 2) * 2 / _DIRECTIONS
            across, up = math.cos(turn), math.sin(turn)
            x = anchor[0] + across * (clearance + distance) * unit + (across - 1) * width / 2
            y = anchor[1] + up * (clearance + distance) * unit + (up - 1) * height / 2
            boxes.append((x, y, x + width, y + height))
            reach.append(distance * unit)
    return np.array(boxes), np.array(reach)


def _overlaps(boxes: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Count for each box how many of the others it meets."""
    if not len(others):
        return np.zeros(len(boxes))
    a, b = boxes[:, None, :], others[None, :, :]
    meets = (a[..., 0] < b[..., 2]) & (b[..., 0] < a[..., 2]) & (a[..., 1] < b[..., 3]) & (b[..., 1] < a[..., 3])
    return np.asarray(meets.sum(axis=1), np.float64)


def _outside(boxes: NDArray[np.float64], limits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Say for each box whether it leaves the axes."""
    return np.asarray((boxes[:, :2] < limits[:2]).any(axis=1) | (boxes[:, 2:] > limits[2:]).any(axis=1), np.float64)


def _along(anchor: NDArray[np.float64], box: NDArray[np.float64], unit: float) -> NDArray[np.float64]:
    """Return small boxes along the leader line, so that later labels keep off it."""
    end = np.clip(anchor, box[:2], box[2:])
    steps = np.linspace(anchor, end, max(2, int(np.hypot(*(end - anchor)) / (3 * unit))))
    return np.column_stack([steps - unit, steps + unit])


def _write(axes: Axes, text: Text, label: Label, anchor: NDArray[np.float64], box: NDArray[np.float64], leader: bool) -> None:
    back = axes.transData.inverted()
    x, y = back.transform((box[:2] + box[2:]) / 2).tolist()
    text.set(x=x, y=y, horizontalalignment="center", verticalalignment="center")
    if leader:
        end = back.transform(np.clip(anchor, box[:2], box[2:]))
        axes.plot((label.point[0], end[0]), (label.point[1], end[1]), color=label.colour, linewidth=0.5, alpha=0.6, zorder=2)
