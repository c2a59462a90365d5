"""What a job does: scan or check one model, and report."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tensorguard.adapters.finding import find_base
from tensorguard.api.checking import check
from tensorguard.api.fingerprints import Settings
from tensorguard.api.scanning import scan
from tensorguard.errors import UsageError
from tensorguard.formats.adapter import is_adapter, read_adapter
from tensorguard.reports import check as check_report
from tensorguard.reports import scan as scan_report
from tensorguard.reports.document import Document
from tensorguard.serve.answers import Kind
from tensorguard.serve.listener import Listener
from tensorguard.serve.roots import Roots


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


def work(
    kind: Kind, model: Path, registry: Path, *, settings: Settings, name: str | None = None, shown: str | None = None
) -> Callable[[Listener], Document]:
    """Return what a job does.

    Args:
        kind: Scan or check.
        model: A path that was let in, or a file of ours.
        registry: Folder of the registry.
        settings: How to open and fingerprint the model.
        name: What a check takes as the published name.
        shown: What reports call the place of the model, if not its path.
    """

    def run(listener: Listener) -> Document:
        if kind == "scan":
            found = scan(model, registry, settings=settings, progress=listener)
        else:
            found = check(model, registry, name=name, settings=settings, progress=listener)
        listener.check()
        found = replace(found, location=shown or found.location)
        return scan_report.report(found) if kind == "scan" else check_report.report(found)

    return run
