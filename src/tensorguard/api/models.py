"""Open a model: a checkpoint in any supported container, with its adapter applied if it is one."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tensorguard.adapters.applying import adapted, find_base
from tensorguard.errors import UsageError, utf8
from tensorguard.formats.adapter import is_adapter, read_adapter
from tensorguard.formats.base import Checkpoint, TensorInfo
from tensorguard.formats.opening import checkpoint_name, open_checkpoint
from tensorguard.tensors.base import Stored
from tensorguard.tensors.storage import stored_tensors
from tensorguard.tensors.view import View, canonical_view


@dataclass(frozen=True, slots=True)
class Model:
    """An opened model: headers read, numbers not yet.

    Attributes:
        name: What to call it.
        location: Where it was opened.
        container: `safetensors` or `gguf`.
        tensors: Its tensors in file order, an adapter's changes applied as they are read.
        config: Its own configuration; context, never evidence.
        identity: Digest of all names, dtypes and shapes (and of the adapter's), to notice that a file is another one.
        modified: When the newest of its files was last changed, in nanoseconds since 1970.
        notices: Things to know, a sentence each.
    """

    name: str
    location: str
    container: str
    tensors: tuple[Stored, ...] = field(repr=False)
    config: Mapping[str, Any] = field(repr=False)
    identity: str
    modified: int
    notices: tuple[str, ...] = ()

    def view(self) -> View:
        """Return the canonical view: what each tensor is, in an order that does not depend on the file.

        Raises:
            InputError: A tensor that has to be compared (tied embeddings) cannot be read.
        """
        return canonical_view(self.tensors, self.config, self.container)


def open_model(path: Path | str, *, base: Path | str | None = None, search: Sequence[Path] = ()) -> Model:
    """Open a checkpoint, or an adapter on its base.

    Args:
        path: A file, a folder, a folder of the hub's cache, or an adapter's folder.
        base: The base model of an adapter.
        search: Folders in which an adapter's base may be looked for by the name in its config, if `base` is not given.

    Raises:
        NotFoundError: There is no such model, or the adapter's base was not found.
        InputError: A file is malformed, or the adapter does not fit the base.
        UsageError: `base` was given for a model that is not an adapter.
    """
    path = Path(path)
    if is_adapter(path):
        files = read_adapter(path)
        checkpoint = open_checkpoint(Path(base) if base else find_base(files, search))
        model = adapted(checkpoint, files)
        return _model(
            files.name,
            path,
            checkpoint,
            model.tensors,
            (*checkpoint.tensors, *files.tensors),
            (*checkpoint.notices, *files.notices, *model.notices),
        )
    if base is not None:
        raise UsageError("a base goes with an adapter, and this is a whole model", where=path, hint="leave --base out")
    checkpoint = open_checkpoint(path)
    return _model(checkpoint.name, path, checkpoint, stored_tensors(checkpoint.tensors), checkpoint.tensors, checkpoint.notices)


def model_name(path: Path | str) -> str:
    """Return what a model will be called when it is opened, from its path alone.

    Raises:
        InputError: A repository of the hub's cache holds no snapshot.
    """
    path = Path(path)
    return utf8(checkpoint_name(path.parent if path.is_file() and is_adapter(path) else path))


def file_stem(name: str) -> str:
    """Return a model's name as a file name: letters, digits, dot, dash and underscore, at most 150 characters."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "_", name).lstrip(".")[:150]
    return stem or "model"


def _model(
    name: str,
    path: Path,
    checkpoint: Checkpoint,
    tensors: tuple[Stored, ...],
    infos: Sequence[TensorInfo],
    notices: tuple[str, ...],
) -> Model:
    digest = hashlib.blake2b(digest_size=16)
    for info in infos:
        digest.update(repr((info.name, info.dtype, info.shape)).encode("utf-8", "surrogatepass"))
    return Model(
        name=utf8(name),
        location=utf8(path),
        container=checkpoint.container,
        tensors=tensors,
        config=checkpoint.config,
        identity=digest.hexdigest(),
        modified=max((info.source.modified for info in infos), default=0),
        notices=notices,
    )
