"""Vocabularies extended, put in another order, or replaced."""

import json
from typing import Any

import numpy as np
from numpy.random import Generator

from benchmarks.zoo.derivations.anatomy import Anatomy
from benchmarks.zoo.derivations.checkpoint import Facts, Indices

_IDS = ("bos_token_id", "eos_token_id", "pad_token_id")


def extend(model: Anatomy, random: Generator, count: int = 64) -> Facts:
    """Append tokens whose rows are the mean row plus noise, as resizing does (Hewitt 2021)."""
    size = len(model.top["embed"])
    for name in ("embed", "head"):
        if name in model.top:
            rows = model.top[name]
            noise = 0.1 * rows.std() * random.standard_normal((count, rows.shape[1]))
            model.top[name] = np.concatenate([rows, rows.mean(0) + noise])
    for number in range(count if "tokenizer.json" in model.files else 0):
        model.files["tokenizer.json"]["added_tokens"].append(
            {
                "id": size + number,
                "content": f"<|extra_{number}|>",
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
        )
    return Facts(token_ids=np.arange(size))


def reorder(model: Anatomy, random: Generator) -> Facts:
    """Give every token another id: rows of embedding and head, the tokenizer and the special ids in the configuration."""
    size = len(model.top["embed"])
    order = random.permutation(size)
    new_id = np.argsort(order)
    _take(model, order)
    for key in _IDS:
        if isinstance(model.config.get(key), int):
            model.config[key] = int(new_id[model.config[key]])
    if "tokenizer.json" in model.files:
        _renumber(model.files["tokenizer.json"], new_id)
    return Facts(token_ids=new_id, notes=json.dumps({"order": order.tolist()}))


def extend_and_reorder(model: Anatomy, random: Generator) -> Facts:
    old = extend(model, random).token_ids
    assert old is not None
    facts = reorder(model, random)
    assert facts.token_ids is not None
    return Facts(token_ids=facts.token_ids[old], notes=facts.notes)


def replace(model: Anatomy, random: Generator) -> None:
    """Random rows of the old spread, as a transplanted tokenizer starts from."""
    for name in ("embed", "head"):
        if name in model.top:
            rows = model.top[name]
            model.top[name] = rows.std() * random.standard_normal(rows.shape)


def _take(model: Anatomy, order: Indices) -> None:
    for name in ("embed", "head"):
        if name in model.top:
            model.top[name] = model.top[name][order]


def _renumber(tokenizer: dict[str, Any], new_id: Indices) -> None:
    vocabulary = tokenizer["model"]["vocab"]
    renumbered = {token: int(new_id[old]) for token, old in vocabulary.items()}
    tokenizer["model"]["vocab"] = dict(sorted(renumbered.items(), key=lambda pair: pair[1]))
    for token in tokenizer.get("added_tokens") or []:
        token["id"] = int(new_id[token["id"]])
    tokenizer["added_tokens"] = sorted(tokenizer.get("added_tokens") or [], key=lambda token: int(token["id"]))
    special = (tokenizer.get("post_processor") or {}).get("special_tokens") or {}
    for token in special.values():
        token["ids"] = [int(new_id[old]) for old in token["ids"]]
