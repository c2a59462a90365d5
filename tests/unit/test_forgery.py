"""Forged fingerprints: public probes can be deceived by small changes of the weights, those of a secret key cannot."""

import numpy as np
import pytest

from benchmarks.forgery.steps import (
    Goal,
    Weights,
    forge_numbers,
    forge_operators,
    forge_sketch,
    name_of,
    operators_between,
    scramble,
    sketch,
)
from support.sweeps import HEADS, KEYS, VOCABULARY, normal, sketches
from tensorguard.lineage.evidence import Evidence, evidence
from tensorguard.probes.rademacher import PUBLIC, RESPONSE, Key, fixed_basis, response_inputs, response_rows

WIDTH, HIDDEN, BLOCKS, HEAD = 384, 256, 2, 32
SECRET = Key(b"a secret that no forger has")
BASIS = fixed_basis(PUBLIC, WIDTH).astype(np.float64)


def llama(seed: int) -> Weights:
    """A Llama wide enough that a secret basis has little in common with the public one."""
    random = np.random.default_rng(seed)
    made = {"model.embed_tokens.weight": normal(random, VOCABULARY, WIDTH), "lm_head.weight": normal(random, VOCABULARY, WIDTH)}
    for i in range(BLOCKS):
        for role, rows in (("q", HEADS * HEAD), ("k", KEYS * HEAD), ("v", KEYS * HEAD), ("gate", HIDDEN), ("up", HIDDEN)):
            made[name_of(role, i)] = normal(random, rows, WIDTH)
        made[name_of("o", i)] = normal(random, WIDTH, HEADS * HEAD)
        made[name_of("down", i)] = normal(random, WIDTH, HIDDEN)
        for norm in ("input_layernorm", "post_attention_layernorm"):
            made[f"model.layers.{i}.{norm}.weight"] = np.exp(normal(random, WIDTH) / 4)
    return made | {"model.norm.weight": np.ones(WIDTH, np.float32)}


def compared(first: Weights, second: Weights, key: Key) -> Evidence:
    a, b = (sketches(each, key=key) for each in (first, second))
    return evidence(a, b)


def change(before: Weights, after: Weights) -> float:
    names = [name for name in before if ".layers." in name]
    return float(
        np.sqrt(sum(np.square(after[n] - before[n]).sum() for n in names) / sum(np.square(before[n]).sum() for n in names))
    )


def log10_p(found: Evidence, signal: str, basis: str) -> float:
    test = found.test(signal, basis)
    assert test is not None
    return test.log10_p


@pytest.fixture(scope="module")
def victim() -> Weights:
    return llama(1)


def test_operators_are_those_of_the_fingerprint(victim: Weights) -> None:
    """What forgers aim at is what is extracted, grouped heads and gains included."""
    stored = sketches(victim).fixed.astype(np.float64)
    ours = operators_between(victim, BASIS, HEAD)
    stored /= np.linalg.norm(stored, axis=(2, 3), keepdims=True)
    assert np.einsum("boij,boij->bo", stored, ours).min() > 0.999


def test_a_forged_link_vanishes_under_a_key(victim: Weights) -> None:
    model = llama(2)
    goal = Goal(BASIS, operators_between(victim, BASIS, HEAD))
    forged = forge_operators(model, [goal], HEAD)
    assert change(model, forged) < 0.2
    public, keyed = (compared(forged, victim, key) for key in (PUBLIC, SECRET))
    assert public.excess["fixed"] > 0.95
    assert log10_p(public, "operators", "fixed") < -100
    assert public.layers.origins == (0, 1)
    assert keyed.excess["fixed"] < 0.05
    assert log10_p(keyed, "operators", "fixed") > -3


def test_an_erased_link_reappears_under_a_key(victim: Weights) -> None:
    random = np.random.default_rng(3)
    goal = scramble(victim, BASIS, HEAD, random)
    child = forge_operators(victim, [goal], HEAD)
    assert change(victim, child) < 0.2
    public, keyed = (compared(child, victim, key) for key in (PUBLIC, SECRET))
    assert abs(public.excess["fixed"]) < 0.1
    assert log10_p(public, "operators", "fixed") > -3
    assert keyed.excess["fixed"] > 0.8
    assert log10_p(keyed, "operators", "fixed") < -100


def test_forged_numbers_of_neurons(victim: Weights) -> None:
    """Sorting neurons by the public basis costs nothing, keeps the function, and tells a key nothing."""
    model = llama(4)
    forged = forge_numbers(model, victim, BASIS)
    x = np.random.default_rng(5).standard_normal(WIDTH)
    for layer in range(BLOCKS):
        before, after = (
            m[name_of("down", layer)] @ (np.tanh(m[name_of("gate", layer)] @ x) * (m[name_of("up", layer)] @ x))
            for m in (model, forged)
        )
        np.testing.assert_allclose(after, before, rtol=1e-3, atol=1e-2)
    public, keyed = (compared(forged, victim, key) for key in (PUBLIC, SECRET))
    assert public.units.log10_p < -6
    assert keyed.units.log10_p > -3


def test_a_sketch_is_forged_by_the_smallest_change() -> None:
    random = np.random.default_rng(6)
    W, other = normal(random, 72, 20), normal(random, 72, 20)
    wanted = sketch(other)
    forged = forge_sketch(W, wanted).astype(np.float64)
    P = np.hstack([response_rows(PUBLIC, 0, 72), np.ones((72, 1))]).astype(np.float64)
    X = response_inputs(PUBLIC, 20).astype(np.float64)
    missing = wanted * np.linalg.norm(sketch(W)) / np.linalg.norm(wanted) - P.T @ W.astype(np.float64) @ X
    smallest = np.linalg.lstsq(np.kron(P.T, X.T), missing.ravel(), rcond=None)[0].reshape(72, 20)
    np.testing.assert_allclose(forged - W, smallest, atol=1e-4 * np.abs(smallest).max())


def test_a_forged_sketch_of_a_wide_matrix() -> None:
    """The design's figure: a change of sqrt(2 64 16) / 1024 = 4 % at 1024 x 1024 makes public cosines 1, and nothing else."""
    random = np.random.default_rng(7)
    W, other = normal(random, 1024, 1024), normal(random, 1024, 1024)
    forged = forge_sketch(W, sketch(other))
    assert np.linalg.norm(forged - W) / np.linalg.norm(W) == pytest.approx(
        np.sqrt(2 * RESPONSE[0] * RESPONSE[1]) / 1024, rel=0.1
    )
    found = []
    for key in (PUBLIC, SECRET):
        P, X = response_rows(key, 0, 1024), response_inputs(key, 1024)
        a, b = (P.T.astype(np.float64) @ each @ X for each in (forged, other))
        found.append(float(np.vdot(a, b) / np.linalg.norm(a) / np.linalg.norm(b)))
    assert found[0] == pytest.approx(1, abs=1e-4)
    assert abs(found[1]) < 0.2
