"""Two models' operators compared: cosines of every operator between every pair of blocks, and the same under random rotations.

An operator's multiple of the identity is the same in every basis and is taken out; what is left is scaled to norm 1. Under the null
hypothesis the second model's residual basis has nothing to do with the first's: all its operators turned by one Haar rotation R,
R B R^T, are as likely as B. That keeps what operators of one model have in common, which is why the layers of one draw are turned together.

In token space independently trained models agree on more than chance: meaning is shared. Most of that is taken out (`MEANING`), the rest
is allowed for by a composite null (`null_draws.judge` with a margin).
"""

from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

CUT_OFF = 1e-2
"""Directions with a smaller share of the largest compared eigenvalue of the anchors' Gram matrix are left out, and below `NOISE` of the
largest of all.

Whitening multiplies an entry between two directions by 1 / sqrt(l_i l_j). Operators are kept as float16, whose rounding is at most
2^-11 of an entry, and entries are about as large as the leading direction makes them: at a share s of its eigenvalue, rounding is
2^-11 / s of what there is, 5 % at 1e-2 and half at 1e-3, and that only between the two weakest directions.
"""

NOISE = 1e-3
"""See `CUT_OFF`."""

MEANING = 1 / 3
"""Share of the leading directions of the centred anchors that is left out.

Independent models agree on them: they hold how common tokens are and what they mean, and blocks map them alike (in models with tied
embeddings down x up is half a table of which token follows which). Measured on twins of the development zoo with tied embeddings: an
excess of T of up to 0.27 with all directions, at most 0.05 without a third, while copies keep theirs; the other directions are the
accidents of training. Leaving out the directions that two models have most in common, or the mean over blocks, is no better.
"""

FEWEST = 8
"""Anchors that two models must share for their token spaces to be compared."""

_NEXT_TO_NOTHING = 1e-6
"""What is left of an operator with a smaller share is rounding."""

_ROUNDING = 1e-14
"""Directions with a smaller share of the largest eigenvalue of the operators' squares are rounding."""

_TURNED = 2**20
"""Numbers turned at a time."""

Operators = NDArray[np.float64]
"""Of shape (B, 5, n, n), each of Frobenius norm 1, or all zeros where missing."""

Real = TypeVar("Real", np.float32, np.float64)


def fixed_basis(stored: NDArray[np.int8]) -> Operators:
    """Return operators of the fixed basis ready for comparison.

    Args:
        stored: Operators up to scale, of shape (B, operators, n, n).
    """
    return _scaled(stored.astype(np.float64), np.eye(stored.shape[-1]))


def whitened(raw: NDArray[np.floating], gram: NDArray[np.floating], present: NDArray[np.bool_]) -> Operators:
    """Return operators of token space ready for comparison: as the residual stream sees them in the span of the centred anchors.

    E are the anchors that both models have, and H (m-1 x m, rows orthonormal) a basis of what centring keeps of them. The rows of
    (H E E^T H^T)^-1/2 H E are orthonormal: the operator between them is M in a basis that turns with the residual stream. The inverse
    is taken without the leading directions (`MEANING`) and the weakest (`CUT_OFF`).

    Args:
        raw: E M E^T between unit anchors, each up to scale, of shape (B, operators, n, n).
        gram: E E^T, of shape (n, n).
        present: Which anchors both models have, of shape (n,), m of them.

    Returns:
        Of shape (B, operators, m - 1, m - 1).
    """
    H = _centred_basis(int(present.sum()))
    root, kept = _inverse_root(H @ _among(gram, present) @ H.T)
    side = root @ H
    return _scaled(side @ _among(raw, present) @ side.T, kept)


def between_anchors(raw: NDArray[np.float16], gram: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return `whitened` operators between the anchors that one model has, float32 of shape (B, operators, n, n), zeros at those it lacks.

    The inverse root is symmetric: what stands for an anchor hardly depends on which others are there. So operators of models that lack
    different anchors can be compared before it is known which both have: of 32 words, a model keeps a cosine of 0.9 to itself if 2 are
    missing, 0.76 if 4 are, 0.6 if 8 are.
    """
    present = np.diagonal(gram) > 0
    H = np.zeros((int(present.sum()) - 1, len(gram)))
    H[:, present] = _centred_basis(len(H) + 1)
    root, kept = _inverse_root(H @ gram.astype(np.float64) @ H.T)
    side = (H.T @ root @ H).astype(np.float32)
    return _scaled(side @ raw.astype(np.float32) @ side.T, H.T @ kept @ H)


def centred(matrix: NDArray[np.floating], present: NDArray[np.bool_]) -> Operators:
    """Return one matrix between anchors centred, without its multiple of the identity, and scaled: of shape (1, 1, m - 1, m - 1)."""
    H = _centred_basis(int(present.sum()))
    return _scaled((H @ _among(matrix, present) @ H.T)[None, None], np.eye(len(H)))


def cosines(A: Operators, B: Operators) -> NDArray[np.float64]:
    """Return the cosine of every operator between every pair of blocks, of shape (operators, LA, LB); NaN where either lacks it."""
    found = np.einsum("aoij,boij->oab", A, B, optimize=True)
    return np.where(_both(A, B), found, np.nan)


def mean_cosines(A: Operators, B: Operators, components: Sequence[Sequence[int]]) -> NDArray[np.float64]:
    """Return mean cosines over the operators of each component that both blocks have, of shape (components, LA, LB); 0 without any."""
    found = np.nan_to_num(cosines(A, B))
    sums = np.stack([found[list(operators)].sum(0) for operators in components])
    means: NDArray[np.float64] = sums * _shares(A, B, components)
    return means


def rotated_means(
    A: Operators, B: Operators, components: Sequence[Sequence[int]], rotations: NDArray[np.float32]
) -> Iterator[NDArray[np.float32]]:
    """Yield `mean_cosines` of A and R B R^T for some rotations R at a time, float32 of shape (rotations, components, LA, LB).

    Args:
        A: Operators of the first model.
        B: Operators of the second.
        components: Which operators each component is made of.
        rotations: R, float32 of shape (N, n, n).
    """
    share = _shares(A, B, components).astype(np.float32)
    groups = _groups(A, B, components)
    used = [o for operators in groups.values() for o in operators]
    U, V = _spanned(A[:, used]), _spanned(B[:, used])
    m, n = U.shape[1], V.shape[1]
    left = {o: (U.T @ A[:, o] @ U).astype(np.float32).reshape(-1, m) for o in used}
    right = {o: (V.T @ B[:, o] @ V).transpose(1, 2, 0).astype(np.float32, "C").reshape(n, -1) for o in used}
    turns = U.T.astype(np.float32) @ rotations @ V.astype(np.float32)
    step = max(1, _TURNED // max(1, (len(A) + len(B)) * m * n))
    for start in range(0, len(turns), step):
        S = turns[start : start + step]
        means = np.zeros((len(S), len(components), len(A), len(B)), np.float32)
        for inside, operators in groups.items():
            found = np.zeros((len(S), len(A), len(B)), np.float32)
            for o in operators:
                # <A, R B R^T> = <A R, R B>
                turned = (S.reshape(-1, n) @ right[o]).reshape(len(S), m * n, len(B))
                found += (left[o] @ S).reshape(len(S), len(A), m * n) @ turned
            for component in inside:
                means[:, component] += found
        means *= share
        yield means


def null_means(
    A: Operators, B: Operators, components: Sequence[Sequence[int]], rotations: NDArray[np.float32]
) -> Iterator[NDArray[np.float32]]:
    """Yield `rotated_means`, turning A instead where that comes second by its values: the draws do not depend on who is asked first."""
    if (len(A), A.tobytes()) <= (len(B), B.tobytes()):
        yield from rotated_means(A, B, components, rotations)
    else:
        yield from (means.swapaxes(-1, -2) for means in rotated_means(B, A, components, rotations))


def _groups(A: Operators, B: Operators, components: Sequence[Sequence[int]]) -> dict[tuple[int, ...], list[int]]:
    """Return the operators that both models have by the components that they are in."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for o in range(A.shape[1]):
        inside = tuple(row for row, operators in enumerate(components) if o in operators)
        if inside and A[:, o].any() and B[:, o].any():
            groups.setdefault(inside, []).append(o)
    return groups


def _spanned(M: Operators) -> NDArray[np.float64]:
    """Return an orthonormal basis U of all that operators read from and write to, of shape (n, m): M = U U^T M U U^T, but for rounding.

    In token space m is about two thirds of n: the leading and the weakest directions are left out.
    """
    flat = M.reshape(-1, *M.shape[-2:])
    if len(flat) == 1:  # it is turned as soon as projected
        return np.eye(M.shape[-1])
    rows, columns = (np.tensordot(flat, flat, ((0, side), (0, side))) for side in (2, 1))
    values, vectors = np.linalg.eigh(rows + columns)
    basis: NDArray[np.float64] = vectors[:, values > _ROUNDING * values[-1]]
    return basis


def _shares(A: Operators, B: Operators, components: Sequence[Sequence[int]]) -> NDArray[np.float64]:
    """Return 1 / how many operators of each component both blocks have, of shape (components, LA, LB); 1 where that is none."""
    both = _both(A, B)
    counts: NDArray[np.intp] = np.stack([both[list(operators)].sum(0) for operators in components])
    return 1 / np.maximum(counts, 1)


def _both(A: Operators, B: Operators) -> NDArray[np.bool_]:
    first, second = (np.any(each, axis=(2, 3)).T for each in (A, B))
    both: NDArray[np.bool_] = first[:, :, None] & second[:, None, :]
    return both


def _scaled(M: NDArray[Real], identity: NDArray[np.float64]) -> NDArray[Real]:
    """Take the multiple of the (projected) identity out and scale to norm 1; what is next to nothing becomes zero. M is overwritten."""
    rest = M * M
    whole = np.sqrt(rest.sum((-2, -1), keepdims=True))
    share = np.trace(M, axis1=-2, axis2=-1)[..., None, None] / max(float(np.trace(identity)), 1.0)
    np.subtract(M, np.multiply(share, identity.astype(M.dtype), out=rest), out=rest)
    norm = np.sqrt(np.multiply(rest, rest, out=M).sum((-2, -1), keepdims=True))
    rest /= np.where(norm > _NEXT_TO_NOTHING * whole, norm, np.inf)
    return rest


def _inverse_root(gram: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the inverse root without the directions left out, and the projector on those kept, both of the shape of `gram`."""
    values, vectors = np.linalg.eigh(gram)
    compared = len(values) - round(MEANING * len(values))
    kept = values > max(values[compared - 1] * CUT_OFF, values[-1] * NOISE, 1e-12)
    kept[compared:] = False
    return (vectors[:, kept] / np.sqrt(values[kept])) @ vectors[:, kept].T, vectors[:, kept] @ vectors[:, kept].T


def _among(M: NDArray[np.floating], present: NDArray[np.bool_]) -> NDArray[np.float64]:
    return M.astype(np.float64)[..., present, :][..., :, present]


def _centred_basis(size: int) -> NDArray[np.float64]:
    """Return an orthonormal basis (Helmert's) of the vectors whose sum is zero, of shape (size - 1, size)."""
    H = np.tril(np.ones((size, size)), -1)[1:]
    row = np.arange(1, size)
    H[row - 1, row] = -row
    return H / np.sqrt(row * (row + 1.0))[:, None]
