"""Which matrices of a child and its candidates can be compared number by number: equal role, place and shape."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tensorguard.fingerprint.sketches import Sketches

ENOUGH = 0.5
"""A candidate takes part if it has this share of the child's matrices, so that one odd candidate cannot push out all matrices."""

Key = tuple[str, str, int | None, int, int]


@dataclass(frozen=True, slots=True)
class Matching:
    """Matrices that all have.

    Attributes:
        names: Candidates that take part; the reference (the base, else the closest) first.
        rows: For each matrix its index in the child and in each candidate.
        left_out: Matrices of the child that not all have, as `role` or `role of block n`.
        strangers: Candidates with too few matrices of the child's shapes.
    """

    names: tuple[str, ...]
    rows: tuple[tuple[int, ...], ...]
    left_out: tuple[str, ...]
    strangers: tuple[str, ...]


def match(child: Sketches, candidates: Mapping[str, Sketches], base: str | None, *, enough: float = ENOUGH) -> Matching:
    """Return the matrices that the child and the candidates share; a candidate takes part that has `enough` of the child's."""
    ours = _places(child)
    theirs = {name: _places(model) for name, model in candidates.items()}
    names = [name for name, places in theirs.items() if ours and len(ours.keys() & places.keys()) >= enough * len(ours)]
    keys = [key for key in ours if all(key in theirs[name] for name in names)]
    rows = {key: [ours[key], *(theirs[name][key] for name in names)] for key in keys}
    models = [child, *(candidates[name] for name in names)]
    live = [key for key in keys if all(np.any(m.response[at]) for m, at in zip(models, rows[key], strict=True))]
    if base in names:
        first = names.index(base)
    else:
        first = int(np.argmin([_distance(child, candidates[name], [(rows[k][0], rows[k][at + 1]) for k in live])
                               for at, name in enumerate(names)])) if len(names) > 1 else 0  # fmt: skip
    held = set(live)
    order = [first, *(at for at in range(len(names)) if at != first)] if names else []
    return Matching(
        tuple(names[at] for at in order),
        tuple((rows[key][0], *(rows[key][at + 1] for at in order)) for key in live) if names else (),
        tuple(key[1] if key[2] is None else f"{key[1]} of block {key[2]}" for key in ours if key not in held),
        tuple(name for name in candidates if name not in names),
    )


def _places(model: Sketches) -> dict[Key, int]:
    """Return where each matrix is; places held twice (tensors that no table knows) are ambiguous and left out."""
    found: dict[Key, int] = {}
    twice: set[Key] = set()
    for at, place in enumerate(model.places):
        key = (place.stack, place.role, place.layer, place.rows, place.columns)
        if key in found:
            twice.add(key)
        found[key] = at
    return {key: at for key, at in found.items() if key not in twice}


def _distance(first: Sketches, second: Sketches, pairs: list[tuple[int, int]]) -> float:
    """Return the mean square relative difference of responses."""
    parts = []
    for a, b in pairs:
        x, y = first.response[a].astype(np.float64), second.response[b].astype(np.float64)
        parts.append(float(np.sum((x - y) ** 2) / np.sum(y**2)))
    return float(np.mean(parts)) if parts else np.inf
