"""What a file is, told by its first bytes; its name counts only where they say nothing."""

from collections.abc import Mapping
from pathlib import Path

from tensorguard.errors import InputError
from tensorguard.formats.base import Format, Header
from tensorguard.formats.gguf import Gguf
from tensorguard.formats.safetensors import Safetensors
from tensorguard.sources.local import LocalFile

FORMATS: tuple[Format, ...] = (Gguf(), Safetensors())
"""Every container that can be opened, in the order they are tried."""

_HEAD_BYTES = 64
_PICKLE = "a pickle, which can run code: never opened"
_CONVERT = "convert it to safetensors on a machine you trust: model.save_pretrained(DIR, safe_serialization=True)"
_NOT_YET = "not supported yet"
_OTHER = "give the model as safetensors or GGUF"

_REFUSED_HEADS: tuple[tuple[bytes, str, str], ...] = (
    (b"PK\x03\x04", f"a ZIP archive, as torch.save writes around {_PICKLE}", f"unpack a mere archive; else {_CONVERT}"),
    *((b"\x80" + bytes([protocol]), _PICKLE, _CONVERT) for protocol in range(2, 6)),
    (b"version https://git-lfs", "a Git LFS pointer, not the file it stands for", "fetch the file: git lfs pull"),
    (b"<!DOCTYPE", "a web page, not a model file", "download the file itself"),
    (b"<html", "a web page, not a model file", "download the file itself"),
    (b"\x89HDF", f"an HDF5 file: {_NOT_YET}", _OTHER),
    *((magic, "a GGML file from before GGUF: not supported", _OTHER) for magic in (b"lmgg", b"tjgg", b"fmgg")),
)
"""First bytes of files that are refused by name."""

_REFUSED_SUFFIXES: Mapping[str, tuple[str, str]] = {
    **dict.fromkeys((".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"), (_PICKLE, _CONVERT)),
    ".onnx": (f"an ONNX file: {_NOT_YET}", _OTHER),
    ".h5": (f"an HDF5 file: {_NOT_YET}", _OTHER),
    ".msgpack": (f"a Flax file: {_NOT_YET}", _OTHER),
    ".tflite": (f"a TensorFlow Lite file: {_NOT_YET}", _OTHER),
    ".npz": (f"a NumPy archive: {_NOT_YET}", _OTHER),
}


def read_file_header(path: Path) -> tuple[str, Header]:
    """Parse the header of one file of any known container.

    Returns:
        The container's name and the header.

    Raises:
        NotFoundError: There is no such file.
        InputError: It is no container that can be opened, or a malformed one.
    """
    if path.is_symlink() and not path.exists():
        raise InputError("a link to a file that is not there", where=path, hint="download the model again: it is incomplete")
    source = LocalFile(path)
    known = _format_of(_head(source), path)
    if known is not None:
        header = known.read_header(source)
        source.close()  # a model may have more shards than a process may have open files
        return known.container, header
    refuse_file(path)
    raise InputError("not a model file of a known kind", where=path, hint=_OTHER)


def is_model_file(path: Path) -> bool:
    """Say whether a file is of a known container, or claims to be one by its name."""
    try:
        return _format_of(_head(LocalFile(path)), path) is not None
    except InputError:
        return is_named_as_model(path)


def is_named_as_model(path: Path) -> bool:
    """Say whether a file's name alone claims that it is of a known container."""
    return _format_named(path) is not None


def refuse_file(path: Path) -> None:
    """Raise the InputError that says why a file of a recognised but unsupported kind is not opened; return if it is none."""
    refusal = _refusal(_head(LocalFile(path))) or _REFUSED_SUFFIXES.get(path.suffix.lower())
    if refusal is not None:
        raise InputError(refusal[0], where=path, hint=refusal[1])


def _format_of(head: bytes, path: Path) -> Format | None:
    for known in FORMATS:
        if known.recognises(head):
            return known
    return None if _refusal(head) else _format_named(path)


def _refusal(head: bytes) -> tuple[str, str] | None:
    """Return the reason and the hint for a file of a kind that is refused by its first bytes."""
    if head[2:8] == bytes(6):
        return None  # two bytes and zeros are the length of a (damaged) safetensors header, whatever the two are
    return next(((reason, hint) for magic, reason, hint in _REFUSED_HEADS if head.startswith(magic)), None)


def _format_named(path: Path) -> Format | None:
    return next((known for known in FORMATS if path.suffix.lower() == f".{known.container}"), None)


def _head(source: LocalFile) -> bytes:
    return source.read_at(0, min(source.size, _HEAD_BYTES)).tobytes()
