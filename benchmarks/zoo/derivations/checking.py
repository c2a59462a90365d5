"""Whether a derivative computes what its parent does, asked of transformers."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from transformers import AutoModelForCausalLM

from benchmarks.zoo.derivations.checkpoint import Checkpoint, Facts, Indices, Tensor, write

TOLERANCE = 1e-3
"""Largest difference of logits that still counts as none, relative to their standard deviation."""


def logits(checkpoint: Checkpoint, ids: Indices) -> Tensor:
    """Logits of the model as it would be written, computed in float64: batch x tokens x vocabulary."""
    with TemporaryDirectory() as folder:
        write(checkpoint, Path(folder))
        settings = {"attn_implementation": "eager", "experts_implementation": "eager"}
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64, **settings)
    with torch.no_grad():  # from_pretrained leaves the model in evaluation mode
        values: Tensor = model(input_ids=torch.from_numpy(ids)).logits.numpy()
    return values


def batch(checkpoint: Checkpoint) -> Indices:
    """Four lines of 48 random token ids, always the same for one vocabulary size."""
    return np.random.default_rng(0).integers(0, checkpoint.config["vocab_size"], (4, 48))


def difference(parent: Checkpoint, child: Checkpoint, facts: Facts, *, expected: Tensor | None = None) -> float:
    """The largest difference between the logits of parent and child, names and token ids mapped back.

    Args:
        parent: A model that transformers can load.
        child: What was made of it.
        facts: How.
        expected: The parent's logits of `batch(parent)`, where they are known.

    Raises:
        ValueError: if it is above `TOLERANCE`.
    """
    ids = batch(parent)
    if expected is None:
        expected = logits(parent, ids)
    if facts.names is not None:
        names = facts.names
        config = {key: parent.config[key] for key in ("model_type", "architectures")} | child.config
        child = replace(child, tensors={names[name]: values for name, values in child.tensors.items()}, config=config)
    new_id = np.arange(expected.shape[2]) if facts.token_ids is None else facts.token_ids
    found = logits(child, new_id[ids])[..., new_id]
    largest = float(np.abs(found - expected).max())
    if not largest <= TOLERANCE * float(expected.std()):
        raise ValueError(f"logits differ by {largest:.3g}, their standard deviation is {expected.std():.3g}")
    return largest
