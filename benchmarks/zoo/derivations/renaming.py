"""Tensors under names that say nothing, and a configuration that does not say which architecture it is."""

import re

from numpy.random import Generator

from benchmarks.zoo.derivations.checkpoint import Checkpoint, Facts

_TELLING = ("model_type", "architectures", "auto_map")


def to_nonsense(checkpoint: Checkpoint, random: Generator) -> tuple[Checkpoint, Facts]:
    """Each word of the names becomes another word; numbers stay, so layers can still be told apart and ordered."""
    words = sorted({word for name in checkpoint.tensors for word in re.findall(r"[a-z_]+\w*", name)})
    nonsense = dict(zip(words, _words(len(words), random), strict=True))
    return _rename(
        checkpoint, {name: re.sub(r"[a-z_]+\w*", lambda word: nonsense[word[0]], name) for name in checkpoint.tensors}
    )


def to_scrambled(checkpoint: Checkpoint, random: Generator) -> tuple[Checkpoint, Facts]:
    """Each tensor gets a name of its own; not even the order of the layers is left."""
    return _rename(checkpoint, dict(zip(checkpoint.tensors, _words(len(checkpoint.tensors), random), strict=True)))


def _rename(checkpoint: Checkpoint, names: dict[str, str]) -> tuple[Checkpoint, Facts]:
    tensors = {names[name]: values for name, values in checkpoint.tensors.items()}
    config = {key: value for key, value in checkpoint.config.items() if key not in _TELLING}
    renamed = Checkpoint(tensors, config, checkpoint.files, checkpoint.dtype)
    return renamed, Facts(names={new: old for old, new in names.items()})


def _words(count: int, random: Generator) -> list[str]:
    """Distinct words of six letters."""
    words: dict[str, None] = {}
    while len(words) < count:
        words["".join(random.choice(list("abcdefghijklmnopqrstuvwxyz"), 6))] = None
    return list(words)
