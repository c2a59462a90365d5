"""The registry at a place: a folder of this machine, or a prefix in object storage with a mirror here."""

import hashlib
import os
import sys
from pathlib import Path

from tensorguard.registry.registry import Registry
from tensorguard.sources.object_names import Address, object_address


def open_registry(place: Path | str, *, create: bool = False) -> Registry:
    """Open a registry; `s3://bucket/prefix` and its like are brought up to date here first.

    Raises:
        NotFoundError: There is none and `create` is false.
        InputError: Something else is there, or a newer version's registry.
        ResourceError: It cannot be read or made.
    """
    address = object_address(place)
    if address is None:
        return Registry(place, create=create)
    from tensorguard.registry.objects import Shared
    from tensorguard.registry.shared import SharedRegistry
    from tensorguard.sources.object_stores import objects_at

    return SharedRegistry(Shared(objects_at(address)), mirror_folder(address), create=create)


def folder_here(place: Path | str) -> Path:
    """Return the folder of this machine that a registry, or a mirror of it, is in."""
    address = object_address(place)
    return Path(place) if address is None else mirror_folder(address)


def mirror_folder(address: Address) -> Path:
    """Return where the mirror of a registry is kept: below the platform's folder for what can be made again (XDG_CACHE_HOME)."""
    server = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    account = os.environ.get("AZURE_STORAGE_ACCOUNT_NAME", "") if address.scheme == "az" else ""
    told_apart = hashlib.blake2b(f"{server} {account} {address}".encode(), digest_size=8).hexdigest()
    return _cache() / "tensorguard" / "registries" / f"{address.bucket[:60]}-{told_apart}"


def _cache() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or "~/AppData/Local").expanduser()
    if sys.platform == "darwin":
        return Path("~/Library/Caches").expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
