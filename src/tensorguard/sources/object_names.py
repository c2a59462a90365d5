"""Addresses in object storage: `s3://BUCKET/KEY`, `gs://BUCKET/KEY`, `az://CONTAINER/KEY`."""

import re
from pathlib import Path
from typing import NamedTuple

from tensorguard.errors import NotFoundError

_MEANT = re.compile(r"(?P<scheme>s3|gs|az):/{1,2}(?P<rest>[^/].*)?", re.DOTALL)
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,221}")
_LONGEST = 1024


class Address(NamedTuple):
    """Where something lies in object storage.

    Attributes:
        scheme: `s3`, `gs` or `az`.
        bucket: The bucket, or container.
        key: An object's key, or what the keys of a folder begin with, without slashes around it; empty for all of the bucket.
    """

    scheme: str
    bucket: str
    key: str = ""

    def __str__(self) -> str:
        return f"{self.scheme}://{self.bucket}" + (f"/{self.key}" if self.key else "")


def object_address(given: object) -> Address | None:
    """Return the address in object storage that is meant, or None where something else is.

    A `Path` of one, which has lost a slash, means it, too; a local folder called `s3:` is reached as `./s3:`.

    Raises:
        NotFoundError: It begins like one, and is none.
    """
    match = _MEANT.fullmatch(str(given)) if isinstance(given, str | Path) else None
    if match is None:
        return None
    bucket, _, key = (match["rest"] or "").partition("/")
    key = key.strip("/")
    parts = key.split("/") if key else []
    strange = any(part in ("", ".", "..") for part in parts) or not key.isprintable() or len(key.encode()) > _LONGEST
    if strange or not _BUCKET.fullmatch(bucket):
        hint = f"give {match['scheme']}://BUCKET/PREFIX"
        raise NotFoundError("no address in object storage", where=given, hint=hint)
    return Address(match["scheme"], bucket, key)
