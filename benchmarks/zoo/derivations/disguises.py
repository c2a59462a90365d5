"""All disguises at once."""

from numpy.random import Generator

from benchmarks.zoo.derivations import experts, heads, neurons, residual
from benchmarks.zoo.derivations.anatomy import Anatomy


def apply_all(model: Anatomy, random: Generator) -> None:
    """Every disguise that the architecture allows, so that nothing is left in its place; names stay, so it can be loaded.

    Output norms leave signed permutations of the residual stream, everything else allows a rotation. Without a gate, neurons
    can be permuted and padded but not scaled.
    """
    if residual.has_output_norms(model):
        residual.fold_gains(model)
        residual.permute_and_sign(model, random)
    else:
        residual.rotate(model, random)
    heads.change_value_basis(model, random)
    heads.change_key_basis(model, random)
    heads.permute(model, random)
    if "gate" in model.layers[0].mlps[0]:
        neurons.rescale_either_sign(model, random)
    neurons.pad(model, random)
    neurons.permute(model, random)
    if model.layout.expert:
        experts.permute(model, random)
