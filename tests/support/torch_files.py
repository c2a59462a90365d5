"""Files of torch.save made record by record, so that tests can make every part of them wrong."""

import io
import pickle
import zipfile
from collections.abc import Mapping

import torch

F32_STORAGE = b"ctorch\nFloatStorage\n"


def torch_bytes(state: object, **options: object) -> bytes:
    """What torch.save writes."""
    buffer = io.BytesIO()
    torch.save(state, buffer, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


def archive_bytes(pickled: bytes, storages: Mapping[str, bytes] = {"0": bytes(64)}, method: int = zipfile.ZIP_STORED) -> bytes:
    """An archive as torch.save lays it out, around any pickle."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/version", b"3\n")
        for key, raw in storages.items():
            archive.writestr(f"archive/data/{key}", raw)
    return buffer.getvalue()


def text(value: str) -> bytes:
    """A text in a pickle."""
    raw = value.encode()
    return b"X" + len(raw).to_bytes(4, "little") + raw


def integer(value: int) -> bytes:
    """An integer in a pickle."""
    raw = value.to_bytes(9, "little", signed=True)
    return b"\x8a\x09" + raw


def numbers(*values: int) -> bytes:
    """A tuple of integers in a pickle."""
    return b"(" + b"".join(integer(value) for value in values) + b"t"


def tensor(
    shape: tuple[int, ...] = (4, 4),
    strides: tuple[int, ...] = (4, 1),
    offset: int = 0,
    key: str = "0",
    numel: int = 16,
    storage: bytes = F32_STORAGE,
) -> bytes:
    """The call that stands for a tensor."""
    identity = b"(" + text("storage") + storage + text(key) + text("cpu") + integer(numel) + b"tQ"
    arguments = (
        b"("
        + identity
        + integer(offset)
        + numbers(*shape)
        + numbers(*strides)
        + b"\x89"
        + b"ccollections\nOrderedDict\n)R"
        + b"t"
    )
    return b"ctorch._utils\n_rebuild_tensor_v2\n" + arguments + b"R"


def state(**tensors: bytes) -> bytes:
    """A pickle of a dict of tensors."""
    return b"\x80\x02}(" + b"".join(text(name) + value for name, value in tensors.items()) + b"u."


class Runs:
    """Unpickled, it would call a function."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.call


def running(function: object, *arguments: object, protocol: int = 2) -> bytes:
    """A pickle that would call a function."""
    return pickle.dumps({"w": Runs(function, *arguments)}, protocol=protocol)
