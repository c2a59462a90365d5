"""Single files of packages that do not import as a whole: without a GPU, or with this version of transformers."""

import importlib
import sys
from collections.abc import Callable
from importlib.machinery import PathFinder
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import torch


def named(*libraries: str) -> str:
    """Return libraries with their versions, as `hqq 0.2.8`.

    Raises:
        PackageNotFoundError: One is not installed.
    """
    return ", ".join(f"{library} {version(library)}" for library in libraries)


def file_of(name: str) -> ModuleType:
    """Import `package.subpackage.file` without what the packages' own `__init__` files import.

    Raises:
        ModuleNotFoundError: The package is not installed.
    """
    top, *inner = name.split(".")[:-1]
    found = PathFinder.find_spec(top)
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError(top)
    folder, package = Path(found.submodule_search_locations[0]), top
    for part in ("", *inner):
        folder, package = (folder / part, f"{package}.{part}") if part else (folder, package)
        if package not in sys.modules:
            sys.modules[package] = ModuleType(package)
            sys.modules[package].__path__ = [str(folder)]
    torch.cuda.synchronize = _nothing  # AutoGPTQ's one call of a GPU
    return importlib.import_module(name)


_nothing: Callable[..., None] = lambda *_: None  # noqa: E731
