"""Checkpoints in several files, told by the files' names alone: `x-00001-of-00003.safetensors`, `x-1-of-3.gguf`, ..."""

import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tensorguard.errors import InputError, quote
from tensorguard.formats.base import Header, TensorInfo
from tensorguard.formats.detection import read_file_header
from tensorguard.limits import MAX_SHARDS, MAX_TENSORS
from tensorguard.sources.remote import Location

_PATTERN = re.compile(
    r"(?:(?P<stem>.+?)[-_.])?(?P<number>[0-9]{1,6})[-_]of[-_](?P<total>[0-9]{1,6})(?P<suffix>\.[^.]+)", re.IGNORECASE
)
_SHOWN = 8
_AT_ONCE = 16
"""Headers that are asked for at a time from a server."""


class ShardName(NamedTuple):
    """What a shard's file name says."""

    stem: str
    number: int
    total: int
    suffix: str


def parse_shard_name(name: str) -> ShardName | None:
    """Return the parts of a shard's file name, or None if it is no shard's."""
    match = _PATTERN.fullmatch(name)
    if match is None:
        return None
    return ShardName(match["stem"] or "", int(match["number"]), int(match["total"]), match["suffix"].lower())


def group_shards(paths: Iterable[Location]) -> list[tuple[Location, ...]]:
    """Put the files of each model together: shards with one stem, count and suffix; any other file by itself."""
    groups: dict[object, list[Location]] = {}
    for path in sorted(paths, key=lambda path: path.name):
        shard = parse_shard_name(path.name)
        groups.setdefault((shard.stem, shard.total, shard.suffix) if shard else path, []).append(path)
    return [tuple(group) for group in groups.values()]


def order_shards(paths: Sequence[Location]) -> tuple[Location, ...]:
    """Return a model's shards by number; a single file that is no shard is kept.

    Raises:
        InputError: One is missing or there twice, or there are too many.
    """
    named = [(shard, path) for path in paths if (shard := parse_shard_name(path.name))]
    if not named:
        return tuple(paths)
    first, example = named[0]
    if first.total > MAX_SHARDS:
        raise InputError(f"a model in {first.total} files, more than the {MAX_SHARDS} allowed", where=example)
    found: dict[int, Location] = {}
    for shard, path in named:
        if shard.number in found:
            raise InputError(f"shard {shard.number} is there twice: also as {quote(found[shard.number].name)}", where=path)
        found[shard.number] = path
    start = 0 if 0 in found else 1
    expected = range(start, start + first.total)
    missing = [number for number in expected if number not in found]
    if missing:
        raise InputError(
            f"of its {first.total} shards, {len(missing)} {'is' if len(missing) == 1 else 'are'} missing: {_listed(missing)}",
            where=example,
            hint="put all shards of the model into one folder",
        )
    extra = sorted(set(found) - set(expected))
    if extra:
        raise InputError(f"there are only {first.total} shards, but one is numbered {extra[0]}", where=found[extra[0]])
    return tuple(found[number] for number in expected)


def read_shards(paths: Sequence[Location]) -> tuple[str, Header]:
    """Read the headers of one model's files and join them, in this order.

    Returns:
        The container's name, and all tensors with the first file's configuration and metadata.

    Raises:
        InputError: A file cannot be opened, two files hold the same tensor, or they are of different containers.
    """
    container = ""
    headers: list[Header] = []
    owner: dict[str, TensorInfo] = {}
    for path, (kind, header) in zip(paths, _file_headers(paths), strict=True):
        container = container or kind
        if kind != container:
            raise InputError(f"is {kind}, but the model's other shards are {container}", where=path)
        for info in header.tensors:
            earlier = owner.setdefault(info.name, info)
            if earlier is not info:
                raise InputError(f"tensor {quote(info.name)} is also in {quote(Path(earlier.source.name).name)}", where=path)
        if len(owner) > MAX_TENSORS:
            raise InputError(f"with it the model has more than the {MAX_TENSORS} tensors allowed", where=path)
        headers.append(header)
    notices = tuple(dict.fromkeys(notice for header in headers for notice in header.notices))
    return container, Header(tuple(owner.values()), headers[0].config, headers[0].metadata, notices)


def _file_headers(paths: Sequence[Location]) -> Iterator[tuple[str, Header]]:
    """Read headers in order; those on servers several at a time, since each takes some round trips."""
    if all(isinstance(path, Path) for path in paths):
        yield from map(read_file_header, paths)
        return
    threads = ThreadPoolExecutor(_AT_ONCE)
    try:
        yield from threads.map(read_file_header, paths)
    finally:
        threads.shutdown(cancel_futures=True)


def _listed(numbers: list[int]) -> str:
    shown = ", ".join(str(number) for number in numbers[:_SHOWN])
    return f"{shown}, …" if len(numbers) > _SHOWN else shown
