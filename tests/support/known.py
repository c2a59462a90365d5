"""Small fingerprints of toy models, quickly made, that a registry can keep."""

from dataclasses import replace
from functools import cache

from blake3 import blake3

from support.prints import sketched_print
from support.sketches import ToyModel, sketches, toy_model, tuned
from tensorguard.fingerprint.base import FEATURES, Fingerprint, TensorDigest


@cache
def parent(seed: int) -> ToyModel:
    """A toy model that others are tuned from."""
    return toy_model(seed, depth=1)


@cache
def known(seed: int, name: str = "", *, tuning: float = 0.0, shared: int = 0, key: str = "public") -> Fingerprint:
    """The fingerprint of a toy model, or of one tuned from it by noise of `tuning` times its weights' size.

    Args:
        seed: Of the parent; different seeds are unrelated.
        name: By default after the seed.
        tuning: 0 for the parent itself.
        shared: How many of its 4 digested tensors are the parent's, if it is tuned.
        key: What it claims its probes' key to be.
    """
    of = parent(seed)
    found = sketches(tuned(of, 1000 + seed, tuning) if tuning else of)
    digests = [_digest(f"{seed}/{at}" if at < shared or not tuning else f"{seed}/{at}/{tuning}") for at in range(4)]
    heads = {f"head_{name}": getattr(found, name) for name in ("word_rows", "id_rows", "word_gram", "id_gram")}
    found = replace(found, key=key, **heads)  # a file holds rows of norm up to 1 only
    return sketched_print(found, name or f"model-{seed}", features=dict.fromkeys(FEATURES, 1.0), digests=tuple(digests))


def _digest(text: str) -> TensorDigest:
    return TensorDigest("q", 0, None, "decoder", 4096, False, 0, 0, blake3(text.encode()).hexdigest(length=16))
