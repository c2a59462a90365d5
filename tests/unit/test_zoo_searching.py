"""The measurement of the search: what counts as kin, and how ranks are counted."""

from collections.abc import Sequence

import numpy as np

from benchmarks.zoo.manifest import Entry
from benchmarks.zoo.searching import MANY, kin, search, shown
from support.sketches import ToyModel, sketches, toy_model, tuned
from tensorguard.fingerprint.base import FEATURES, Fingerprint


def entry(name: str, relation: str = "derived", bases: Sequence[str] = (), shared_with: str | None = None) -> Entry:
    return Entry(name, "evaluation", relation, list(bases), {}, "fine-tuned", "", "llama", shared_with=shared_with)


def fingerprint(model: ToyModel) -> Fingerprint:
    return Fingerprint("m", "s", dict.fromkeys(FEATURES, 0.0), (), "llama", 0, 0, sketches=sketches(model))


def test_kin_is_what_has_anything_of_the_same_origin() -> None:
    entries = [
        entry("a", "base", ["a"]),
        entry("b", "base", ["b"]),
        entry("a.tuned", bases=["a"]),
        entry("ab", bases=["a", "b"]),
        entry("c", "shared-initialisation", ["c"], shared_with="a"),
        entry("c.tuned", bases=["c"]),
        entry("b.embeddings", "shared-embeddings", shared_with="b"),
        entry("a.distilled", "distilled"),
    ]
    found = {(entries[i].name, entries[j].name) for i, j in np.argwhere(np.triu(kin(entries), 1))}
    with_a = {("a", name) for name in ("a.tuned", "ab", "c", "c.tuned")} | {
        ("a.tuned", name) for name in ("ab", "c", "c.tuned")
    }
    with_c = {("ab", "c"), ("ab", "c.tuned"), ("c", "c.tuned")}
    with_b = {("b", "ab"), ("b", "b.embeddings"), ("ab", "b.embeddings")}
    assert found == with_a | with_c | with_b


def test_a_base_is_ranked_among_strangers_alone() -> None:
    parent = toy_model(1, 2)
    models = {
        "a": parent,
        "a.near": tuned(parent, 2, 0.1),
        "a.far": tuned(parent, 3, 0.4),
        "b": toy_model(4, 2),
        "b.wrong": tuned(parent, 5, 0.1),  # said to be of b, and is nearer to all others
    }
    entries = [entry(name, "derived" if "." in name else "base", [name[0]]) for name in models]
    found, strangers = search(entries, [fingerprint(each) for each in models.values()], "evaluation")
    by_name = {each.name: each for each in found}
    assert list(by_name) == ["a.near", "a.far", "b.wrong"]
    assert (by_name["b.wrong"].rank, by_name["b.wrong"].last) == (4, 4)
    assert by_name["b.wrong"].similarity < 0.5 < by_name["a.near"].similarity
    assert by_name["a.near"].ahead < by_name["b.wrong"].ahead <= 3 * MANY
    assert strangers["fixed"].shape == (2 * 2 + 3,)
    assert shown(found).row_count == 2
