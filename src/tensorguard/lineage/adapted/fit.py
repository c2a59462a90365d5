"""Which base an adapter fits: by the shapes of what it changes, and by whether its layers answer to the base's layers."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tensorguard.adapters.deltas import Delta
from tensorguard.fingerprint.sketches import Place, Sketches
from tensorguard.lineage.adapted.layers import Correspondence, Role, correspondence, inner_basis, inner_side
from tensorguard.probes.rademacher import Key, response_inputs, response_rows
from tensorguard.tensors.naming import READERS

Array = NDArray[np.float64]
Features = Mapping[tuple[str, str, int], Array]
"""(stack, role, layer) -> a positive matrix of norm 1, without its multiple of the identity."""


@dataclass(frozen=True, slots=True)
class Fit:
    """Whether an adapter can go on a base.

    Attributes:
        fits: Whether the base has every matrix that the adapter changes, in its shape.
        reason: What does not fit, in words; empty if all does.
        checked: How many deltas were held against a matrix. Others (experts, names that are not known) are not looked at.
    """

    fits: bool
    reason: str
    checked: int


def shapes_fit(deltas: Sequence[Delta], places: Sequence[Place]) -> Fit:
    """Hold an adapter's shapes against what a fingerprint says of a base."""
    have = {(place.stack, place.role, place.layer): place for place in places}
    checked = 0
    for delta in deltas:
        if delta.role == "other" or delta.expert is not None:
            continue
        place = have.get((delta.stack, delta.role, delta.layer))
        where = delta.role if delta.layer is None else f"{delta.role} of layer {delta.layer}"
        if place is None:
            return Fit(False, f"it has no {where}", checked)
        if place.parts:
            continue  # a sum over experts has no shape of its own
        if (place.rows, place.columns) != delta.shape:
            shape = f"{delta.shape[0]} x {delta.shape[1]}"
            return Fit(False, f"its {where} is {place.rows} x {place.columns}, the adapter's {shape}", checked)
        checked += 1
    return Fit(checked > 0, "" if checked else "nothing that the adapter changes can be told apart", checked)


def adapter_features(deltas: Sequence[Delta], key: Key) -> Features:
    """Return what the probes of a fingerprint see of each inner factor: (P^T B)(P^T B)^T, 64 x 64, or (A X)^T (A X), 16 x 16; roots."""
    found = {}
    for delta in deltas:
        side = inner_side(delta)
        if side is None or delta.layer is None:
            continue
        size = len(side)
        probes = response_rows(key, 0, size) if delta.role in READERS else response_inputs(key, size)
        found[delta.stack, delta.role, delta.layer] = _feature(probes.T.astype(np.float64) @ (side - side.mean(0)))
    return found


def base_features(sketches: Sketches, wanted: Collection[tuple[str, str, int]]) -> Features:
    """Return the same of a base's response sketches R = P^T W X: R R^T on the side of rows, R^T R on that of columns; roots.

    Args:
        sketches: The base's.
        wanted: Which of its matrices: those that the adapter changes.
    """
    whole = range(len(sketches.places)) if sketches.whole is None else sketches.whole
    found = {}
    for index in whole:
        place = sketches.places[index]
        if place.layer is not None and not place.parts and (place.stack, place.role, place.layer) in wanted:
            wide = sketches.response[index].astype(np.float64)
            found[place.stack, place.role, place.layer] = _feature(wide if place.role in READERS else wide.T)
    return found


def sketches_answer(adapter: Features, base: Features) -> Correspondence:
    """Test whether an adapter's layers answer to those of a base, by its fingerprint."""
    layers: defaultdict[Role, list[int]] = defaultdict(list)
    for stack, role, layer in adapter:
        if (stack, role, layer) in base:
            layers[stack, role].append(layer)
    tables = {}
    for (stack, role), found in layers.items():
        ours, theirs = (np.array([each[stack, role, layer].ravel() for layer in found]) for each in (adapter, base))
        tables[stack, role] = ours @ theirs.T
    return correspondence(tables)


def weights_answer(deltas: Sequence[Delta], energies: Mapping[Role, Array]) -> Correspondence:
    """Test the same by whole weights.

    Args:
        deltas: What the adapter adds; unused layers of it have no row.
        energies: Role -> |U_i^T W_j|^2 / |W_j|^2 for the inner basis U_i of layer i; see `contained.measure`.
    """
    changed = {(delta.stack, delta.role) for delta in deltas}
    return correspondence({role: table for role, table in energies.items() if role in changed})


def inner_bases(deltas: Sequence[Delta]) -> Mapping[Role, tuple[list[Delta], list[Array]]]:
    """Return the deltas of each role that have an inner side and one shape, in order of layers, and their bases."""
    found: dict[Role, tuple[list[Delta], list[Array]]] = {}
    for delta in deltas:
        basis = inner_basis(delta)
        if basis is None:
            continue
        members, bases = found.setdefault((delta.stack, delta.role), ([], []))
        if not members or members[0].shape == delta.shape:
            members.append(delta)
            bases.append(basis)
    return found


def _feature(factor: Array) -> Array:
    """Return the root of F F^T, less its multiple of the identity, at norm 1: strong directions count, and not only the strongest."""
    U, sizes, _ = np.linalg.svd(factor, full_matrices=False)
    root: Array = (U * sizes) @ U.T
    root -= np.eye(len(root)) * np.trace(root) / len(root)
    norm = np.linalg.norm(root)
    return root / norm if norm > 0 else root
