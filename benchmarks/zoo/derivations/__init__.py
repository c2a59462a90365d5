"""What people make of a trained model without training it: every transformation and every disguise, with its ground truth."""

from benchmarks.zoo.derivations.making import derive_all

__all__ = ["derive_all"]
