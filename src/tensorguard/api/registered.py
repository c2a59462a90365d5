"""Fingerprints of models that are named as entries of the registry."""

from dataclasses import replace
from pathlib import Path

from tensorguard.api.registry_folder import registry_folder
from tensorguard.fingerprint.base import Fingerprint
from tensorguard.registry.opening import open_registry


def registered_fingerprint(name: str, folder: Path | str | None = None, key: str = "public") -> Fingerprint:
    """Return the fingerprint of an entry, called as the entry is.

    Args:
        name: The entry's name, or its repository.
        folder: Of the registry; by default as `registry_folder` says.
        key: Whose probes it has to be of.

    Raises:
        NotFoundError: There is no registry, or no such entry in it.
        InputError: The registry or the fingerprint is damaged.
    """
    with open_registry(registry_folder(folder)) as known:
        entry = known.entry(name, key)
        return replace(known.fingerprint(entry), name=entry.name)
