import dataclasses

import numpy as np
import pytest

from support.sweeps import swept, view_of
from tensorguard.errors import UsageError
from tensorguard.fingerprint.base import FEATURES, Fingerprint
from tensorguard.lineage.identity import compare_identity
from tensorguard.signals.digest import block_digest, tensor_digest

WIDTH, BLOCKS = 64, 3


def arrays(seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    found = {"model.embed_tokens.weight": random.standard_normal((200, WIDTH))}
    for block in range(BLOCKS):
        stem = f"model.layers.{block}"
        for name in ("q", "k", "v", "o"):
            found[f"{stem}.self_attn.{name}_proj.weight"] = random.standard_normal((WIDTH, WIDTH))
        for name, shape in (("gate", (96, WIDTH)), ("up", (96, WIDTH)), ("down", (WIDTH, 96))):
            found[f"{stem}.mlp.{name}_proj.weight"] = random.standard_normal(shape)
        found[f"{stem}.input_layernorm.weight"] = 1 + 0.1 * random.standard_normal(WIDTH)
        found[f"{stem}.post_attention_layernorm.weight"] = np.ones(WIDTH)
    found["model.norm.weight"] = np.ones(WIDTH)
    return {name: array.astype(np.float32) for name, array in found.items()}


def fingerprint(model: dict[str, np.ndarray], workers: int = 0) -> Fingerprint:
    view = view_of(model, {})
    found = swept(model, {}, workers=workers).digests
    return Fingerprint("m", "s", dict.fromkeys(FEATURES, 0.0), (), view.architecture, 0, view.parameters, digests=found)


def test_a_digest_is_of_shape_and_values() -> None:
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    block = block_digest(values)
    assert block != block_digest(values + np.float32(1e-6))
    assert tensor_digest((3, 4), [block]) != tensor_digest((4, 3), [block])


def test_many_tiles_and_workers_give_one_digest() -> None:
    model = {"model.embed_tokens.weight": np.random.default_rng(0).standard_normal((30_000, 200)).astype(np.float32)}
    assert fingerprint(model).digests == fingerprint(model, 3).digests
    changed = {name: array.copy() for name, array in model.items()}
    changed["model.embed_tokens.weight"][29_999, 199] += 1e-3
    assert fingerprint(model).digests != fingerprint(changed).digests


def test_a_copy_is_the_same_whatever_its_names_order_and_container_dtype() -> None:
    model = arrays(0)
    renamed = {f"base.{name}": array.astype(np.float64) for name, array in reversed(model.items())}
    found = compare_identity(fingerprint(model), fingerprint(renamed))
    assert (found.verdict, found.equal, found.comparable, found.moved) == ("same-weights", 1 + 7 * BLOCKS, 1 + 7 * BLOCKS, 0)


def test_a_part_that_stayed_is_found_with_its_role() -> None:
    model, tuned = arrays(0), arrays(1)
    for name in model:
        if ".mlp." in name or "embed" in name:
            tuned[name] = model[name]
    found = compare_identity(fingerprint(model), fingerprint(tuned))
    assert found.verdict == "shares-components"
    shares = {share.role: share.equal for share in found.roles}
    assert shares == {"embed": 1, "q": 0, "k": 0, "v": 0, "o": 0, "gate": BLOCKS, "up": BLOCKS, "down": BLOCKS}


def test_a_block_that_moved_is_told_from_one_that_stayed() -> None:
    model = arrays(0)
    swapped = {name.replace("layers.0.", "layers.9.").replace("layers.1.", "layers.0."): a for name, a in model.items()}
    swapped = {name.replace("layers.9.", "layers.1."): array for name, array in swapped.items()}
    found = compare_identity(fingerprint(model), fingerprint(swapped))
    assert (found.verdict, found.equal, found.moved) == ("shares-components", 1 + 7 * BLOCKS, 14)


def test_tuning_of_norms_alone_is_not_the_same_model() -> None:
    model, tuned = arrays(0), arrays(0)
    tuned["model.layers.1.input_layernorm.weight"] *= np.float32(1.01)
    assert compare_identity(fingerprint(model), fingerprint(tuned)).verdict == "shares-components"


@pytest.mark.parametrize("name", ["a.weight", "b.weight", "small_a.weight", "small_b.weight"])
def test_tensors_that_no_table_knows_share_a_place_and_all_of_them_count(name: str) -> None:
    random = np.random.default_rng(7)
    extra = {key: random.standard_normal((64, WIDTH)).astype(np.float32) for key in ("a.weight", "b.weight")}
    extra |= {key: random.standard_normal((4, WIDTH)).astype(np.float32) for key in ("small_a.weight", "small_b.weight")}
    model = arrays(0) | extra
    renamed = {f"z{key}" if key == "a.weight" else key: array for key, array in model.items()}
    assert compare_identity(fingerprint(model), fingerprint(renamed)).verdict == "same-weights"
    changed = model | {name: model[name] + np.float32(1)}
    assert compare_identity(fingerprint(model), fingerprint(changed)).verdict == "shares-components"


def test_independent_models_share_constants_only_and_that_proves_nothing() -> None:
    found = compare_identity(fingerprint(arrays(0)), fingerprint(arrays(1)))
    assert (found.verdict, found.equal) == ("inconclusive", 0)


def test_one_tensor_counts_once() -> None:
    model = arrays(0)
    doubled = model | {name.replace("layers.0.", "layers.3."): a for name, a in model.items() if "layers.0." in name}
    assert compare_identity(fingerprint(doubled), fingerprint(model)).equal == 1 + 7 * BLOCKS


def test_without_digests_there_is_nothing_to_compare() -> None:
    one = fingerprint(arrays(0))
    with pytest.raises(UsageError, match="digests"):
        compare_identity(one, dataclasses.replace(one, digests=()))


def test_constants_are_marked() -> None:
    marked = {(each.role, each.layer): each.constant for each in fingerprint(arrays(0)).digests}
    assert marked["norm:final", None]
    assert not marked["embed", None]
