"""The extended features: statistical, frequency-domain and structural numbers beside the paper's 16, on request.

They are functions of the same columns as the 16: every repeat with its final input, so that FGSM columns hold the perturbed one.
"""

from collections.abc import Sequence
from statistics import fmean

from threadpoolctl import threadpool_limits

from tensorguard.fingerprint.base import LayerFeatures
from tensorguard.fingerprint.responses import Answers
from tensorguard.signals.rank import rank_features
from tensorguard.signals.row_norms import row_norm_features
from tensorguard.signals.spectrum import spectrum_features
from tensorguard.signals.structure import structure_features


def extended_features(answers: Answers) -> dict[str, float]:
    """Return one weight's extended features by name; they are documented in docs/features.md.

    Args:
        answers: Its responses; all of them finite, none zero.
    """
    with threadpool_limits(1, user_api="blas"):  # so that the machine's processors cannot change a bit
        return {
            **spectrum_features(answers.O, answers.X),
            **structure_features(answers.O, answers.X),
            **rank_features(answers.O, answers.X),
            **row_norm_features(answers.row_norms),
        }


def average_extended(layers: Sequence[LayerFeatures], categories: Sequence[str]) -> dict[str, float]:
    """Return the mean over all layers as `global_NAME` and over each category as `CATEGORY_NAME`; none for an empty category."""
    groups = {"global": list(layers)} | {name: [layer for layer in layers if layer.category == name] for name in categories}
    return {
        f"{group}_{name}": fmean(layer.extended[name] for layer in members)
        for group, members in groups.items()
        for name in (members[0].extended if members else ())
    }
