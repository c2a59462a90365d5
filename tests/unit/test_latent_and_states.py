"""Operators of latent attention and state spaces: what they compute, and which rearrangements they do not see."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from support.memory import MemoryTensor
from tensorguard.fingerprint.blocks import Blocks
from tensorguard.signals.latent import LatentSizes, latent_query_key, latent_value_output
from tensorguard.tensors.weight import Weight

Array = NDArray[np.float32]
HEADS, PLAIN, ROTARY, VALUE, LATENT, WIDTH, COLUMNS = 4, 6, 2, 5, 8, 32, 88
SIZES = LatentSizes(HEADS, PLAIN, ROTARY, VALUE)


def drawn(seed: int, *shape: int) -> Array:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def test_sizes_follow_from_shapes() -> None:
    # DeepSeek-V3: 128 heads of 128 + 64, values of 128, 512 + 64 numbers kept.
    assert LatentSizes.of(128 * 192, 576, 512, 128 * 256, 128 * 128) == LatentSizes(128, 128, 64, 128)
    assert LatentSizes.of(24_577, 576, 512, 128 * 256, 128 * 128) is None
    assert LatentSizes.of(10, 512, 512, 20, 10) is None
    assert LatentSizes.of(10, 576, 512, 10, 20) is None


def test_sums_over_heads() -> None:
    Q, A = drawn(0, HEADS * (PLAIN + ROTARY), COLUMNS), drawn(1, LATENT + ROTARY, COLUMNS)
    B, O = drawn(2, HEADS * (PLAIN + VALUE), COLUMNS), drawn(3, HEADS * VALUE, COLUMNS)  # noqa: E741
    qk = np.zeros((COLUMNS, COLUMNS))
    vo = np.zeros((COLUMNS, COLUMNS))
    for h in range(HEADS):
        query = Q[h * (PLAIN + ROTARY) : (h + 1) * (PLAIN + ROTARY)].astype(np.float64)
        key = np.vstack([B[h * (PLAIN + VALUE) :][:PLAIN], A[LATENT:]])
        qk += query.T @ key
        vo += O[h * VALUE : (h + 1) * VALUE].T.astype(np.float64) @ B[h * (PLAIN + VALUE) + PLAIN : (h + 1) * (PLAIN + VALUE)]
    np.testing.assert_allclose(latent_query_key(Q, A, B, SIZES), qk, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(latent_value_output(B, O, SIZES), vo, rtol=1e-5, atol=1e-4)


def operators(responses: dict[str, Array], columns: dict[str, int] | None = None) -> Array:
    blocks = Blocks([("decoder", 0)], lambda *_: None)
    for role, response in responses.items():
        width = (columns or {}).get(role, WIDTH)
        blocks.take(Weight(role, 0, (len(response), width), MemoryTensor(role, np.zeros((1, 1), np.float32))), response)
    return np.asarray(blocks.operators()[0][0], np.float32)


def latent(order: Callable[[Array], Array] = lambda each: each) -> dict[str, Array]:
    def heads(rows: Array) -> Array:
        return order(rows.reshape(HEADS, -1, COLUMNS)).reshape(-1, COLUMNS)

    return {
        "o": heads(drawn(3, HEADS * VALUE, COLUMNS)),
        "kv_a": drawn(1, LATENT + ROTARY, COLUMNS),
        "kv_b": heads(drawn(2, HEADS * (PLAIN + VALUE), COLUMNS)),
        "q_b": heads(drawn(0, HEADS * (PLAIN + ROTARY), COLUMNS)),
    }


def test_order_of_heads_and_of_arrival_does_not_matter() -> None:
    plain = operators(latent(), {"kv_b": LATENT})
    assert plain[0].any()
    assert plain[1].any()
    assert not plain[2:].any()
    assert (operators(latent(lambda each: each[::-1]), {"kv_b": LATENT}) == plain).all()
    assert (operators(dict(reversed(latent().items())), {"kv_b": LATENT}) == plain).all()


def states(order: Callable[[Array], Array] = lambda each: each) -> dict[str, Array]:
    channels = {role: order(drawn(seed, 64, COLUMNS)) for seed, role in enumerate(("ssm_in", "ssm_gates", "ssm_out"))}
    return {**channels, **{role: order(drawn(seed + 5, 16, COLUMNS)) for seed, role in enumerate(("ssm_b", "ssm_c"))}}


def test_a_state_space_has_four_operators_whatever_the_order_of_its_channels() -> None:
    plain = operators(states())
    assert [bool(each.any()) for each in plain] == [True, True, False, True, True]
    assert (operators(states(lambda each: each[::-1])) == plain).all()
    assert (operators(dict(reversed(states().items()))) == plain).all()


@pytest.mark.parametrize("left_out", ["ssm_out", "ssm_b"])
def test_what_is_not_there_makes_nothing(left_out: str) -> None:
    rest = {role: each for role, each in states().items() if role != left_out}
    found = [bool(each.any()) for each in operators(rest)]
    assert found == ([True, False, False, False, True] if left_out == "ssm_out" else [False, True, False, True, True])
