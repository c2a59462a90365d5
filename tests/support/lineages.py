"""What evidence says of two models, made by hand: for reports, whose words and pictures must fit any of it."""

from collections.abc import Sequence
from typing import Any

from tensorguard.lineage.component_tests import MatrixPair
from tensorguard.lineage.evidence import Evidence, NamedTest
from tensorguard.lineage.identity import Identity, RoleShare
from tensorguard.lineage.layer_map import LayerMap
from tensorguard.lineage.pair import Pair
from tensorguard.lineage.verdict import Component, Lineage
from tensorguard.signals.null_draws import Test
from tensorguard.signals.units import UnitEvidence


def _named(signal: str, component: str, value: float, log10_p: float, basis: str = "fixed") -> NamedTest:
    return NamedTest(
        signal, basis, component, Test(value, 0.01, 0.02, value - 0.01, (value - 0.01) / 0.02, log10_p, "exact"), log10_p
    )


def evidence(value: float = 0.9, log10_p: float = -50.0, origins: Sequence[int | None] = (0, 1, 2)) -> Evidence:
    blocks = tuple((at, at) for at in range(len(origins)))
    cosines = tuple(tuple(value if a == b else 0.1 for b in range(len(origins))) for a in range(len(origins)))
    matrices = [MatrixPair(role, layer, layer, value, 0.2) for layer in range(len(origins)) for role in ("q", "up")]
    return Evidence(
        tests=(_named("operators", "all", value, log10_p), _named("operators", "all", value, log10_p, "words")),
        log10_p=log10_p,
        excess={"fixed": value - 0.01, "words": value - 0.01},
        effects={"fixed": {"QK": value, "DU": value}},
        basis="fixed",
        path=blocks,
        blocks=blocks,
        layers=LayerMap(tuple(origins), ("same",), 0.8),
        units=UnitEvidence(10, 9, 0.5, -8.0, ((10, 9),)),
        matrices=(MatrixPair("embed", None, None, 1.0, 0.0), *matrices),
        similarity={"fixed": cosines, "words": cosines},
    )


def identity(equal: int = 3, of: int = 9) -> Identity:
    verdict = "same-weights" if equal == of else "shares-components" if equal else "inconclusive"
    return Identity(verdict, equal, of, 0, (RoleShare("q", equal, of, of),))


def pair(verdict: Any, first: str = "child", second: str = "parent", **more: Any) -> Pair:
    """A pair with plausible evidence; `more` are fields of its `Lineage`."""
    found = more.pop("evidence", evidence())
    fields: dict[str, Any] = {
        "kinds": (),
        "direction": "unknown",
        "log10_p": 0.0 if found is None else found.log10_p,
        "how": "exact",
        "effect": 0.89,
        "components": (
            Component("embeddings", "linked", 0.9, -20.0, "exact"),
            Component("mlp", "independent", 0.01, 0.0, "exact"),
        ),
        "identity": None,
    } | more
    return Pair(first, second, Lineage(verdict=verdict, evidence=found, **fields), "public")
