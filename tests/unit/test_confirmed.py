from dataclasses import replace

import numpy as np

from support.memory import MemoryTensor
from tensorguard.engines.inline import Inline
from tensorguard.fingerprint.base import Fingerprint
from tensorguard.lineage.confirmed import confirmed
from tensorguard.lineage.deep.compare import deep_compare
from tensorguard.lineage.verdict import compare_lineage
from tensorguard.progress import Silent
from tensorguard.tensors.view import View, canonical_view

WIDTH, NEURONS, BLOCKS, TOKENS = 64, 192, 4, 400


def llama(seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    tensors = {"model.embed_tokens.weight": rng.standard_normal((TOKENS, WIDTH))}
    for block in range(BLOCKS):
        stem = f"model.layers.{block}"
        for name in "qkvo":
            tensors[f"{stem}.self_attn.{name}_proj.weight"] = rng.standard_normal((WIDTH, WIDTH))
        for name in ("gate", "up"):
            tensors[f"{stem}.mlp.{name}_proj.weight"] = rng.standard_normal((NEURONS, WIDTH))
        tensors[f"{stem}.mlp.down_proj.weight"] = rng.standard_normal((WIDTH, NEURONS))
    return tensors


def disguised(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """New embeddings, and the residual stream in another order."""
    rng = np.random.default_rng(99)
    order = rng.permutation(WIDTH)
    moved = {}
    for name, values in tensors.items():
        writes = name.endswith(("o_proj.weight", "down_proj.weight"))
        moved[name] = values[order] if writes else values[:, order]
    return moved | {"model.embed_tokens.weight": rng.standard_normal((TOKENS, WIDTH))}


def view(tensors: dict[str, np.ndarray]) -> View:
    stored = [MemoryTensor(name, np.asarray(values, np.float32)) for name, values in tensors.items()]
    return canonical_view(stored, {"model_type": "llama", "num_attention_heads": 4}, "safetensors")


def fingerprint(tensors: dict[str, np.ndarray]) -> Fingerprint:
    from support.sweeps import swept

    found = swept(tensors)
    return Fingerprint("model", "", {}, (), "llama", 0, 0, digests=found.digests, sketches=found.sketches)


def verdicts(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> tuple[str, str, float]:
    lineage = compare_lineage(fingerprint(a), fingerprint(b))
    answer = confirmed(lineage, deep_compare(view(a), view(b), engine=Inline(), progress=Silent()))
    return lineage.verdict, answer.verdict, answer.log10_p


def test_new_embeddings_in_another_basis_are_found_by_reading_both_models() -> None:
    original = llama(0)
    fingerprints, deep, log10_p = verdicts(disguised(original), original)
    assert fingerprints in ("independent", "inconclusive")
    assert deep == "derived"
    assert log10_p < -6


def test_strangers_stay_strangers() -> None:
    fingerprints, deep, _ = verdicts(llama(0), llama(1))
    assert deep == fingerprints != "derived"


def test_nothing_is_taken_back() -> None:
    original = llama(0)
    lineage = compare_lineage(fingerprint(original), fingerprint(original))
    stranger = deep_compare(view(original), view(llama(1)), engine=Inline(), progress=Silent())
    assert confirmed(lineage, stranger) == lineage
    assert confirmed(replace(lineage, verdict="related"), stranger).verdict == "related"
