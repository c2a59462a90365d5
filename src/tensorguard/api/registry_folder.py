"""Where the user's registry is, and how a model is named as one of its entries: `registry:NAME`."""

import os
import sys
from pathlib import Path

from tensorguard.sources.object_names import object_address

VARIABLE = "TENSORGUARD_REGISTRY"
"""The environment's variable that names another folder."""

PREFIX = "registry:"


def registry_folder(given: Path | str | None = None) -> Path | str:
    """Return where the registry is: as given, else as the environment says, else the user's own folder.

    An address in object storage (`s3://bucket/prefix`) is returned as text, see `registry.opening`.

    The user's own is `tensorguard/registry` below the platform's folder of application data: `XDG_DATA_HOME` or `~/.local/share`,
    `~/Library/Application Support` (macOS), `LOCALAPPDATA` (Windows).
    """
    named = given if given is not None else os.environ.get(VARIABLE)
    if not named:
        return _application_data() / "tensorguard" / "registry"
    address = object_address(named)
    return Path(named) if address is None else str(address)


def registered_name(model: object) -> str | None:
    """Return NAME of `registry:NAME`, or None of anything else; a file of such a name is reached by its absolute path."""
    text = str(model)
    return text.removeprefix(PREFIX) if text.startswith(PREFIX) else None


def _application_data() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or "~/AppData/Local").expanduser()
    if sys.platform == "darwin":
        return Path("~/Library/Application Support").expanduser()
    return Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share").expanduser()
