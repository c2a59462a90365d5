"""How strongly each layer answers each kind of noise (paper, RQ2 and figure 5).

The paper's score, the Frobenius norm of the gradient, is ||x|| whatever the weights are; the gain and the pullback stand beside
it because they depend on the weights.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tensorguard.engines.base import Engine
from tensorguard.errors import InputError
from tensorguard.fingerprint.responses import LayerResponse, respond
from tensorguard.fingerprint.usable import why_unusable
from tensorguard.probes.catalogue import ATTENTION, PAPER, SENSITIVITY
from tensorguard.probes.inputs import ProbeSpec
from tensorguard.progress import Progress
from tensorguard.signals.products import Products
from tensorguard.tensors.ordering import LANGUAGE_STACKS
from tensorguard.tensors.roles import ATTENTION as ATTENTION_ROLES
from tensorguard.tensors.roles import FFN as FFN_ROLES
from tensorguard.tensors.roles import category
from tensorguard.tensors.weight import Weight

SCORES = ("norm", "gain", "pullback")
"""||G||_F = ||x|| (the published score), ||W x|| / ||x||, and ||W^T u|| = ||dL/dx||."""

MIXTURE = "mixture"
"""The paper's random baseline: one of its five strategies per repeat, drawn as for the fingerprint."""

ROLES = (*ATTENTION_ROLES, *FFN_ROLES)
"""The weights that are asked by default: attention's and the MLP's."""


@dataclass(frozen=True, slots=True)
class SensitivitySettings:
    """What is asked of whom.

    Attributes:
        seed: Seed of the inputs.
        repeats: Base inputs; every strategy perturbs each of them.
        attention: Also ask the attention-shaped probes.
        roles: Which weights.
        layers: Which blocks; None for all.
    """

    seed: int = 0
    repeats: int = 30
    attention: bool = False
    roles: tuple[str, ...] = ROLES
    layers: tuple[int, ...] | None = None

    def probes(self) -> ProbeSpec:
        """Return the inputs: every base input under every strategy."""
        return ProbeSpec(self.seed, self.repeats, (*SENSITIVITY, *(ATTENTION if self.attention else ())), each=True)


@dataclass(frozen=True, slots=True)
class Score:
    """A score over the repeats.

    Attributes:
        mean: Mean.
        std: Standard deviation (population).
    """

    mean: float
    std: float


@dataclass(frozen=True, slots=True)
class LayerScores:
    """One weight's scores.

    Attributes:
        name: The stored tensor's own name; untrusted text.
        role: Its role in the canonical view.
        category: attention, ffn, embedding or unknown.
        layer: Block index, or None.
        shape: (out, in).
        scores: Strategy -> one of `SCORES` -> its value.
        expert: Expert index, or None.
        stack: Which tower it belongs to.
    """

    name: str
    role: str
    category: str
    layer: int | None
    shape: tuple[int, int]
    scores: Mapping[str, Mapping[str, Score]]
    expert: int | None = None
    stack: str = "decoder"


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """One model's scores.

    Attributes:
        name: The model's name; for reading only.
        settings: What was asked.
        strategies: In the order of reports; the mixture is the last.
        layers: In canonical order.
        blocks: How many blocks the language model has, asked or not.
        skipped: (name, reason) of each weight that was chosen but left out.
    """

    name: str
    settings: SensitivitySettings
    strategies: tuple[str, ...]
    layers: tuple[LayerScores, ...]
    blocks: int
    skipped: tuple[tuple[str, str], ...] = field(default=())


def sensitivity(
    name: str,
    weights: Sequence[Weight],
    settings: SensitivitySettings,
    *,
    engine: Engine,
    products: Products,
    progress: Progress,
    skip_nonfinite: bool = False,
) -> Sensitivity:
    """Score the weights of a model; each is read once, and once more for the FGSM columns.

    Args:
        name: What to call the model.
        weights: Its weights in canonical order; those of vision, audio and projector towers are left aside.
        settings: What to ask of which.
        engine: Runs the tasks.
        products: Computes the matrix products.
        progress: Hears how far it is.
        skip_nonfinite: Leave weights that hold NaN or infinite values out, and list them, instead of refusing the model.

    Raises:
        InputError: None of the weights was chosen, one cannot be read, or holds values that are not finite.
    """
    language = [w for w in weights if w.stack in LANGUAGE_STACKS]
    chosen = [w for w in language if w.role in settings.roles and (settings.layers is None or w.layer in settings.layers)]
    if not chosen:
        raise InputError("none of the layers asked for", hint="`tensorguard inspect` lists what the model holds")
    probes = settings.probes()
    columns = strategy_columns(probes)
    layers: list[LayerScores] = []
    skipped: list[tuple[str, str]] = []
    for response in respond(chosen, probes, engine, products, progress, pullback=True):
        reason = why_unusable(response, skip_nonfinite=skip_nonfinite)
        if reason:
            skipped.append((response.weight.name, reason))
        else:
            layers.append(_layer_scores(response, columns))
    if not layers:
        raise InputError("every weight that was chosen is zero or not finite")
    blocks = 1 + max((w.layer for w in language if w.layer is not None), default=0)
    return Sensitivity(name, settings, tuple(columns), tuple(layers), blocks, tuple(skipped))


def strategy_columns(probes: ProbeSpec) -> dict[str, list[int]]:
    """Return which columns belong to each strategy, and to the mixture.

    The mixture's inputs are among those of the single strategies, so it needs no reading of its own: they are the columns that
    the fingerprint's schedule of the same seed and repeats would draw.

    Args:
        probes: Inputs with `each` set and the paper's strategies among them.
    """
    places = {(chosen.name, repeat): column for column, (chosen, repeat) in enumerate(probes.schedule())}
    mixture = ProbeSpec(probes.seed, probes.repeats, PAPER).schedule()
    columns = {name: [places[name, repeat] for repeat in range(probes.repeats)] for name in probes.strategies}
    return columns | {MIXTURE: [places[chosen.name, repeat] for chosen, repeat in mixture]}


def _layer_scores(response: LayerResponse, columns: Mapping[str, list[int]]) -> LayerScores:
    weight = response.weight
    if response.pullback is None:
        raise ValueError("a sensitivity needs responses with the pullback")
    norm: NDArray[np.float64] = np.sqrt(response.x_moments[1] * weight.shape[1])
    values = dict(zip(SCORES, (norm, response.gain, response.pullback), strict=True))
    scores = {
        strategy: {name: Score(float(per[members].mean()), float(per[members].std())) for name, per in values.items()}
        for strategy, members in columns.items()
    }
    return LayerScores(
        name=weight.name,
        role=weight.role,
        category=category(weight.role),
        layer=weight.layer,
        shape=weight.shape,
        scores=scores,
        expert=weight.expert,
        stack=weight.stack,
    )
