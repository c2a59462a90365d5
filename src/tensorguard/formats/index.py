"""The index of a sharded checkpoint, `model.safetensors.index.json` or `pytorch_model.bin.index.json`: which tensor lies in which file."""

from collections.abc import Mapping
from typing import NamedTuple

from tensorguard.errors import InputError, quote, quote_some
from tensorguard.formats.base import Header
from tensorguard.formats.beside import path_beside
from tensorguard.formats.json_text import read_object
from tensorguard.formats.sharded import parse_shard_name, read_shards
from tensorguard.limits import MAX_JSON_BYTES, MAX_SHARDS, MAX_TENSORS
from tensorguard.sources.remote import Location

_ENDING = ".index.json"
SUFFIXES = (f".safetensors{_ENDING}", f".bin{_ENDING}")
"""What the names of indexes end in."""


class Indexed(NamedTuple):
    """A checkpoint read through its index."""

    container: str
    header: Header
    notices: tuple[str, ...]


def stem(name: str) -> str:
    """Return what an index's file name calls the model; the name itself if it is no index's."""
    ending = next((suffix for suffix in SUFFIXES if name.endswith(suffix)), "")
    return name.removesuffix(ending)


def index_beside(shard: Location) -> Location | None:
    """Return the index that lies beside a shard, or None."""
    parts = parse_shard_name(shard.name)
    index = shard.with_name(f"{parts.stem}{parts.suffix}{_ENDING}") if parts else shard
    return index if index.name.endswith(SUFFIXES) and index.is_file() else None


def read_indexed(index: Location) -> Indexed:
    """Read the headers of all shards an index names, by shard number.

    Raises:
        InputError: The index is malformed, names a file outside its folder, a missing file, or a tensor that is not in the file
            it names; or a shard is malformed.
    """
    weight_map = _weight_map(index)
    shards = {name: path_beside(index, name) for name in dict.fromkeys(weight_map.values())}
    missing = [name for name, path in shards.items() if not path.exists()]
    if missing:
        hint = "download the missing files into the same folder"
        raise InputError(f"{len(missing)} of its {len(shards)} shards not there: {quote_some(missing)}", where=index, hint=hint)
    container, header = read_shards(sorted(shards.values(), key=_shard_number))
    notices = header.notices + _check_names(weight_map, shards, header, index)
    return Indexed(container, header, notices)


def _weight_map(index: Location) -> Mapping[str, str]:
    """Return tensor name -> file name."""
    weight_map = read_object(index, MAX_JSON_BYTES).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise InputError("an index without a 'weight_map'", where=index, hint="remove it, or download it again")
    if not all(isinstance(name, str) for name in weight_map.values()):
        raise InputError("its 'weight_map' does not map names to file names", where=index, hint="download it again")
    if len(weight_map) > MAX_TENSORS or len(set(weight_map.values())) > MAX_SHARDS:
        raise InputError(f"names more than {MAX_TENSORS} tensors or {MAX_SHARDS} shards", where=index)
    return weight_map


def _shard_number(path: Location) -> tuple[int, str]:
    shard = parse_shard_name(path.name)
    return (shard.number if shard else -1), path.name


def _check_names(
    weight_map: Mapping[str, str], shards: Mapping[str, Location], header: Header, index: Location
) -> tuple[str, ...]:
    held_by = {info.name: info.source.name for info in header.tensors}
    for tensor, name in weight_map.items():
        if held_by.get(tensor) != str(shards[name]):
            raise InputError(f"places tensor {quote(tensor)} in {quote(name)}, where it is not", where=index)
    unnamed = [tensor for tensor in held_by if tensor not in weight_map]
    if not unnamed:
        return ()
    return (f"{len(unnamed)} tensors are in the shards but not in the index: {quote_some(unnamed)}.",)
