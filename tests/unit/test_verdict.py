"""Verdicts on made-up sketches and on small checkpoints: the right word, the same whoever is named first."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from support import kin
from support.prints import padded, printed, sketched_print, with_blocks, with_experts, with_tables_of
from support.sketches import ToyModel, layers, neurons_permuted, rotated, sketches, toy_model, tuned
from tensorguard.fingerprint.base import Fingerprint
from tensorguard.lineage.verdict import Lineage, compare_lineage

MODEL = toy_model(1)
PARENT = sketched_print(sketches(MODEL))
OTHER_WAY = {"first from second": "second from first", "second from first": "first from second", "unknown": "unknown"}


def compared(first: Fingerprint, second: Fingerprint) -> Lineage:
    """Compare both ways round, and require that they agree."""
    there, back = compare_lineage(first, second), compare_lineage(second, first)
    assert there.verdict == back.verdict
    assert OTHER_WAY[there.direction] == back.direction
    assert {(k.name, k.child) for k in there.kinds} == {(k.name, None if k.child is None else 1 - k.child) for k in back.kinds}
    assert {each.name: each.status for each in there.components} == {each.name: each.status for each in back.components}
    assert there.log10_p == pytest.approx(back.log10_p, abs=0.01)
    return there


def of(model: ToyModel) -> Fingerprint:
    return sketched_print(sketches(model))


def own_rows(model: ToyModel, seed: int) -> ToyModel:
    """The same operators from other rows: heads in another basis, neurons in another order."""
    rng = np.random.default_rng([seed, 9])
    blocks = []
    for block in neurons_permuted(model, seed).blocks:
        Q, R = (np.linalg.qr(rng.standard_normal((64, 64)))[0] for _ in "QR")
        blocks.append({**block, "q": Q @ block["q"], "k": Q @ block["k"], "v": R @ block["v"], "o": block["o"] @ R.T})
    return replace(model, blocks=tuple(blocks))


@pytest.mark.parametrize(
    "child",
    [
        tuned(MODEL, 5, 0.5),
        tuned(rotated(MODEL, 3), 5, 0.2),
        tuned(neurons_permuted(MODEL, 3), 5, 0.2),
        own_rows(MODEL, 4),
        layers(MODEL, [0, 2, 3]),
        layers(MODEL, [2, 0, 3, 1]),
        layers(MODEL, [1]),
        replace(MODEL, embed=toy_model(7).embed, head=toy_model(7).head),
    ],
    ids=["tuned", "rotated", "permuted", "other rows", "dropped", "reordered", "one block", "new embeddings"],
)
def test_derived(child: ToyModel) -> None:
    found = compared(of(child), PARENT)
    assert found.verdict == "derived"
    assert found.log10_p < -20
    assert {each.name: each.status for each in found.components}["mlp"] == "linked"


@pytest.mark.parametrize("seed", range(2, 8))
@pytest.mark.parametrize("depth", [1, 2, 5])
def test_independent(seed: int, depth: int) -> None:
    found = compared(of(toy_model(seed, depth=depth)), PARENT)
    assert found.verdict == "independent"
    assert found.kinds == ()
    assert found.log10_p > -4


def test_only_what_was_copied_is_shared() -> None:
    found = compared(of(replace(toy_model(7), embed=MODEL.embed)), PARENT)
    assert found.verdict == "shares-components"
    assert found.kinds == ()
    status = {each.name: each.status for each in found.components}
    assert status == {"embeddings": "linked", "attention": "independent", "mlp": "independent", "head": status["head"]}
    assert status["head"] != "linked"


def test_one_basis_and_no_block_in_common_is_related() -> None:
    """Every block of both is alike by as much, along the same directions of one residual stream, in rows of its own."""
    core = toy_model(50, depth=1).blocks[0]
    a, b = (
        replace(m, embed=MODEL.embed, blocks=tuple({r: core[r] + block[r] for r in block} for block in m.blocks))
        for m in (toy_model(51), toy_model(52))
    )
    found = compared(of(own_rows(a, 1)), of(own_rows(b, 2)))
    assert found.verdict == "related"
    assert found.evidence is not None
    assert set(found.evidence.layers.origins) == {None}
    assert not {kind.name for kind in found.kinds} & {"fine-tuned", "continued"}


def test_without_embeddings_strangers_may_be_in_disguise() -> None:
    """In the fixed basis alone a rotation cannot be told from independence."""
    missing = tuple(range(32))
    blind = [replace(sketches(m, missing_words=missing), id_gram=np.zeros((24, 24), np.float32)) for m in (MODEL, toy_model(2))]
    assert compared(*map(sketched_print, blind)).verdict == "inconclusive"


def test_without_sketches_digests_decide_or_nothing_does(tmp_path: Path) -> None:
    whole = printed(tmp_path / "base", kin.model(7))
    digests = replace(whole, sketches=None)
    assert compared(digests, digests).verdict == "identical"
    assert compared(digests, replace(digests, header_digest="of another file")).verdict == "same-weights"
    assert compared(digests, replace(printed(tmp_path / "other", kin.model(8)), sketches=None)).verdict == "inconclusive"
    assert compared(sketched_print(None), PARENT).verdict == "inconclusive"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Fingerprint:
    return printed(tmp_path_factory.mktemp("verdicts") / "base", kin.kin()["base"])


def test_checkpoints_of_one_family(base: Fingerprint, tmp_path: Path) -> None:
    family = kin.kin()
    verdicts = {name: compared(printed(tmp_path / name, tensors), base) for name, tensors in family.items()}
    assert {name: found.verdict for name, found in verdicts.items()} == {
        **dict.fromkeys(family, "derived"),
        "base": "identical",
        "stranger": "independent",
    }
    assert {name: found.direction for name, found in verdicts.items() if found.direction != "unknown"} == {
        "coarse": "first from second",
        "shallow": "first from second",
    }
    assert verdicts["shallow"].how == "certain"


def test_odd_checkpoints(base: Fingerprint, tmp_path: Path) -> None:
    parent, stranger = kin.model(7), kin.model(8)
    expected = {
        "one block": (with_blocks(parent, [0]), "derived", ["layers"]),
        "48 blocks": (with_blocks(parent, sorted([*range(6)] * 8)), "derived", ["layers"]),
        "up-cycled": (with_experts(parent), "derived", ["upcycled"]),
        "up-cycled stranger": (with_experts(stranger), "independent", []),
        "padded": (padded(parent), "derived", ["disguised"]),
        "no embeddings": ({n: v for n, v in parent.items() if ".layers." in n}, "derived", []),
        "new embeddings": (with_tables_of(parent, stranger), "derived", ["vocabulary"]),
        "new body": (with_tables_of(stranger, parent), "shares-components", []),
        "zero body": (parent | {n: 0 * v for n, v in parent.items() if "_proj" in n}, "shares-components", []),
    }
    for name, (tensors, verdict, kinds) in expected.items():
        found = compared(printed(tmp_path / name, tensors, "mixtral" if "cycled" in name else "llama"), base)
        assert (name, found.verdict, [kind.name for kind in found.kinds]) == (name, verdict, kinds)


def test_up_cycled_strangers_and_constant_matrices_are_strangers(tmp_path: Path) -> None:
    """What both owe to how they were made and not to each other: tied experts, matrices of one value."""
    moes = [printed(tmp_path / f"moe-{seed}", with_experts(kin.model(seed)), "mixtral") for seed in (7, 8)]
    assert compared(*moes).verdict == "independent"
    constant = []
    for seed in (7, 8):
        model = kin.model(seed)
        flat = {name: np.full_like(values, 0.3) for name, values in model.items() if "up_proj" in name or "v_proj" in name}
        constant.append(printed(tmp_path / f"flat-{seed}", model | flat))
    assert compared(*constant).verdict == "independent"
