"""From the canonical view of a model to the paper's 16 numbers."""

from collections.abc import Iterable, Sequence
from statistics import fmean

from tensorguard.engines.base import Engine
from tensorguard.errors import InputError
from tensorguard.fingerprint.base import FEATURES, Fingerprint, LayerFeatures
from tensorguard.fingerprint.extended import average_extended, extended_features
from tensorguard.fingerprint.responses import LayerResponse, respond
from tensorguard.fingerprint.specification import Specification
from tensorguard.fingerprint.stored import stored_as
from tensorguard.fingerprint.usable import why_unusable
from tensorguard.progress import Progress
from tensorguard.signals.moments import STATISTICS, gradient_moments
from tensorguard.signals.products import Products
from tensorguard.tensors.roles import category
from tensorguard.tensors.selection import select
from tensorguard.tensors.view import View

_CATEGORIES = ("attention", "ffn", "embedding")
_CATEGORY_STATISTICS = ("mean", "std", "norm")


def fingerprint(
    name: str,
    view: View,
    specification: Specification,
    *,
    engine: Engine,
    products: Products,
    progress: Progress,
    skip_nonfinite: bool = False,
    extended: bool = False,
) -> Fingerprint:
    """Compute a model's fingerprint.

    Args:
        name: What to call the model.
        view: Its canonical view.
        specification: The settings.
        engine: Runs the tasks.
        products: Computes the matrix products.
        progress: Hears how far it is.
        skip_nonfinite: Leave weights that hold NaN or infinite values out, and list them, instead of refusing the model.
        extended: Also compute the extended features; the 16 numbers stay the same to the bit.

    Raises:
        InputError: There is nothing to analyse, a weight cannot be read, or one holds values that are not finite.
    """
    chosen = select(view.weights, specification.per_category)
    if not chosen:
        raise InputError("no 2-D weights to analyse", hint="`tensorguard inspect` lists what the file holds")
    layers: list[LayerFeatures] = []
    skipped: list[tuple[str, str]] = []
    for response in respond(chosen, specification.probes, engine, products, progress, keep=extended):
        reason = why_unusable(response, skip_nonfinite=skip_nonfinite)
        if not reason and response.constant:
            reason = "its gradient is constant, so it has no skewness"
        if reason:
            skipped.append((response.weight.name, reason))
        else:
            layers.append(_layer_features(response))
    if not layers:
        raise InputError("every weight that was chosen is zero, constant or not finite")
    features, notices = _aggregate(layers, view.parameters)
    return Fingerprint(
        name=name,
        specification=str(specification),
        features=features,
        layers=tuple(layers),
        architecture=view.architecture,
        elements_read=sum(weight.shape[0] * weight.shape[1] for weight in chosen),
        elements=view.parameters,
        skipped=tuple(skipped),
        notices=(*view.notices, *notices),
        extended=average_extended(layers, _CATEGORIES) if extended else {},
        stored=stored_as(view),
    )


def without_features(name: str, view: View, specification: Specification) -> Fingerprint:
    """Return what is known of a model without reading a weight: everything but the 16 numbers, digests and sketches.

    Raises:
        InputError: There is nothing to analyse.
    """
    if not select(view.weights, specification.per_category):
        raise InputError("no 2-D weights to analyse", hint="`tensorguard inspect` lists what the file holds")
    return Fingerprint(
        name, str(specification), {}, (), view.architecture, 0, view.parameters, notices=view.notices, stored=stored_as(view)
    )


def _layer_features(response: LayerResponse) -> LayerFeatures:
    weight = response.weight
    statistics = gradient_moments(response.sums, weight.shape[0], response.x_moments, weight.shape[1])
    return LayerFeatures(
        name=weight.name,
        role=weight.role,
        category=category(weight.role),
        layer=weight.layer,
        shape=weight.shape,
        mean=float(statistics.mean.mean()),
        std=float(statistics.std.mean()),
        norm=float(statistics.norm.mean()),
        skewness=float(statistics.skewness.mean()),
        kurtosis=float(statistics.kurtosis.mean()),
        gain=float(response.gain.mean()),
        extended={} if response.answers is None else extended_features(response.answers),
    )


def _aggregate(layers: Sequence[LayerFeatures], parameters: int) -> tuple[dict[str, float], tuple[str, ...]]:
    """Average layers into the 16 numbers; a category without layers gets zeros, as in the published code, and a notice."""
    features: dict[str, float] = {f"global_{s}": _average(layers, s) for s in STATISTICS}
    notices = []
    for name in _CATEGORIES:
        members = [layer for layer in layers if layer.category == name]
        if not members:
            notices.append(f"the model has no {name} weights: its three {name} numbers are 0, which means missing")
        features |= {f"{name}_{s}": _average(members, s) for s in _CATEGORY_STATISTICS}
    features |= {"total_params": parameters, "num_layers": len(layers)}
    return {key: features[key] for key in FEATURES}, tuple(notices)


def _average(layers: Iterable[LayerFeatures], statistic: str) -> float:
    values = [float(getattr(layer, statistic)) for layer in layers]
    return fmean(values) if values else 0.0
