"""What is held against what, and what is said of it."""

import numpy as np

from support.deep import CONFIG, WORDS, compare, llama, view_of
from tensorguard.engines.inline import Inline
from tensorguard.lineage.deep.compare import deep_compare
from tensorguard.progress import Silent


def test_identical_models() -> None:
    deep = compare(llama(0), llama(0))
    assert (deep.kind, deep.made, deep.unmatched, deep.recovery) == ("identical", "", (), None)
    assert deep.sentence == "every compared tensor is equal"
    assert deep.share == (("identical", 1.0),)


def test_only_some_roles_by_rank() -> None:
    first, rng = llama(0), np.random.default_rng(4)
    for i in range(2):
        for name in "qv":
            key = f"model.layers.{i}.self_attn.{name}_proj.weight"
            rows = len(first[key])
            first[key] += (0.02 * rng.standard_normal((rows, 4)) @ rng.standard_normal((4, 64))).astype(np.float32)
    deep = compare(first, llama(0))
    assert deep.kind == "low-rank"
    assert deep.sentence == "only q and v changed by rank 4"
    roles = {role.role: role for role in deep.roles}
    assert (roles["q"].kinds, roles["q"].rank, roles["q"].layers) == ((("low-rank", 2),), 4, (0, 1))
    assert (roles["gate"].kinds, roles["gate"].rank, roles["gate"].layers) == ((("identical", 2),), None, ())


def test_a_layer_map() -> None:
    names = {name: name.replace("layers.1.", "layers.0.") for name in llama(0) if "layers.0." not in name}
    child = {new: llama(0)[old] for old, new in names.items()}
    deep = compare(child, llama(0), layer_map={0: 1})
    assert {(t.layer, t.other_layer) for t in deep.tensors if t.layer is not None} == {(0, 1)}
    assert deep.kind == "partial"
    assert deep.unmatched == ()
    assert len(deep.unmatched_second) == 9


def test_a_longer_vocabulary_compares_the_common_rows() -> None:
    first = llama(0)
    name = "model.embed_tokens.weight"
    first[name] = np.concatenate([first[name], np.ones((7, 64), np.float32)])
    (embed,) = (t for t in compare(first, llama(0)).tensors if t.role == "embed")
    assert (embed.shape, embed.kind) == ((WORDS, 64), "identical")


def test_a_vocabulary_in_another_order_is_compared_by_tokens() -> None:
    first = llama(0)
    order = np.random.default_rng(6).permutation(WORDS)
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        first[name] = first[name][order]
    assert compare(first, llama(0)).kind == "unrelated"
    kept = np.arange(0, WORDS, 2)
    deep = compare(first, llama(0), tokens=(kept, order[kept]))
    assert (deep.kind, deep.tensors[0].shape) == ("identical", (WORDS // 2, 64))


def test_renamed_matrices_are_matched_by_their_values() -> None:
    second = llama(0)
    order = np.random.default_rng(0).permutation(len(second))
    names = list(second)
    first = {f"t{i}": second[names[j]] for i, j in enumerate(order)}
    views = view_of(first, {}), view_of(second)
    deep = deep_compare(*views, engine=Inline(), progress=Silent(), configs=({}, CONFIG))
    assert len(deep.tensors) >= 16
    assert {t.role for t in deep.tensors if ":" not in t.role} == {w.role for w in views[1].weights}
    assert all(t.kind == "identical" for t in deep.tensors)


def test_nothing_in_common() -> None:
    deep = compare({"model.layers.0.mlp.up_proj.weight": np.ones((4, 6), np.float32)}, llama(0))
    assert (deep.kind, deep.tensors) == ("unrelated", ())
    assert deep.unmatched == ("model.layers.0.mlp.up_proj.weight",)
