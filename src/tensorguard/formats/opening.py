"""A path to a checkpoint: the one entry to this package."""

from collections.abc import Mapping
from typing import Any

from tensorguard.errors import InputError, NotFoundError
from tensorguard.formats import adapter, hub_cache, index
from tensorguard.formats.base import Checkpoint
from tensorguard.formats.json_text import read_object
from tensorguard.formats.model_folder import choose_model, list_files
from tensorguard.formats.sharded import group_shards, order_shards, parse_shard_name, read_shards
from tensorguard.formats.vocabulary import vocabulary_files
from tensorguard.limits import MAX_CONFIG_BYTES
from tensorguard.sources.remote import Location

_CONFIGS = ("config.json", "params.json")
"""The model's own configuration beside its weights: transformers' name, and Meta's and Mistral's."""

_MEANINGLESS = frozenset({"", "model", "pytorch_model", "consolidated", "consolidated.00"})
"""Stems that every model's files share; the folder's name says more."""


def open_checkpoint(path: Location) -> Checkpoint:
    """Open a model, reading nothing but headers and small JSON files.

    Args:
        path: A safetensors, GGUF, ONNX or torch.save file, any shard of a model (which opens all of it), an index, or a folder: one
            model's files, a repository of the hub's cache, or one of its snapshots.

    Raises:
        NotFoundError: There is no such path.
        InputError: It is no model, several, an adapter, incomplete, malformed, or of a kind that is never opened (plain pickles).
    """
    try:
        return _open(path)
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=path, hint="check the file's permissions") from error


def checkpoint_name(path: Location) -> str:
    """Return what to call the model at a path; nothing but its folders is looked at.

    Raises:
        InputError: A repository of the hub's cache holds no snapshot.
    """
    return hub_cache.model_name(_repository(hub_cache.snapshot(path))) if path.is_dir() else _name(path)


def _open(path: Location) -> Checkpoint:
    if not path.exists() and not path.is_symlink():
        raise NotFoundError("no such file or folder", where=path, hint="give the path of a model file or folder")
    if adapter.is_adapter(path):
        hint = f"name the model it was trained on: {path.name} --base BASE"
        raise InputError("an adapter, not a model by itself", where=path, hint=hint)
    if path.is_dir():
        folder = hub_cache.snapshot(path)
        files, notices = choose_model(folder)
    else:
        folder, files, notices = path.parent, _model_of(path), ()
    if files[0].name.endswith(index.SUFFIXES):
        container, header, found = index.read_indexed(files[0])
        notices += found
    else:
        files = order_shards(files)
        container, header = read_shards(files)
        notices += header.notices
    if not header.tensors:
        raise InputError("holds no tensors", where=path, hint="give a file with the model's weights")
    context = folder if any((folder / name).is_file() for name in _CONFIGS) else _repository(folder)
    own, found = ({}, ()) if container == "gguf" and header.config else _config(context)
    config = {**header.config, **own}
    if (folder / adapter.CONFIG).is_file():
        found += ("An adapter lies beside the model; it was left aside.",)
    return Checkpoint(
        checkpoint_name(path),
        str(path),
        container,
        header.tensors,
        config,
        header.metadata,
        notices + found,
        vocabulary=files[:1] if container == "gguf" else vocabulary_files(context),
    )


def _model_of(path: Location) -> tuple[Location, ...]:
    """Return the index of the model that a file belongs to, or else all its files."""
    shard = parse_shard_name(path.name)
    if shard is None:
        return (path,)
    if (beside := index.index_beside(path)) is not None:
        return (beside,)
    siblings = (file for file in list_files(path.parent) if parse_shard_name(file.name))
    groups = group_shards(siblings)
    return next((group for group in groups if path.name in {file.name for file in group}), (path,))


def _name(path: Location) -> str:
    """Return what to call the model of a file."""
    shard = parse_shard_name(path.name)
    stem = index.stem(path.name) if path.name.endswith(index.SUFFIXES) else shard.stem if shard else path.stem
    return hub_cache.model_name(_repository(path.parent)) if stem in _MEANINGLESS else stem


def _repository(folder: Location) -> Location:
    """Return the folder of a model's own files; exporters put ONNX files into a folder of it."""
    return folder.parent if folder.name == "onnx" else folder


def _config(folder: Location) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """Read the configuration; a malformed one is no reason not to read the weights, since it is never evidence."""
    notices: tuple[str, ...] = ()
    for name in _CONFIGS:
        if (folder / name).exists():
            try:
                return read_object(folder / name, MAX_CONFIG_BYTES), notices
            except (InputError, NotFoundError) as error:
                notices += (f"{name} is ignored: {error.message}.",)
    return {}, notices
