"""Lists of models: written by hand or by another program, found below a folder, and of those that failed, to be given again."""

import os
import sys
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tensorguard.api.elsewhere import absolute
from tensorguard.api.listing_objects import models_below
from tensorguard.errors import InputError, NotFoundError, TensorGuardError, UsageError, quote
from tensorguard.formats import hub_cache
from tensorguard.formats.adapter import is_adapter
from tensorguard.formats.atomic import replacing
from tensorguard.formats.model_folder import choose_model, holds_model, list_files
from tensorguard.formats.sharded import group_shards
from tensorguard.limits import MAX_LIST_BYTES
from tensorguard.sources.object_names import object_address

STDIN = "-"
_SIDE_BY_SIDE = (".safetensors", ".gguf")
"""Files that each may be a model of its own, such as one model in several quantisations."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A model of a list.

    Attributes:
        place: Where it is.
        name: What to call it, and so its files; empty for its own name.
    """

    place: Path | str
    name: str = ""


def read_list(path: str) -> list[Listed]:
    """Read a list: a model a line, and after a tab what to call it; empty lines and those that begin with `#` are passed over.

    Args:
        path: A file, or `-` for standard input.

    Raises:
        NotFoundError: There is no such file.
        InputError: It is too large, cannot be read, or names no model.
    """
    try:
        if path == STDIN:
            raw = sys.stdin.buffer.read(MAX_LIST_BYTES + 1)
        else:
            with Path(path).open("rb") as file:
                raw = file.read(MAX_LIST_BYTES + 1)
    except FileNotFoundError as error:
        raise NotFoundError("no such list of models", where=path) from error
    except OSError as error:
        raise InputError(f"the list of models cannot be read ({error.strerror})", where=path) from error
    if len(raw) > MAX_LIST_BYTES:
        raise InputError(f"the list of models is larger than {MAX_LIST_BYTES} bytes", where=path)
    listed = []
    for line in os.fsdecode(raw.removeprefix(BOM_UTF8)).split("\n"):
        place, _, name = line.removesuffix("\r").partition("\t")
        if place.strip() and not place.startswith("#"):
            if "\0" in line:
                raise InputError("is not a list of models", where=path, hint="one model a line, as text")
            listed.append(Listed(place, name))
    if not listed:
        raise InputError("the list names no model", where=path, hint="one model a line")
    return listed


def write_list(path: Path, failed: Iterable[tuple[Listed, str]]) -> None:
    """Write models and why each failed (a comment), to be read by `read_list`.

    Raises:
        ResourceError: The file cannot be written.
    """
    lines = []
    for each, why in failed:
        line = str(each.place) + (f"\t{each.name}" if each.name else "")
        told = f"# {quote(why, 400)[1:-1]}\n"
        if "\t" in str(each.place) or "\n" in line or line.endswith("\r"):  # it would be read as something else
            lines.append(f"{told}# not listed, for the characters in its name: {quote(line, 400)}\n")
        else:
            lines.append(f"{told}{'./' if line.startswith('#') else ''}{line}\n")
    with replacing(path) as file:
        file.write(os.fsencode("".join(lines)))


def below(folder: Path) -> list[Listed]:
    """Find the models below a folder, by name: folders that hold one, repositories of the hub's cache, adapters, and files side by side.

    The folder may be a prefix in object storage. What is below a model is not looked at. Each is named after its place: `ORG/NAME` for
    what lies in `FOLDER/ORG/NAME`.

    Raises:
        NotFoundError: There is no such folder, or no model in it.
    """
    address = object_address(folder)
    if address is None and not folder.is_dir():
        raise NotFoundError("no such folder", where=folder)
    found = list(_below(folder)) if address is None else [Listed(*each) for each in models_below(address)]
    if not found:
        raise NotFoundError("no model is below this folder", where=address or folder)
    return found


def _below(root: Path) -> Iterator[Listed]:
    waiting, seen = [root], set[tuple[int, int]]()
    while waiting:
        folder = waiting.pop()
        try:
            status = folder.stat()
            if (status.st_dev, status.st_ino) in seen:  # links may lead around in circles
                continue
            seen.add((status.st_dev, status.st_ino))
            snapshot = hub_cache.snapshot(folder)
            found = is_adapter(snapshot) or holds_model(snapshot)
            if found:
                yield from _of(root, folder, snapshot)
            if not found or folder == root:
                inside = (each for each in folder.iterdir() if each.is_dir() and not each.name.startswith("."))
                waiting += sorted(inside, reverse=True)
        except (OSError, TensorGuardError):
            continue  # what cannot be looked into holds no model for us


def _of(root: Path, folder: Path, snapshot: Path) -> Iterator[Listed]:
    """Yield the model of a folder, or each if there are several side by side."""
    parts = folder.relative_to(root).parts
    try:
        if not is_adapter(snapshot):
            choose_model(snapshot)
    except InputError:
        files = (path for path in list_files(snapshot) if path.suffix in _SIDE_BY_SIDE)
        groups = [group[0] for group in group_shards(files)]
        if len(groups) > 1:
            yield from (Listed(Path(str(first)), "/".join((*parts, first.stem))) for first in groups)
            return
    name = folder.name if snapshot == folder else hub_cache.model_name(folder)
    yield Listed(folder, "/".join((*parts[:-1], name or "model")))


def distinct(models: Sequence[Path | str | Listed]) -> list[Listed]:
    """Return models as a list names them, each once: `a` and `./a/` are one model, and so is `a` that a list gives a name.

    Raises:
        UsageError: There are none.
    """
    once: dict[Path | str, dict[str, Listed]] = {}
    for each in models:
        model = each if isinstance(each, Listed) else Listed(each)
        named = once.setdefault(absolute(model.place), {})
        if model.name or not named:
            named.pop("", None)  # without a name is whichever of that place has one
            named.setdefault(model.name, model)
    found = [model for named in once.values() for model in named.values()]
    if not found:
        raise UsageError("no model was given", hint="give models, a list of them (--from), or a folder of them (--below)")
    return found
