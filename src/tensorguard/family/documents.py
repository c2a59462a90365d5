"""The family stage's JSON files: typed when read, written whole or not at all."""

from pathlib import Path
from typing import Any, TypeVar

import msgspec

from tensorguard.errors import InputError, quote
from tensorguard.formats.atomic import replacing
from tensorguard.formats.json_text import read_object
from tensorguard.limits import MAX_JSON_BYTES

T = TypeVar("T")


def read_typed(path: Path, kind: type[T], what: str) -> T:
    """Return a JSON file as a dataclass of type `kind`; keys that the dataclass does not name are ignored.

    Args:
        path: The file.
        kind: A dataclass.
        what: What it should be, for messages: `a labels file`.

    Raises:
        NotFoundError: There is no such file.
        InputError: It is not JSON, or not of that type.
    """
    try:
        return msgspec.convert(read_object(path, MAX_JSON_BYTES), kind)
    except msgspec.ValidationError as error:
        raise InputError(f"is not {what} ({quote(error, 300)[1:-1]})", where=path) from error


def write_json(path: Path, content: Any) -> None:
    """Write anything that msgspec can encode; equal contents give equal bytes.

    Raises:
        ResourceError: The folder cannot be written, or the disk is full.
    """
    text = msgspec.json.format(msgspec.json.encode(content, order="sorted"), indent=2)
    with replacing(path) as file:
        file.write(text + b"\n")
