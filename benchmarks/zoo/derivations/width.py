"""A narrower model cut out of a wider one (structured, after Xia et al. 2023, "Sheared LLaMA", without its training)."""

import json

import numpy as np
from numpy.random import Generator

from benchmarks.zoo.derivations import pruning, residual
from benchmarks.zoo.derivations.anatomy import Anatomy
from benchmarks.zoo.derivations.checkpoint import Facts


def narrow(model: Anatomy, random: Generator) -> Facts:
    """Keep three quarters of the residual coordinates and of the neurons, and drop heads as `pruning.drop_heads` does.

    Coordinates are ranked by the norm of all that is written to them.
    """
    written = (model.top["embed"] ** 2).sum(0)
    for parts, name in residual.writers(model):
        written = written + (parts[name] ** 2).sum(1)
    heads, kept = model.heads, model.hidden * 3 // 16 * 4
    pruning.drop_heads(model, random, hidden=kept)
    pruning.drop_neurons(model, random)
    chosen = np.sort(np.argsort(written)[-kept:])
    residual.take_hidden(model, chosen)
    return Facts(notes=json.dumps({"hidden": chosen.tolist(), "heads": [heads, model.heads]}))
