"""What a job does: scan or check one model, and report."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tensorguard.adapters.finding import find_base
from tensorguard.api.checking import check
from tensorguard.api.fingerprints import Settings
from tensorguard.api.scanning import scan
from tensorguard.errors import UsageError, utf8
from tensorguard.formats.adapter import is_adapter, read_adapter
from tensorguard.reports import check as check_report
from tensorguard.reports import scan as scan_report
from tensorguard.reports.document import Document
from tensorguard.serve.answers import Kind, Order
from tensorguard.serve.listener import Listener
from tensorguard.serve.roots import Roots
from tensorguard.serve.uploads import reading


def base_under(roots: Roots, model: Path, base: str | None) -> Path | None:
    """Return the base of an adapter, under a root: as given, or found by the name that its configuration says.

    Raises:
        NotFoundError: There is none under a root.
        UsageError: A base was given for a model that is no adapter.
    """
    if not is_adapter(model):
        if base:
            raise UsageError("a base goes with an adapter, and this is a whole model", hint="leave the base out")
        return None
    return roots.admit(base or find_base(read_adapter(model), roots.folders))


def on_disk(roots: Roots, order: Order, registry: Path | str, settings: Settings) -> tuple[str, Callable[[Listener], Document]]:
    """Return what to call an order's model, and what a job does with it.

    Raises:
        NotFoundError: It, or its base, is not under a root.
        UsageError: No path was given, or a base for no adapter.
    """
    model = roots.admit(order.path)
    base = base_under(roots, model, order.base)

    def run(listener: Listener) -> Document:
        again = roots.admit(model)  # it may have waited for long
        on = None if base is None else roots.admit(base)
        return _report(order.kind, again, registry, replace(settings, base=on), order.name, utf8(again), listener)

    return utf8(model.name), run


def uploaded(
    kind: Kind, path: Path, name: str | None, registry: Path | str, settings: Settings
) -> Callable[[Listener], Document]:
    """Return what a job does with a fingerprint that was sent to us; reports call it by its file name."""

    def run(listener: Listener) -> Document:
        with reading(path):
            return _report(kind, path, registry, settings, name, path.name, listener)

    return run


def _report(
    kind: Kind, model: Path, registry: Path | str, settings: Settings, name: str | None, shown: str, listener: Listener
) -> Document:
    name = utf8(name) if name else None
    if kind == "scan":
        found = scan(model, registry, settings=settings, progress=listener)
    else:
        found = check(model, registry, name=name, settings=settings, progress=listener)
    listener.check()
    found = replace(found, location=shown)
    return scan_report.report(found) if kind == "scan" else check_report.report(found)
