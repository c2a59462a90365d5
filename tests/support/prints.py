"""Fingerprints for tests of verdicts: of made-up sketches, and of small checkpoints read as any model is."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from support import kin
from support.checkpoints import Arrays, numbers, save
from tensorguard.api.fingerprints import fingerprint_model
from tensorguard.fingerprint.base import Fingerprint
from tensorguard.fingerprint.sketches import Sketches

EXPERTS = {"gate": "w1", "up": "w3", "down": "w2"}


def sketched_print(sketches: Sketches | None, name: str = "model", **more: object) -> Fingerprint:
    """A fingerprint of nothing but sketches."""
    empty = {"features": {}, "layers": (), "architecture": "llama", "elements_read": 0, "elements": 0}
    return Fingerprint(name=name, specification="", sketches=sketches, **(empty | more))  # type: ignore[arg-type]


def printed(folder: Path, tensors: Arrays, architecture: str = "llama") -> Fingerprint:
    """Write a checkpoint and fingerprint it."""
    single = {name: np.ascontiguousarray(values, dtype=np.float32) for name, values in tensors.items()}
    return fingerprint_model(save(folder, single, architecture), workers=1)


def with_blocks(model: Arrays, order: Iterable[int]) -> Arrays:
    """The model with these of its blocks, in this order."""
    found = {name: values for name, values in model.items() if ".layers." not in name}
    for place, block in enumerate(order):
        stem = f"model.layers.{block}."
        found |= {name.replace(stem, f"model.layers.{place}."): model[name] for name in model if name.startswith(stem)}
    return found


def with_experts(model: Arrays, experts: int = 4) -> Arrays:
    """The model up-cycled: every MLP several times, and a router."""
    found: Arrays = {}
    for name, values in model.items():
        block, _, rest = name.partition(".mlp.")
        if not rest:
            found[name] = values
            continue
        stem = f"{block}.block_sparse_moe"
        found[f"{stem}.gate.weight"] = numbers(stem, experts, kin.WIDE)
        found |= {f"{stem}.experts.{e}.{EXPERTS[rest.split('_')[0]]}.weight": values for e in range(experts)}
    return found


def with_tables_of(model: Arrays, other: Arrays) -> Arrays:
    """The model with the embeddings and the head of another."""
    return model | {name: other[name] for name in ("model.embed_tokens.weight", "lm_head.weight")}


def padded(model: Arrays, more: int = 16) -> Arrays:
    """The same function with some neurons twice, the second of them silent."""
    found = dict(model)
    for name, values in model.items():
        if name.endswith(("gate_proj.weight", "up_proj.weight")):
            found[name] = np.concatenate([values, values[:more]])
        if name.endswith("down_proj.weight"):
            found[name] = np.concatenate([values, np.zeros_like(values[:, :more])], axis=1)
    return found
