"""Fingerprints' files that are not on this machine."""

from pathlib import Path

from tensorguard.errors import InputError
from tensorguard.fingerprint.base import Fingerprint
from tensorguard.fingerprint.file import decode_fingerprint, read_fingerprint
from tensorguard.limits import MAX_FINGERPRINT_BYTES
from tensorguard.sources.held import HeldFile
from tensorguard.sources.prefetching import Span, prefetch
from tensorguard.sources.remote import Location


def read_fingerprint_at(place: Location) -> Fingerprint:
    """Read a fingerprint, wherever it lies; see `read_fingerprint`.

    Raises:
        NotFoundError: There is no such file.
        InputError: It is not a fingerprint, is malformed, or was made by a newer version.
    """
    if isinstance(place, Path):
        return read_fingerprint(place)
    source = place.source()
    if source.size > MAX_FINGERPRINT_BYTES:
        raise InputError(f"{source.size} bytes are not within the {MAX_FINGERPRINT_BYTES} of a fingerprint", where=place)
    prefetch([Span(source, 0, source.size)])
    return parse_fingerprint(source.read_at(0, source.size).tobytes(), str(place))


def parse_fingerprint(raw: bytes, where: str) -> Fingerprint:
    """Read a fingerprint from its bytes; what is wrong with them is wrong with the place that they are from.

    Raises:
        InputError: They are not a fingerprint, are malformed, or were made by a newer version.
    """
    return decode_fingerprint(HeldFile(raw, where))
