"""What a file is, told by its first bytes; its name counts only where they say nothing."""

from collections.abc import Mapping
from pathlib import Path

from tensorguard.errors import InputError, NotFoundError
from tensorguard.formats.base import Format, Header
from tensorguard.formats.gguf import Gguf
from tensorguard.formats.onnx import Onnx
from tensorguard.formats.pytorch import PyTorch
from tensorguard.formats.safetensors import Safetensors
from tensorguard.sources.base import Source
from tensorguard.sources.local import LocalFile
from tensorguard.sources.remote import Location, source_at

FORMATS: tuple[Format, ...] = (Gguf(), Safetensors(), PyTorch(), Onnx())
"""Every container that can be opened, in the order they are tried."""

_HEAD_BYTES = 512
_PICKLE = "a pickle, which can run code: never opened"
_CONVERT = (
    "on a machine you trust, save it with torch.save of PyTorch 1.6 or later, which writes a ZIP archive, or as safetensors"
)
_ARCHIVE = "unpack it: of archives, only what torch.save of PyTorch 1.6 or later writes is read"
_NOT_YET = "not supported yet"
_OTHER = "give the model as safetensors, GGUF, ONNX or a file of torch.save"

_REFUSED_HEADS: tuple[tuple[bytes, str, str], ...] = (
    (b"PK\x03\x04", "a ZIP archive, but not as torch.save writes one", _ARCHIVE),
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
    ".h5": (f"an HDF5 file: {_NOT_YET}", _OTHER),
    ".msgpack": (f"a Flax file: {_NOT_YET}", _OTHER),
    ".tflite": (f"a TensorFlow Lite file: {_NOT_YET}", _OTHER),
    ".npz": (f"a NumPy archive: {_NOT_YET}", _OTHER),
}


def read_file_header(path: Location) -> tuple[str, Header]:
    """Parse the header of one file of any known container.

    Returns:
        The container's name and the header.

    Raises:
        NotFoundError: There is no such file.
        InputError: It is no container that can be opened, or a malformed one.
    """
    if path.is_symlink() and not path.exists():
        raise InputError("a link to a file that is not there", where=path, hint="download the model again: it is incomplete")
    source = source_at(path)
    head = _head(source)
    known = _format_of(head, path)
    if known is not None:
        header = known.read_header(source)
        if isinstance(source, LocalFile):
            source.close()  # a model may have more shards than a process may have open files
        return known.container, header
    _refuse(head, path)
    raise InputError("not a model file of a known kind", where=path, hint=_OTHER)


def container_of(path: Location) -> str:
    """Return the container that a file is of, or claims by its name where it is a broken link, remote or unreadable; empty if none."""
    try:
        known = _format_of(_head(source_at(path)), path) if isinstance(path, Path) else _format_named(path)
    except (InputError, NotFoundError):
        known = _format_named(path)
    return known.container if known else ""


def refuse_file(path: Location) -> None:
    """Raise the InputError that says why a file of a recognised but unsupported kind is not opened; return if it is none."""
    _refuse(_head(source_at(path)) if isinstance(path, Path) else b"", path)


def _refuse(head: bytes, path: Location) -> None:
    refusal = _refusal(head) or _REFUSED_SUFFIXES.get(path.suffix.lower())
    if refusal is not None:
        raise InputError(refusal[0], where=path, hint=refusal[1])


def _format_of(head: bytes, path: Location) -> Format | None:
    for known in FORMATS:
        if known.recognises(head):
            return known
    refused = _refusal(head) or path.suffix.lower() in _REFUSED_SUFFIXES
    return None if refused else _format_named(path)


def _refusal(head: bytes) -> tuple[str, str] | None:
    """Return the reason and the hint for a file of a kind that is refused by its first bytes."""
    if head[2:8] == bytes(6):
        return None  # two bytes and zeros are the length of a (damaged) safetensors header, whatever the two are
    return next(((reason, hint) for magic, reason, hint in _REFUSED_HEADS if head.startswith(magic)), None)


def _format_named(path: Location) -> Format | None:
    return next((known for known in FORMATS if path.suffix.lower() in known.suffixes), None)


def _head(source: Source) -> bytes:
    return source.read_at(0, min(source.size, _HEAD_BYTES)).tobytes()
