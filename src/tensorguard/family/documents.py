"""Small JSON files: read as strictly as untrusted text deserves, written whole or not at all."""

import json
import math
import os
import secrets
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import msgspec

from tensorguard.errors import InputError, NotFoundError, UsageError, quote
from tensorguard.limits import MAX_JSON_BYTES
from tensorguard.sources.local import LocalFile

T = TypeVar("T")

_LONGEST_NUMBER = 400


def read_json(path: Path) -> Any:
    """Return the content of a JSON file: bounded, UTF-8, no key given twice, every number finite.

    Raises:
        NotFoundError: There is no such file.
        InputError: It is too long or not such JSON.
    """
    source = LocalFile(path)
    if source.size > MAX_JSON_BYTES:
        raise InputError(f"has {source.size} bytes, more than the {MAX_JSON_BYTES} that are read", where=path)
    try:
        return json.loads(
            source.read_at(0, source.size).tobytes().decode("utf-8"),
            object_pairs_hook=_without_duplicates,
            parse_float=_finite,
            parse_int=_whole,
            parse_constant=_refuse_constant,
        )
    except RecursionError as error:
        raise InputError("is JSON nested too deeply", where=path) from error
    except json.JSONDecodeError as error:
        raise InputError(f"is not JSON ({error.msg} at character {error.pos})", where=path) from error
    except UnicodeDecodeError as error:
        raise InputError(f"is not UTF-8 text (byte {error.start})", where=path) from error
    except ValueError as error:
        raise InputError(f"is not usable JSON ({error})", where=path) from error


def read_typed(path: Path, kind: type[T]) -> T:
    """Return a JSON file as a dataclass of type `kind`; what the dataclass does not name is ignored.

    Raises:
        NotFoundError: There is no such file.
        InputError: It is not JSON, or not of that type.
    """
    try:
        return msgspec.convert(read_json(path), kind)
    except msgspec.ValidationError as error:
        raise InputError(f"does not hold what it should ({quote(error, 300)[1:-1]})", where=path) from error


def write_json(path: Path, content: Any, *, sort_keys: bool = False) -> None:
    """Write JSON beside its place and rename it into it, so that nobody ever sees half of it.

    Raises:
        UsageError: The folder is missing or not writable.
    """
    text = json.dumps(msgspec.to_builtins(content), indent=2, sort_keys=sort_keys, ensure_ascii=True, allow_nan=False)
    write_bytes(path, (text + "\n").encode("ascii"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file beside its place and rename it into it.

    Raises:
        UsageError: The folder is missing or not writable.
    """
    path = Path(path)
    part = path.with_name(f".tensorguard-{os.getpid()}-{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            file.write(content)
        part.replace(path)
    except OSError as error:
        raise UsageError(f"cannot be written ({error.strerror})", where=path, hint="name a file in a folder that exists") from error
    finally:
        part.unlink(missing_ok=True)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"key {quote(twice)} is given twice")
    return result


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"number {quote(text)} is out of range")
    return number


def _whole(text: str) -> int:
    if len(text) > _LONGEST_NUMBER or not math.isfinite(float(text)):
        raise ValueError("a number is out of range")
    return int(text)


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number")
