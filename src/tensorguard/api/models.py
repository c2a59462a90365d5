"""Open a model: a checkpoint in any supported container, with its adapter applied if it is one."""

import contextlib
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tensorguard.adapters.applying import adapted
from tensorguard.adapters.opening import open_base_and_adapter
from tensorguard.api.registry_folder import registered_name
from tensorguard.errors import InputError, UsageError, utf8
from tensorguard.formats.adapter import is_adapter
from tensorguard.formats.base import Checkpoint, TensorInfo
from tensorguard.formats.opening import checkpoint_name
from tensorguard.formats.vocabulary import Vocabulary
from tensorguard.quantisations.unpacking import unpacked
from tensorguard.sources.base import Distant
from tensorguard.sources.local import LocalFile
from tensorguard.sources.places import locate
from tensorguard.sources.remote import Location
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
        header_digest: Digest of all names, dtypes and shapes (and of the adapter's), to notice that a file is another one.
        modified: When the newest of its files was last changed, in nanoseconds since 1970.
        notices: Things to know, a sentence each.
        vocabulary: Its tokens, read when they are asked for; an adapter has those of its base.
        stored: All tensors of its files, packed parts and an adapter's own each by itself.
    """

    name: str
    location: str
    container: str
    tensors: tuple[Stored, ...] = field(repr=False)
    config: Mapping[str, Any] = field(repr=False)
    header_digest: str
    modified: int
    notices: tuple[str, ...] = ()
    vocabulary: Vocabulary = field(default_factory=Vocabulary)
    stored: tuple[TensorInfo, ...] = field(default=(), repr=False)

    @property
    def distant(self) -> bool:
        """Whether some of it lies on a server."""
        return any(isinstance(info.source, Distant) for info in self.stored)

    def view(self, *, glance: bool = False) -> View:
        """Return the canonical view: what each tensor is, in an order that does not depend on the file.

        Args:
            glance: Compare only a few rows of embeddings that may be tied.

        Raises:
            InputError: A tensor that has to be compared (tied embeddings) cannot be read.
        """
        return canonical_view(self.tensors, self.config, self.container, glance=glance)


def open_model(path: Location | str, *, base: Location | str | None = None, search: Sequence[Path | str] = ()) -> Model:
    """Open a checkpoint, or an adapter on its base.

    Args:
        path: A file, a folder, a folder of the hub's cache, or an adapter's folder; or on a server, see `sources.places.locate`.
        base: The base model of an adapter.
        search: Folders in which an adapter's base may be looked for by the name in its config, if `base` is not given.

    Raises:
        NotFoundError: There is no such model, or the adapter's base was not found.
        InputError: A file is malformed, or the adapter does not fit the base.
        UsageError: `base` was given for a model that is not an adapter, or the model is an entry of the registry.
    """
    if registered_name(path) is not None:
        raise UsageError(
            "this reads weights, and an entry of the registry is a fingerprint", where=path, hint="give the model itself"
        )
    path = locate(path)
    folders = [Path(folder) for folder in search]
    checkpoint, adapter = open_base_and_adapter(path, base=None if base is None else locate(base), search=folders)
    if adapter is None:
        meant = unpacked(stored_tensors(checkpoint.tensors), checkpoint.config)
        notices = (*checkpoint.notices, *meant.notices)
        return _model(checkpoint.name, path, checkpoint, meant.tensors, checkpoint.tensors, notices)
    model = adapted(checkpoint, adapter)
    return _model(
        adapter.name,
        path,
        checkpoint,
        model.tensors,
        (*checkpoint.tensors, *adapter.tensors),
        (*checkpoint.notices, *adapter.notices, *model.notices),
    )


@contextlib.contextmanager
def locating_errors(model: Model) -> Iterator[None]:
    """Let input errors that name no file (nothing to analyse) name the model, and refuse what was read of files that changed meanwhile."""
    try:
        yield
        for source in {id(info.source): info.source for info in model.stored}.values():
            if isinstance(source, LocalFile):
                source.require_unchanged()
    except InputError as error:
        error.where = error.where or model.location
        raise


def model_name(path: Location | str) -> str:
    """Return what a model will be called when it is opened, from its path alone.

    Raises:
        InputError: A repository of the hub's cache holds no snapshot, or a folder cannot be looked into.
    """
    path = locate(path)
    try:
        return utf8(checkpoint_name(path.parent if path.is_file() and is_adapter(path) else path))
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=path, hint="check the folder's permissions") from error


def file_stem(name: str) -> str:
    """Return a model's name as a file name: letters of any script, digits, dot, dash and underscore, at most 150 bytes of UTF-8."""
    stem = re.sub(r"[^\w.-]+", "_", utf8(name)).lstrip(".").encode()[:150].decode(errors="ignore")
    return stem or "model"


def _model(
    name: str,
    path: Location,
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
        header_digest=digest.hexdigest(),
        modified=max((info.source.modified for info in infos), default=0),
        notices=notices,
        vocabulary=Vocabulary(checkpoint.vocabulary),
        stored=tuple(infos),
    )
