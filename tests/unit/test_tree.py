"""Family trees of toy models whose family is known, and the chances of roots against counting."""

import itertools
from collections import Counter

import numpy as np
import pytest

from support.sketched import SHAPES, Matrices, bfloat16, combined, random_model, sketched, tuned
from tensorguard.errors import UsageError
from tensorguard.lineage.rooting import edge_chances, root_chances
from tensorguard.lineage.tree import Tree, TreeEdge, family_tree

BASE = random_model(0)
A, B, C = (tuned(BASE, seed, 0.05) for seed in (1, 2, 3))


def tree_of(**models: Matrices) -> Tree:
    return family_tree({name: sketched(model) for name, model in models.items()}, list(itertools.combinations(models, 2)))


def joined(tree: Tree) -> set[frozenset[str]]:
    return {frozenset((edge.parent, edge.child)) for edge in tree.edges}


def edge(tree: Tree, child: str) -> TreeEdge:
    (found,) = [each for each in tree.edges if each.child == child]
    return found


def test_a_star_is_a_star_and_its_direction_is_said_to_be_unknown() -> None:
    found = tree_of(base=BASE, a=A, b=B, c=C)
    assert {(each.parent, each.child) for each in found.edges} == {("base", "a"), ("base", "b"), ("base", "c")}
    assert {each.direction for each in found.edges} == {"unknown"}
    assert [node.kind for node in found.nodes] == ["root", "derived", "derived", "derived"]
    assert edge(found, "a").distance == pytest.approx(0.05, abs=0.002)


def test_a_chain_is_a_chain() -> None:
    second = tuned(A, 4, 0.05)
    third = tuned(second, 5, 0.05)
    found = tree_of(third=third, base=BASE, second=second, a=A)
    assert joined(found) == {frozenset(pair) for pair in (("base", "a"), ("a", "second"), ("second", "third"))}


def test_a_merge_has_its_parents_and_their_weights_and_its_own_children() -> None:
    merged = combined([(0.7, A), (0.3, B)])
    found = tree_of(base=BASE, a=A, m=merged, b=B, child=tuned(merged, 6, 0.03))
    assert {each.parent: each.weight for each in found.edges if each.child == "m"} == pytest.approx(
        {"a": 0.7, "b": 0.3}, abs=1e-3
    )
    assert edge(found, "child").parent == "m"
    assert edge(found, "child").direction == "known"
    assert next(node.kind for node in found.nodes if node.name == "m") == "merge"
    assert joined(found) >= {frozenset(("base", "a")), frozenset(("base", "b"))}


def test_task_arithmetic_with_a_negative_share_of_the_base_is_the_merge() -> None:
    found = tree_of(base=BASE, a=A, b=B, m=combined([(-0.2, BASE), (0.8, A), (0.4, B)]))
    assert list(found.mixtures) == ["m"]
    assert {each.parent for each in found.edges if each.child == "m"} == {"base", "a", "b"}


def test_a_base_with_fine_tunes_around_it_is_not_their_merge() -> None:
    tunes = {f"t{seed}": tuned(BASE, 20 + seed, 0.05) for seed in range(8)}
    assert not tree_of(base=BASE, **tunes).mixtures


def quantised(model: Matrices) -> Matrices:
    scale = {key: np.abs(W).max() / 7 for key, W in model.items()}
    return {key: np.round(W / scale[key]) * scale[key] for key, W in model.items()}


def pruned(model: Matrices) -> Matrices:
    return {key: np.where(np.abs(W) < np.quantile(np.abs(W), 0.3), 0, W) for key, W in model.items()}


def shortened(model: Matrices) -> Matrices:
    return {key: W for key, W in model.items() if key[1] is None or key[1] < 4}


def lengthened(model: Matrices) -> Matrices:
    order = [0, 1, 2, 2, 3, 3, 4, 5]
    return {("embed", None): model["embed", None]} | {
        (role, at): model[role, source] for at, source in enumerate(order) for role in SHAPES
    }


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (quantised, "coarse grid"),
        (pruned, "zero in"),
        (bfloat16, "rounded to 16 bits"),
        (shortened, "only some of the blocks"),
        (lengthened, "more than once"),
    ],
)
def test_what_cannot_be_undone_gives_the_direction(change, reason: str) -> None:
    found = tree_of(child=change(A), a=A, base=BASE)
    made = edge(found, "child")
    assert (made.parent, made.direction) == ("a", "known")
    assert reason in made.reason
    assert joined(found) == {frozenset(("a", "child")), frozenset(("a", "base"))}


def test_families_that_nothing_links_stay_apart() -> None:
    other = random_model(50)
    models = {"base": BASE, "a": A, "o": other, "o2": tuned(other, 51, 0.1), "alone": random_model(60)}
    found = family_tree({name: sketched(model) for name, model in models.items()}, [("a", "base"), ("o", "o2")])
    assert joined(found) == {frozenset(("base", "a")), frozenset(("o", "o2"))}
    assert [node.family for node in found.nodes] == [0, 0, 1, 1, 2]
    assert found.nodes[-1].kind == "isolated"


def test_models_in_another_basis_hang_by_the_evidence_they_are_given() -> None:
    rotation = np.linalg.qr(np.random.default_rng(8).standard_normal((32, 32)))[0]
    hidden = {key: W @ rotation if W.shape[1] == 32 else rotation.T @ W for key, W in A.items()}
    models = {"base": sketched(BASE), "a": sketched(A), "hidden": sketched(hidden)}
    links = list(itertools.combinations(models, 2))
    found = family_tree(models, links, {("hidden", "a"): 0.001, ("base", "hidden"): 0.05})
    made = next(each for each in found.edges if "hidden" in (each.parent, each.child))
    assert {made.parent, made.child} == {"a", "hidden"}
    assert (made.measured, made.direction) == ("evidence", "unknown")


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(UsageError, match="not among the models"):
        family_tree({"a": sketched(A)}, [("a", "b")])


def test_root_chances_equal_counted_growth_orders() -> None:
    neighbours = {0: [1, 2], 1: [0, 3], 2: [0], 3: [1, 4], 4: [3]}
    orders = Counter(
        order[0]
        for order in itertools.permutations(range(5))
        if all(set(neighbours[node]) & set(order[:at]) for at, node in enumerate(order) if at)
    )
    total = sum(orders.values())
    assert root_chances(neighbours, {}) == pytest.approx({node: count / total for node, count in orders.items()})


def test_evidence_on_an_edge_moves_the_root() -> None:
    neighbours = {0: [1], 1: [0, 2], 2: [1]}
    chances = root_chances(neighbours, {(2, 1): 0.98})
    assert max(chances, key=chances.__getitem__) == 2
    assert edge_chances(neighbours, chances)[2, 1] == pytest.approx(chances[2])
    assert sum(chances.values()) == pytest.approx(1.0)
