"""A PEFT adapter on disk: `adapter_config.json` and `adapter_model.safetensors` (or `.bin`). What its tensors mean is decided elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tensorguard.errors import InputError, NotFoundError
from tensorguard.formats import hub_cache
from tensorguard.formats.base import TensorInfo
from tensorguard.formats.detection import read_file_header
from tensorguard.formats.json_text import read_object
from tensorguard.formats.model_folder import holds_model
from tensorguard.limits import MAX_CONFIG_BYTES
from tensorguard.sources.remote import Location

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
_OLDER = ("adapter_model.bin", "adapter_model.pt")
"""What PEFT wrote before it wrote safetensors: files of torch.save."""


@dataclass(frozen=True, slots=True)
class AdapterFiles:
    """An adapter as its files declare it, nothing of it read but headers.

    Attributes:
        name: What to call it: the folder's name.
        location: The folder.
        config: `adapter_config.json` as it stands; untrusted.
        tensors: The adapter's own tensors, in file order.
        notices: Things a user should know, one sentence each.
    """

    name: str
    location: str
    config: Mapping[str, Any]
    tensors: tuple[TensorInfo, ...]
    notices: tuple[str, ...] = ()


def is_adapter(path: Location) -> bool:
    """Say whether a path is an adapter (its folder or one of its two files) and not a model that has one beside it.

    Raises:
        InputError: That cannot be looked at.
    """
    try:
        folder = _folder(path)
        if not (folder / CONFIG).is_file():
            return False
        if not path.is_dir():
            return path.name in (CONFIG, WEIGHTS, *_OLDER)
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=path, hint="check the folder's permissions") from error
    return not holds_model(folder)


def read_adapter(path: Location) -> AdapterFiles:
    """Read an adapter's configuration and header.

    Args:
        path: Its folder (the hub's cache layout included) or one of its files.

    Raises:
        NotFoundError: There is no such path.
        InputError: It is no adapter, its weights are missing or a plain pickle, or one of its files is malformed.
    """
    if not path.exists():
        raise NotFoundError("no such file or folder", where=path)
    folder = _folder(path)
    if not (folder / CONFIG).is_file():
        raise InputError(f"no {CONFIG}: not an adapter", where=path, hint="give the folder that PEFT's save_pretrained wrote")
    config = read_object(folder / CONFIG, MAX_CONFIG_BYTES)
    weights = next((folder / name for name in (WEIGHTS, *_OLDER) if (folder / name).is_file()), None)
    if weights is None:
        hint = "download the adapter again"
        raise InputError(f"{CONFIG} is there but {WEIGHTS} is missing", where=folder, hint=hint)
    _, header = read_file_header(weights)
    return AdapterFiles(hub_cache.model_name(folder), str(folder), config, header.tensors, header.notices)


def _folder(path: Location) -> Location:
    return hub_cache.snapshot(path) if path.is_dir() else path.parent
