"""Operators from responses against the matrices of the definition, and what they are blind to."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from tensorguard.signals.operators import down_up, gate_up, query_key, value_output, without_identity

Array = NDArray[np.float64]

WIDTH, HEAD, COLUMNS, NEURONS = 40, 6, 7, 30


def drawn(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def near(found: Array, expected: Array) -> bool:
    return bool(np.abs(found - expected).max() < 1e-5 * np.abs(expected).max())


def responses(W: Array, X: Array) -> NDArray[np.float32]:
    return (W @ X).astype(np.float32)


@pytest.mark.parametrize("groups", [1, 2, 4], ids=["MQA", "GQA", "MHA"])
def test_attention_is_the_sum_over_query_heads(groups: int) -> None:
    X, heads = drawn(9).standard_normal((WIDTH, COLUMNS)), 4
    q, o = drawn(1).standard_normal((2, heads, HEAD, WIDTH))
    k, v = drawn(2).standard_normal((2, groups, HEAD, WIDTH))
    of = [h * groups // heads for h in range(heads)]
    qk = sum(q[h].T @ k[of[h]] for h in range(heads))
    vo = sum(o[h].T @ v[of[h]] for h in range(heads))  # o[h] holds the columns of Wo that read head h, as rows
    Q, K, V, O = (responses(each.reshape(-1, WIDTH), X) for each in (q, k, v, o))  # noqa: E741
    assert near(query_key(Q, K, HEAD), X.T @ qk @ X)
    assert near(value_output(V, O, groups), X.T @ vo @ X)


def test_neurons() -> None:
    X = drawn(9).standard_normal((WIDTH, COLUMNS))
    gate, up, down = drawn().standard_normal((3, NEURONS, WIDTH))
    G, U, D = (responses(each, X) for each in (gate, up, down))
    assert near(down_up(D, U), X.T @ down.T @ up @ X)
    assert near(down_up(D, G), X.T @ down.T @ gate @ X)
    assert near(gate_up(G, U), X.T @ gate.T @ up @ X)


def test_experts_add_up_to_one_tall_mlp() -> None:
    up, down = drawn().standard_normal((2, 3 * NEURONS, COLUMNS)).astype(np.float32)
    parts = [down_up(d, u) for d, u in zip(np.split(down, 3), np.split(up, 3), strict=True)]
    assert near(sum(parts[1:], parts[0]), down_up(down, up))


ORDER = drawn(3).permutation(NEURONS)
SIGNS = drawn(4).choice([-1.0, 1.0], (NEURONS, 1))
SCALES = np.exp(drawn(5).standard_normal((NEURONS, 1)))

CHANGES: dict[str, tuple[Callable[[Array, Array, Array], tuple[Array, Array, Array]], str]] = {
    "order": (lambda g, u, d: (g[ORDER], u[ORDER], d[ORDER]), "DU DG GU"),
    "scale": (lambda g, u, d: (g, u * SCALES, d / SCALES), "DU"),
    "signs": (lambda g, u, d: (g, u * SIGNS, d * SIGNS), "DU"),
}


@pytest.mark.parametrize(("change", "same"), CHANGES.values(), ids=CHANGES)
def test_what_is_blind_to_what_in_an_mlp(change: Callable[..., tuple[Array, ...]], same: str) -> None:
    def operators(g: Array, u: Array, d: Array) -> dict[str, Array]:
        G, U, D = (each.astype(np.float32) for each in (g, u, d))
        return {"DU": down_up(D, U), "DG": down_up(D, G), "GU": gate_up(G, U)}

    parts = drawn().standard_normal((3, NEURONS, COLUMNS))
    before, after = operators(*parts), operators(*change(*parts))
    assert {name for name in before if near(after[name], before[name])} == set(same.split())


def test_attention_is_blind_to_the_order_of_heads_and_the_basis_of_values() -> None:
    groups, ratio = 3, 2
    Q, O = drawn().standard_normal((2, groups, ratio, HEAD, COLUMNS))  # noqa: E741
    K, V = drawn(1).standard_normal((2, groups, HEAD, COLUMNS))

    def operators(*parts: Array) -> tuple[Array, Array]:
        q, k, v, o = (np.ascontiguousarray(part, np.float32).reshape(-1, COLUMNS) for part in parts)
        return query_key(q, k, HEAD), value_output(v, o, groups)

    before = operators(Q, K, V, O)
    order = [2, 0, 1]
    moved = operators(Q[order][:, ::-1], K[order], V[order], O[order][:, ::-1])
    basis = drawn(2).standard_normal((groups, HEAD, HEAD))
    inverse = np.linalg.inv(basis).transpose(0, 2, 1)
    turned = operators(Q, K, basis @ V, inverse[:, None] @ O)
    rotation = np.linalg.qr(drawn(3).standard_normal((HEAD, HEAD)))[0]
    rotated = operators(rotation @ Q, rotation @ K, V, O)
    for after in (moved, turned, rotated):
        assert near(after[0], before[0])
        assert np.abs(after[1] - before[1]).max() < 1e-4 * np.abs(before[1]).max()
    assert not near(operators(Q[order], K, V, O)[0], before[0]), "heads leave their groups"


def test_the_identity_is_taken_out() -> None:
    M = drawn().standard_normal((2, 5, COLUMNS, COLUMNS))
    without = without_identity(M + 3 * np.eye(COLUMNS))
    assert np.abs(np.trace(without, axis1=-2, axis2=-1)).max() < 1e-12
    assert np.allclose(without, without_identity(M))
    assert np.allclose(M - without, (np.trace(M, axis1=-2, axis2=-1) / COLUMNS)[..., None, None] * np.eye(COLUMNS))
