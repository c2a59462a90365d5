"""Secret keys: probes that only their owner knows."""

from pathlib import Path

from tensorguard.errors import InputError
from tensorguard.probes.rademacher import Key
from tensorguard.sources.local import LocalFile

_FEWEST, _MOST = 16, 4096
"""Bytes in a key file."""


def read_key(path: Path | str) -> Key:
    """Read a key file: all its bytes are the secret.

    Raises:
        NotFoundError: There is no such file.
        InputError: It holds fewer than 16 bytes, or more than 4096.
    """
    source = LocalFile(Path(path))
    if not _FEWEST <= source.size <= _MOST:
        raise InputError(
            f"a key file holds {_FEWEST} to {_MOST} bytes, this one {source.size}",
            where=path,
            hint="make one with: head -c 32 /dev/urandom > key",
        )
    return Key(source.read_at(0, source.size).tobytes())
