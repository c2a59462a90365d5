"""Model folders written tensor by tensor: a streaming safetensors writer, a mapped reader, and folders that appear whole or not at all.

The safetensors library's numpy writer has no BF16, sorts the tensors and holds the whole file in memory; benchmarks need all three.
Format: 8 bytes length of the header (little endian), the header as JSON padded with spaces, then the data without gaps.
"""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import ml_dtypes
import numpy as np

ITEM_SIZE = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I8": 1, "U8": 1}
_NAME_OF = {np.dtype(np.float32): "F32", np.dtype(np.float16): "F16", np.dtype(ml_dtypes.bfloat16): "BF16"}


class Entry(NamedTuple):
    """One tensor to be written: its header fields and, only when its turn comes, its bytes."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    blocks: Callable[[], Iterable[np.ndarray]]

    @property
    def nbytes(self) -> int:
        return prod(self.shape) * ITEM_SIZE[self.dtype]


def entry(name: str, array: np.ndarray) -> Entry:
    """Wrap an array that is in memory."""
    return Entry(name, _NAME_OF[array.dtype], array.shape, lambda: [array])


def write(path: Path, entries: Sequence[Entry]) -> None:
    """Write one safetensors file in the order given, holding one block at a time."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    position = 0
    for item in entries:
        offsets = [position, position + item.nbytes]
        header[item.name] = {"dtype": item.dtype, "shape": list(item.shape), "data_offsets": offsets}
        position += item.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for item in entries:
            _write_data(file, item)


def _write_data(file: BinaryIO, item: Entry) -> None:
    written = 0
    for block in item.blocks():
        written += file.write(np.ascontiguousarray(block).reshape(-1).view(np.uint8).data)
    if written != item.nbytes:
        raise ValueError(f"{item.name}: {written} bytes were made for a tensor of {item.nbytes}")


def read(path: Path) -> list[Entry]:
    """Read a file that this project wrote: its tensors as mapped bytes, in the order of the data."""
    data = np.memmap(path, mode="r")
    start = 8 + int.from_bytes(data[:8].tobytes(), "little")
    header = json.loads(data[8:start].tobytes())
    header.pop("__metadata__", None)

    def mapped(begin: int, end: int) -> Callable[[], list[np.ndarray]]:
        return lambda: [data[start + begin : start + end]]

    ordered = sorted(header.items(), key=lambda item: item[1]["data_offsets"])
    return [Entry(n, f["dtype"], tuple(f["shape"]), mapped(*f["data_offsets"])) for n, f in ordered]


def values(item: Entry) -> np.ndarray:
    """Return a tensor's values as float32 in its shape."""
    dtype = next(number for number, name in _NAME_OF.items() if name == item.dtype)
    raw = np.concatenate([block.reshape(-1).view(np.uint8) for block in item.blocks()])
    exact: np.ndarray = raw.view(dtype).reshape(item.shape)
    return exact.astype(np.float32)


def write_model(folder: Path, entries: Sequence[Entry], config: dict[str, Any], shards: int = 1) -> None:
    """Write `model.safetensors`, or numbered shards with their index, and `config.json` beside them."""
    write_json(folder / "config.json", config)
    if shards == 1:
        write(folder / "model.safetensors", entries)
        return
    total = sum(item.nbytes for item in entries)
    parts: list[list[Entry]] = [[] for _ in range(shards)]
    position = 0
    for item in entries:  # in order, cut where the middle of the tensor lies, so that the shards are of about one size
        parts[min(shards - 1, (position + item.nbytes // 2) * shards // total)].append(item)
        position += item.nbytes
    parts = [part for part in parts if part]
    weight_map = {}
    for number, part in enumerate(parts, 1):
        name = f"model-{number:05d}-of-{len(parts):05d}.safetensors"
        write(folder / name, part)
        weight_map.update({item.name: name for item in part})
    write_json(folder / "model.safetensors.index.json", {"metadata": {"total_size": total}, "weight_map": weight_map})


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write JSON as people want to read it."""
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Give a temporary folder that becomes `folder` if the block succeeds, and vanishes if it fails."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    partial.chmod(0o755)
    try:
        yield partial
        partial.replace(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
