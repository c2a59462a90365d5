"""Fingerprint one model."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tensorguard.api.models import Model, locating_errors, open_model
from tensorguard.api.sampling import sampled_fingerprint
from tensorguard.engines.base import Engine
from tensorguard.engines.sizing import processors
from tensorguard.engines.threads import Threads
from tensorguard.errors import quote
from tensorguard.fingerprint import extract
from tensorguard.fingerprint.base import Fingerprint, TensorDigest
from tensorguard.fingerprint.specification import Specification
from tensorguard.fingerprint.sweep import Sweep, Swept
from tensorguard.formats.adapter import is_adapter
from tensorguard.probes.anchors import ANCHOR_WORDS
from tensorguard.probes.rademacher import PUBLIC, Key
from tensorguard.progress import Progress, Silent, step
from tensorguard.signals.products import IN_FLIGHT, NumpyProducts, Products
from tensorguard.sources.kept import KEPT
from tensorguard.sources.places import locate
from tensorguard.sources.prefetching import REQUESTS
from tensorguard.tensors.folding import folds
from tensorguard.tensors.grouping import HeadDimensions
from tensorguard.tensors.view import View

_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Settings:
    """How to open and fingerprint models.

    Attributes:
        specification: What determines the numbers.
        device: `cpu`, or a torch device such as `cuda` (the `[gpu]` extra).
        extended: Also compute the richer features.
        lineage: Also digest and sketch all tensors, which reads the whole model.
        key: Whose probes the sketches use: everybody's, or those of a secret key.
        skip_nonfinite: Leave tensors with NaN or infinite values out instead of refusing the model.
        base: The base of all models that are adapters.
        search: Folders in which an adapter's base is looked for by the name in its config, if `base` is not given.
        registry: Folder of the registry in which models named `registry:NAME` are; by default as `registry_folder` says.
        features: Compute the 16 numbers. Without them a fingerprint has no layers and cannot be written; a scan does not need them.
        quick: Read a sample of each model instead of all of it, which gives no 16 numbers; None: where models are compared, of those
            that lie on a server.
    """

    specification: Specification = field(default_factory=Specification)
    device: str = "cpu"
    extended: bool = False
    lineage: bool = True
    key: Key = PUBLIC
    skip_nonfinite: bool = False
    base: Path | str | None = None
    search: tuple[Path | str, ...] = ()
    registry: Path | str | None = None
    features: bool = True
    quick: bool | None = None

    def described(self) -> dict[str, object]:
        """Return the settings as reports show them."""
        return {
            "specification": str(self.specification),
            "device": self.device,
            "features": "extended" if self.extended else "paper",
            "lineage": self.lineage,
            "key": self.key.identity(),
            "skip_nonfinite": self.skip_nonfinite,
        }

    def open(self, model: Path | str) -> Model:
        """Open a model, on its base if it is an adapter; see `open_model`."""
        return open_model(model, base=self.base if is_adapter(locate(model)) else None, search=self.search)

    def products(self) -> Products:
        """Return what computes the matrix products.

        Raises:
            ResourceError: torch or the device is missing.
        """
        if self.device == "cpu":
            return NumpyProducts()
        from tensorguard.signals.cuda import TorchProducts

        return TorchProducts(self.device)


def fingerprint_model(
    model: Model | Path | str,
    *,
    settings: Settings | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Fingerprint:
    """Compute one model's fingerprint, of a sample if `settings.quick`; its layers are shared among threads.

    Args:
        model: An opened model, or where it is.
        settings: How; the paper's settings by default.
        workers: How many threads; all processors by default. The result does not depend on it.
        progress: Hears how far it is.

    Raises:
        NotFoundError: There is no such model, or no base for an adapter.
        InputError: It is malformed, or holds nothing to analyse.
    """
    settings = settings or Settings()
    progress = progress or Silent()
    with step("open", progress):
        opened = model if isinstance(model, Model) else settings.open(model)
    return fingerprint_opened(opened, settings, workers or processors(), progress)


def fingerprint_opened(model: Model, settings: Settings, workers: int, progress: Progress) -> Fingerprint:
    """Compute the fingerprint of an opened model with `workers` threads; see `fingerprint_model`."""
    if settings.quick:
        return sampled_fingerprint(model, settings, progress)
    # Who waits for a server or a card takes no processor.
    threads = workers if settings.device == "cpu" else workers * IN_FLIGHT
    engine = Threads(max(REQUESTS, threads) if model.distant else threads)
    with KEPT.scope(), locating_errors(model):
        with (
            KEPT.recording()
        ):  # tables are read to know copies, some weights twice for the 16 numbers, and once more in the sweep
            view = model.view()
            result = _sixteen(model, view, settings, engine, progress)
        swept = _sweep(model, view, settings, engine, progress) if settings.lineage else None
    if swept is None:
        return replace(result, header_digest=model.header_digest, notices=(*model.notices, *result.notices))
    notices = dict.fromkeys((*model.notices, *result.notices, *swept.notices, *_damage(view, swept.digests)))
    return replace(
        result, header_digest=model.header_digest, notices=tuple(notices), digests=swept.digests, sketches=swept.sketches
    )


def _sixteen(model: Model, view: View, settings: Settings, engine: Engine, progress: Progress) -> Fingerprint:
    if not settings.features:
        return extract.without_features(model.name, view, settings.specification)
    return extract.fingerprint(
        model.name,
        view,
        settings.specification,
        engine=engine,
        products=settings.products(),
        progress=progress,
        skip_nonfinite=settings.skip_nonfinite,
        extended=settings.extended,
    )


def _sweep(model: Model, view: View, settings: Settings, engine: Engine, progress: Progress) -> Swept:
    words = model.vocabulary.find(ANCHOR_WORDS)
    swept = Sweep(
        view,
        folds(view, model.container),
        HeadDimensions(view, model.config, model.container),
        words.numbers,
        engine=engine,
        products=settings.products(),
        progress=progress,
        key=settings.key,
        skip_nonfinite=settings.skip_nonfinite,
    ).everything()
    return replace(swept, notices=(*([words.notice] if words.notice else []), *swept.notices))


def _damage(view: View, found: Sequence[TensorDigest]) -> list[str]:
    """Return a sentence that names the tensors with values that are not finite, if there are any."""
    names = [*(weight.name for weight in view.weights), *(vector.stored.name for vector in view.vectors)]
    damaged = [name for name, each in zip(names, found, strict=False) if each.nan or each.infinite]
    shown = [quote(name) for name in dict.fromkeys(damaged)]
    more = [f"{len(shown) - _MOST_NAMED} more"] if len(shown) > _MOST_NAMED else []
    return [f"values that are not finite are in {', '.join(shown[:_MOST_NAMED] + more)}"] if shown else []
