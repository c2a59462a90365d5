"""What a model is derived from, told by a registry of known models, and what that obliges to."""

import importlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tensorguard.api.fingerprints import Settings
from tensorguard.api.loading import load_fingerprint
from tensorguard.api.quick import is_decided
from tensorguard.api.registry_folder import registered_name
from tensorguard.api.sampling import growing_fingerprints, is_quick
from tensorguard.errors import InputError, UsageError
from tensorguard.fingerprint.base import Fingerprint
from tensorguard.lineage.scan import Scan
from tensorguard.probes.rademacher import PUBLIC, Key
from tensorguard.progress import Progress, Silent
from tensorguard.registry.entry import Entry
from tensorguard.registry.opening import open_registry

if TYPE_CHECKING:
    from tensorguard.licences.audit import Audit

FAMILIES = "families.json"
"""A clustering beside the registry's database, for the second opinion; `tensorguard cluster --save` writes one."""


def scan(
    model: Path | str,
    registry: Path | str,
    *,
    settings: Settings | None = None,
    key: Key = PUBLIC,
    families: Path | str | None = None,
    compared: int | None = None,
    also: Sequence[Entry] = (),
    progress: Progress | None = None,
) -> "Audit":
    """Tell what a model is derived from, and what that obliges to.

    Args:
        model: A model, an adapter, a `.tgfp`, or `registry:NAME`, which is compared with all other entries.
        registry: Folder of the registry.
        settings: How to fingerprint the model; its key has to be the public one. A model that is sampled (`Settings.quick`) is read
            until its best relative is beyond doubt.
        key: A secret key under which the registry keeps fingerprints, too: what public probes say is confirmed with them.
        families: A saved clustering for the paper's family classification; by default the registry's `families.json`, if any.
        compared: How many candidates are compared in full; `lineage.scan.COMPARED` by default.
        also: Entries that are compared in full whatever the search says, such as those of declared bases.
        progress: Hears how far it is.

    Raises:
        NotFoundError: There is no such model, or no registry.
        InputError: One of them is malformed.
        UsageError: The fingerprint has no sketches, or a key is given for a `.tgfp`, which is of one key only.
    """
    settings, progress = replace(settings or Settings(), registry=registry, features=False), progress or Silent()
    quick = is_quick(model, settings) and families is None
    chosen = Path(families or Path(registry) / FAMILIES)
    opinion = chosen if not quick and (families is not None or chosen.is_file()) else None
    settings = replace(settings, features=opinion is not None, quick=quick)
    with open_registry(registry) as known, ThreadPoolExecutor(1) as loader:
        # What compares takes half a second to load: meanwhile the weights are read.
        auditing = loader.submit(importlib.import_module, "tensorguard.api.auditing")
        found: Audit | None = None
        for prints in _prints(model, settings, key, quick, progress):
            found = auditing.result().audit(
                prints,
                known,
                progress=progress,
                compared=compared,
                also=also,
                itself=None if registered_name(model) is None else prints[0].name,
                families=opinion,
                required=families is not None,
                location=str(model),
                registry=str(registry),
            )
            if _is_settled(found.scan):
                break
        if found is None:
            raise InputError("nothing of it can be sampled", where=model, hint="read all of it, with --full")
        return found


def _is_settled(scan: Scan) -> bool:
    """Say whether the best relative is beyond doubt, or every known model was compared in full and is independent."""
    if scan.best is not None:
        return is_decided(scan.best.lineage)
    return len(scan.others) == scan.searched and all(is_decided(each.lineage) for each in scan.others)


def _prints(
    model: Path | str, settings: Settings, key: Key, quick: bool, progress: Progress
) -> Iterator[tuple[Fingerprint, ...]]:
    """Yield the public fingerprint, with the one under a secret key if there is one; of a model that is sampled, of more and more of it."""
    keys = [settings, replace(settings, key=key)] if key != PUBLIC else [settings]
    if quick:
        yield from zip(*(growing_fingerprints(model, each, progress) for each in keys), strict=True)
        return
    prints = tuple(load_fingerprint(model, settings=each, progress=progress) for each in keys)
    if prints[-1].sketches is None or prints[-1].sketches.key != keys[-1].key.identity():
        raise UsageError(
            "this fingerprint is of another key, so nothing can be confirmed", where=model, hint="give the model itself"
        )
    yield prints
