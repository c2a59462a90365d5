"""Which of a folder's files are the model."""

from tensorguard.errors import InputError, quote, quote_some
from tensorguard.formats.detection import container_of, refuse_file
from tensorguard.formats.index import SUFFIXES, stem
from tensorguard.formats.sharded import group_shards, parse_shard_name
from tensorguard.limits import MAX_FOLDER_ENTRIES
from tensorguard.sources.remote import Location

_USUAL = ("model", "pytorch_model")
"""Stems of the files that transformers loads when a folder offers a choice."""

_PREFERRED = (("safetensors", "gguf"), ("pytorch",), ("onnx",))
"""Containers of which the first that are there are opened: many repositories hold the same weights in several."""

_TRAINING = ("optimizer", "scheduler", "scaler", "training_args", "rng_state", "random_states")
"""How files of torch.save begin that a trainer leaves beside a model."""

_FINGERPRINT = ".tgfp"
"""How our own files end: safetensors, too, and no model. They may well be written beside the models."""

_LEFT_OUT = ("adapter_", ".")
"""How files begin that are no model's: an adapter's, hidden ones, half-written ones."""


def list_files(folder: Location) -> list[Location]:
    """Return a folder's regular files and broken links, sorted by name; hidden and adapters' files are left out.

    Raises:
        InputError: The folder cannot be read, or holds too many files.
    """
    try:
        entries: list[Location] = list(folder.iterdir())
    except OSError as error:
        raise InputError(f"the folder cannot be read ({error.strerror})", where=folder) from error
    if len(entries) > MAX_FOLDER_ENTRIES:
        raise InputError(f"holds {len(entries)} files", where=folder, hint="give the model's own folder or file")
    entries.sort(key=lambda path: path.name)
    return [path for path in entries if not path.name.startswith(_LEFT_OUT) and (path.is_file() or _is_broken(path))]


def holds_model(folder: Location) -> bool:
    """Say whether a folder holds full weights that can be opened, an adapter's not counted."""
    files = list_files(folder)
    return any(_container(path) for path in files)


def choose_model(folder: Location) -> tuple[tuple[Location, ...], tuple[str, ...]]:
    """Choose the files of the folder's one model.

    Safetensors and GGUF are preferred to files of torch.save and these to ONNX, an index to single files, and the usual name
    `model` to others, as transformers does.

    Returns:
        The index alone, or the model's files in any order; and notices about what was left aside.

    Raises:
        InputError: There is no model, several, or only files that are never opened.
    """
    files = list_files(folder)
    kinds = {path: kind for path in files if (kind := _container(path))}
    if not kinds:
        _refuse(folder, files)
    preferred = next(kinds_of for kinds_of in _PREFERRED if not set(kinds_of).isdisjoint(kinds.values()))
    chosen = [path for path, kind in kinds.items() if kind in preferred]
    aside = [path.name for path in kinds if path not in chosen]
    notices = (
        (f"The same folder holds weights in other containers, which were left aside: {quote_some(aside)}.",) if aside else ()
    )
    indexes: list[tuple[Location, ...]] = [(path,) for path in chosen if path.name.endswith(SUFFIXES)]
    models = indexes or group_shards(chosen)
    usual = [group for group in models if _stem(group[0]) in _USUAL]
    if len(models) == 1:
        return models[0], notices
    listed = quote_some([group[0].name for group in models])
    if len(usual) == 1:
        return usual[0], (*notices, f"The folder holds {len(models)} models ({listed}); {quote(usual[0][0].name)} was opened.")
    raise InputError(f"{len(models)} models in one folder: {listed}", where=folder, hint="give the path of one of these files")


def _stem(path: Location) -> str:
    if path.name.endswith(SUFFIXES):
        return stem(path.name)
    shard = parse_shard_name(path.name)
    return shard.stem if shard else path.stem


def _is_broken(path: Location) -> bool:
    return path.is_symlink() and not path.exists()


def _container(path: Location) -> str:
    """Return the container of a model's file or index; empty if it is neither."""
    if path.suffix == _FINGERPRINT:
        return ""
    if path.name.endswith(SUFFIXES):
        return "safetensors" if path.name.endswith(SUFFIXES[0]) else "pytorch"
    container = container_of(path)
    return "" if container == "pytorch" and path.name.startswith(_TRAINING) else container


def _refuse(folder: Location, files: list[Location]) -> None:
    """Raise the InputError that says best why there is nothing to open."""
    for path in files:
        if not _is_broken(path):
            refuse_file(path)
    inside = sorted(entry.name for entry in folder.iterdir() if entry.is_dir())
    hint = "give a folder or file with safetensors, GGUF, PyTorch or ONNX weights"
    if inside:
        hint += f"; it holds the folders {quote_some(inside)}"
    raise InputError("no model file" if files else "an empty folder", where=folder, hint=hint)
