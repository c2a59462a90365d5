"""Files of `torch.save` (PyTorch 1.6 and later): a ZIP archive of a pickle that lists the tensors and one stored record per storage.

The pickle is read as text is read (`pickle_machine`): nothing in it is run. Files from before 1.6 and TorchScript are refused by name.
Layout: https://github.com/pytorch/pytorch/blob/main/torch/serialization.py (`_save`), caffe2/serialize/inline_container.h.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from tensorguard.errors import InputError, quote, quote_some
from tensorguard.formats.base import Header, TensorInfo
from tensorguard.formats.pickle_machine import read_records
from tensorguard.formats.pickle_records import SAFE, Storage, TensorRecord
from tensorguard.formats.safetensors import BITS
from tensorguard.formats.zip_archive import Entry, data_offset, prefetch_headers, read_directory, refuse
from tensorguard.limits import MAX_NAME_BYTES, MAX_PICKLE_BYTES, MAX_SHARING, MAX_TENSORS
from tensorguard.sources.base import Source

_RECORD = b"PK\x03\x04"
_NAME_LENGTH, _NAME = slice(26, 28), 30
_LIST = "/data.pkl"

_NESTED = ("state_dict", "model_state_dict", "model", "module", "net", "weights", "params")
"""Where trainers put a model's tensors among other things, in this order."""

_DEEPEST = 4
"""How many of these names may be nested."""


class PyTorch:
    """The format; see `Format`."""

    container = "pytorch"
    suffixes = (".bin", ".pt", ".pth", ".ckpt")

    def recognises(self, head: bytes) -> bool:
        """A ZIP archive whose first record is the list of tensors, as torch.save writes it."""
        length = int.from_bytes(head[_NAME_LENGTH], "little")
        return head.startswith(_RECORD) and head[_NAME : _NAME + length].endswith(_LIST.encode())

    def read_header(self, source: Source) -> Header:
        """Parse the header; see `read_pytorch`."""
        return read_pytorch(source)


def read_pytorch(source: Source) -> Header:
    """Read which tensors a file of torch.save holds, in the order its dict lists them. Tensors may share bytes.

    Raises:
        InputError: The archive or its pickle is malformed or hostile, names anything but tensors, or is over a limit; a tensor does
            not fit its storage, or is neither contiguous nor a transposed matrix.
    """
    entries = read_directory(source)
    archive = _archive(source, entries)
    order = entries.get(f"{archive}/byteorder")
    if order is not None and order.size and _bytes(source, order, 64) != b"little":
        refuse(source, "its numbers are big-endian: not supported")
    named, notices = _state(read_records(_bytes(source, entries[archive + _LIST], MAX_PICKLE_BYTES), source.name), source)
    files = _Storages(source, archive, entries)
    files.prefetch(tensor.storage for tensor in named.values())
    tensors = tuple(_info(name, tensor, files) for name, tensor in named.items())
    claimed = sum(info.nbytes for info in tensors)
    if claimed > MAX_SHARING * source.size:
        refuse(source, f"its tensors claim {claimed} bytes of a file of {source.size}: more sharing than is allowed")
    return Header(tensors, notices=notices)


def _archive(source: Source, entries: Mapping[str, Entry]) -> str:
    """Return the name of the folder that everything lies in."""
    lists = [name.removesuffix(_LIST) for name in entries if name.endswith(_LIST) and name.count("/") == 1]
    if len(lists) != 1:
        refuse(source, f"holds {len(lists)} lists of tensors (data.pkl)")
    script = [name for name in entries if name.startswith((f"{lists[0]}/code/", f"{lists[0]}/constants.pkl"))]
    if script:
        raise InputError("a TorchScript archive, which is a program: not read", where=source.name, hint=SAFE)
    return lists[0]


def _bytes(source: Source, entry: Entry, most: int) -> bytes:
    if entry.size > most:
        refuse(source, f"its record {quote(entry.name)} takes {entry.size} bytes, more than the {most} allowed")
    return source.read_at(data_offset(source, entry), entry.size).tobytes()


def _state(value: object, source: Source) -> tuple[dict[str, TensorRecord], tuple[str, ...]]:
    """Return the tensors by name, from the dict itself or one that is nested in it, and what was left aside."""
    notices: list[str] = []
    for _ in range(_DEEPEST):
        if not isinstance(value, dict) or any(type(entry) is TensorRecord for entry in value.values()):
            break
        inner = next((key for key in _NESTED if isinstance(value.get(key), dict)), None)
        if inner is None:
            break
        if others := [key for key in value if key != inner]:
            notices.append(f"Only {quote(inner)} was read; beside it lie {quote_some(others)}.")
        value = value[inner]
    if not isinstance(value, dict):
        raise InputError("holds no dict of tensors", where=source.name, hint=SAFE)
    named = {key: entry for key, entry in value.items() if type(entry) is TensorRecord}
    if others := [key for key in value if key not in named]:
        notices.append(f"{len(others)} entries of the model are no tensors and were left aside: {quote_some(others)}.")
    _check_names(named, source)
    return named, tuple(notices)


def _check_names(named: Iterable[Any], source: Source) -> None:
    for count, name in enumerate(named, 1):
        if type(name) is not str:
            refuse(source, f"a tensor is called {quote(name)}, which is no text")
        if len(name.encode("utf-8")) > MAX_NAME_BYTES:
            refuse(source, f"tensor {quote(name)} has a name longer than {MAX_NAME_BYTES} bytes")
        if count > MAX_TENSORS:
            refuse(source, f"it has more than the {MAX_TENSORS} tensors allowed")


class _Storages:
    """The records that hold values, each located once."""

    def __init__(self, source: Source, archive: str, entries: Mapping[str, Entry]) -> None:
        self.source = source
        self._archive, self._entries = archive, entries
        self._known: dict[str, tuple[Storage, int]] = {}

    def prefetch(self, storages: Iterable[Storage]) -> None:
        """Say which will be asked for."""
        entries = {storage.key: self._entries.get(f"{self._archive}/data/{storage.key}") for storage in storages}
        prefetch_headers(self.source, (entry for entry in entries.values() if entry is not None))

    def begin(self, storage: Storage) -> int:
        """Return where a storage's bytes begin; it is as long as it claims."""
        known, offset = self._known.get(storage.key) or self._locate(storage)
        if known != storage:
            refuse(self.source, f"its storage {quote(storage.key)} is described in two ways")
        return offset

    def _locate(self, storage: Storage) -> tuple[Storage, int]:
        entry = self._entries.get(f"{self._archive}/data/{storage.key}")
        if entry is None:
            refuse(self.source, f"its storage {quote(storage.key)} is not there")
        needed = storage.numel * BITS[storage.dtype] // 8
        if entry.size != needed:
            refuse(self.source, f"its storage {quote(storage.key)} claims {needed} bytes, but takes {entry.size}")
        self._known[storage.key] = storage, data_offset(self.source, entry)
        return self._known[storage.key]


def _info(name: str, tensor: TensorRecord, files: _Storages) -> TensorInfo:
    """Return where a tensor lies; all of it lies within its storage."""

    def fault(message: str) -> NoReturn:
        refuse(files.source, f"tensor {quote(name)} {message}")

    size, begin = BITS[tensor.dtype] // 8, files.begin(tensor.storage)
    available = tensor.storage.numel * BITS[tensor.storage.dtype] // 8
    count = math.prod(tensor.shape)
    steps = [(extent, stride) for extent, stride in zip(tensor.shape, tensor.strides, strict=True) if extent != 1]
    needed = tensor.offset + 1 + sum((extent - 1) * stride for extent, stride in steps)
    if count and needed * size > available:
        fault(f"needs {needed} elements of its storage, which has {available // size}")
    nbytes, offset = count * size, begin + tensor.offset * size if count else begin
    if not count or steps == _contiguous([extent for extent, _ in steps]):
        return TensorInfo(name, tensor.dtype, tensor.shape, files.source, offset, nbytes)
    if len(tensor.shape) == 2 and steps[::-1] == _contiguous([extent for extent, _ in reversed(steps)]):
        return TensorInfo(name, tensor.dtype, tensor.shape, files.source, offset, nbytes, transposed=True)
    how = "expanded: it repeats its elements" if any(stride == 0 for _, stride in steps) else "a view that skips elements"
    hint = "save it again after tensor.contiguous(), on a machine you trust"
    raise InputError(f"tensor {quote(name)} is {how}, which is not read", where=files.source.name, hint=hint)


def _contiguous(extents: list[int]) -> list[tuple[int, int]]:
    """Return (extent, stride) of a tensor whose elements lie end to end in C order."""
    return [(extent, math.prod(extents[index + 1 :])) for index, extent in enumerate(extents)]
