"""A registry's fingerprints in one file: a plain tar archive of which every byte but the manifest's is known beforehand.

`manifest.json` comes first and says everything of the entries; then come their files, `fingerprints/DIGEST.tgfp`, in the order of their
digests, with fixed times and owners (POSIX.1-1988 ustar). Reading follows no name in the archive and no length that the file does not
have: every header must be, to the byte, the one that the manifest calls for, so there is no place for a link, a device, a path that
leads out, a second file of one name or one too many. It is not compressed (sketches would save a third), so nothing in it can unfold.
"""

import contextlib
import re
import tarfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import NoReturn

import blake3
import msgspec

from tensorguard.errors import InputError, TensorGuardError, UsageError, quote
from tensorguard.fingerprint.base import Fingerprint
from tensorguard.fingerprint.file import SUFFIX, decode_fingerprint
from tensorguard.formats.atomic import replacing
from tensorguard.formats.json_text import parse_object
from tensorguard.limits import MAX_FACT_CHARACTERS, MAX_FINGERPRINT_BYTES, MAX_JSON_BYTES
from tensorguard.progress import Progress, Silent
from tensorguard.registry.entry import Entry
from tensorguard.registry.vectors import source_digest
from tensorguard.sources.held import HeldFile
from tensorguard.sources.local import LocalFile
from tensorguard.version import __version__

SCHEMA = "tensorguard/registry-archive/1"
MANIFEST = "manifest.json"
_FOLDER = "fingerprints"
_BLOCK = tarfile.BLOCKSIZE
_END = bytes(2 * _BLOCK)
_LISTED = 200
"""More bytes than a manifest takes for an entry beside what it says of it."""
_DIGEST = re.compile("[0-9a-f]{64}")
_HINT = "make one with: tensorguard registry export"


class _Tool(msgspec.Struct, frozen=True):
    name: str
    version: str


class _Manifest(msgspec.Struct, frozen=True):
    """What `manifest.json` holds; see `schema/registry-archive-1.json`."""

    schema: str
    tool: _Tool
    entries: list[Entry]
    bytes: dict[str, int]


def write_archive(path: Path, entries: Iterable[Entry], files: Mapping[str, Path], progress: Progress | None = None) -> int:
    """Write an archive, whole or not at all; the same entries give the same bytes.

    Args:
        path: Where to.
        entries: What to write, in any order.
        files: The file of each entry, by its `fingerprint`.
        progress: Hears how far it is.

    Returns:
        How many bytes it has.

    Raises:
        UsageError: There are more entries than an archive can say something of.
        InputError: A file is missing, or is not the one that its entry names.
        ResourceError: It cannot be written.
    """
    listed = sorted(entries, key=lambda entry: (entry.name, entry.key))
    sources = {digest: LocalFile(files[digest]) for digest in sorted({entry.fingerprint for entry in listed})}
    sizes = {digest: source.size for digest, source in sources.items()}
    manifest = _Manifest(SCHEMA, _Tool("tensorguard", __version__), listed, sizes)
    text = msgspec.json.format(msgspec.json.encode(manifest, order="sorted"), indent=1)
    if len(text) > MAX_JSON_BYTES:
        raise UsageError(
            f"{len(listed)} entries are too many for one archive", hint="name those to export, in several archives"
        )
    with replacing(path) as archive, _told(progress or Silent(), sum(sizes.values())) as written:
        archive.write(_header(MANIFEST, len(text)) + text + _padding(len(text)))
        for digest, source in sources.items():
            raw = source.read_at(0, source.size).tobytes()
            if blake3.blake3(raw).hexdigest() != digest:
                hint = "see what else is damaged: tensorguard registry verify"
                raise InputError("is not the fingerprint that was stored", where=source.name, hint=hint)
            archive.write(_header(_name(digest), len(raw)) + raw + _padding(len(raw)))
            source.close()
            written(len(raw))
        archive.write(_END)
        return archive.tell()


def parts(entries: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    """Yield entries in as many parts as it takes for each to fit into one archive; one, empty, if there are none."""
    start, size = 0, 0
    for at, entry in enumerate(entries):
        text = msgspec.json.format(msgspec.json.encode(entry), indent=1)
        own = len(text) + 2 * text.count(b"\n") + _LISTED
        size += own
        if size > MAX_JSON_BYTES:
            yield entries[start:at]
            start, size = at, own
    yield entries[start:]


@contextlib.contextmanager
def _told(progress: Progress, size: int) -> Iterator[Callable[[int], None]]:
    progress.start("archive", size, "bytes")
    try:
        yield lambda amount: progress.advance("archive", amount)
    finally:
        progress.finish("archive")


def read_archive(path: Path) -> Iterator[tuple[Entry, Fingerprint]]:
    """Yield an archive's entries with their fingerprints, one at a time; who wants all or nothing goes through it twice.

    Raises:
        NotFoundError: There is no such file.
        InputError: It is no archive, or anything in it is not what its manifest says, or breaks a limit.
    """
    source, manifest, offset = _open(path)
    named: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in manifest.entries:
        named[entry.fingerprint].append(entry)
    for digest, size in sorted(manifest.bytes.items()):
        name = _name(digest)
        offset = _require_header(source, offset, name, size)
        raw = source.read_at(offset, size).tobytes()
        if blake3.blake3(raw).hexdigest() != digest:
            _refuse(source, f"its file {name} is not the one that its manifest names")
        offset = _require(source, offset + size, _padding(size))
        fingerprint = _parsed(raw, path)
        for entry in named[digest]:
            _require_fit(entry, fingerprint, path)
            yield entry, fingerprint
    _require(source, offset, _END)


def _open(path: Path) -> tuple[LocalFile, _Manifest, int]:
    """Return the archive, its manifest, and where the manifest ends."""
    source = LocalFile(path)
    size = _manifest_size(source)
    offset = _require_header(source, 0, MANIFEST, size)
    document = parse_object(source.read_at(offset, size).tobytes(), "its manifest", source.name)
    try:
        manifest = msgspec.convert(document, _Manifest)
    except msgspec.ValidationError as error:
        raise InputError(f"its manifest is malformed ({quote(error)})", where=path, hint=_HINT) from error
    if manifest.schema != SCHEMA:
        _refuse(source, f"its schema is {quote(manifest.schema)}, not {quote(SCHEMA)}")
    if msgspec.json.decode(msgspec.json.encode(manifest)) != document:
        _refuse(source, "its manifest says more than its schema allows")
    _require_sane(manifest, source)
    offset = _require(source, offset + size, _padding(size))
    end = offset + sum(_BLOCK + size + len(_padding(size)) for size in manifest.bytes.values()) + len(_END)
    if end != source.size:
        _refuse(source, f"it has {source.size} bytes, its manifest calls for {end}")
    return source, manifest, offset


def _manifest_size(source: LocalFile) -> int:
    if source.size < _BLOCK:
        _refuse(source, "not an archive of a registry")
    try:
        found = tarfile.TarInfo.frombuf(source.read_at(0, _BLOCK).tobytes(), "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        _refuse(source, "not an archive of a registry")
    if found.name != MANIFEST:
        _refuse(source, f"{_described(source, 0)} where {MANIFEST} should be")
    if not 0 < found.size <= MAX_JSON_BYTES:
        _refuse(source, f"a manifest of {found.size} bytes is not within the {MAX_JSON_BYTES} allowed")
    return found.size


def _require_sane(manifest: _Manifest, source: LocalFile) -> None:
    if set(manifest.bytes) != {entry.fingerprint for entry in manifest.entries}:
        _refuse(source, "its manifest lists other files than its entries name")
    if len({(entry.name, entry.key) for entry in manifest.entries}) != len(manifest.entries):
        _refuse(source, "its manifest names an entry twice")
    for digest, size in manifest.bytes.items():
        if not _DIGEST.fullmatch(digest):
            _refuse(source, f"its manifest names a file by {quote(digest)}, which is no digest")
        if not 0 < size <= MAX_FINGERPRINT_BYTES:
            _refuse(source, f"a fingerprint of {size} bytes is not within the {MAX_FINGERPRINT_BYTES} allowed")
    for entry in manifest.entries:
        said = [getattr(part, field.name) for part in (entry, entry.facts) for field in fields(part)]
        texts = [*entry.facts.parents, *(text for text in said if isinstance(text, str))]
        if not entry.name or len(texts) > MAX_FACT_CHARACTERS or max(map(len, texts)) > MAX_FACT_CHARACTERS:
            _refuse(
                source, f"its manifest has an entry without a name, or a text of more than {MAX_FACT_CHARACTERS} characters"
            )


def _require_fit(entry: Entry, found: Fingerprint, path: Path) -> None:
    """Refuse a manifest that says of a fingerprint what it is not."""
    key = found.sketches.key if found.sketches else ""
    if (entry.key, entry.specification, entry.source_digest) != (key, found.specification, source_digest(found)):
        raise InputError(f"its manifest contradicts the fingerprint of {quote(entry.name)}", where=path, hint=_HINT)


def _require_header(source: LocalFile, offset: int, name: str, size: int) -> int:
    """Return where the file of this header begins, or say what stands there instead."""
    expected = _header(name, size)
    if offset + _BLOCK > source.size or source.read_at(offset, _BLOCK).tobytes() != expected:
        _refuse(source, f"{_described(source, offset)} where {name} should be")
    return offset + _BLOCK


def _described(source: LocalFile, offset: int) -> str:
    try:
        found = tarfile.TarInfo.frombuf(source.read_at(offset, _BLOCK).tobytes(), "utf-8", "surrogateescape")
    except (tarfile.HeaderError, InputError):
        return "it holds no readable header"
    kinds = {"link": found.issym() or found.islnk(), "device": found.isdev(), "folder": found.isdir(), "file": found.isreg()}
    kind = next((kind for kind, is_it in kinds.items() if is_it), "special entry")
    way = " that leads out of it" if found.name.startswith("/") or ".." in found.name.split("/") else ""
    return f"it holds a {kind} {quote(found.name)}{way}"


def _require(source: LocalFile, offset: int, expected: bytes) -> int:
    if offset + len(expected) > source.size or source.read_at(offset, len(expected)).tobytes() != expected:
        _refuse(source, f"it holds something at byte {offset} where there should be nothing")
    return offset + len(expected)


def _refuse(source: LocalFile, reason: str) -> NoReturn:
    raise InputError(reason, where=source.name, hint=_HINT)


def _parsed(raw: bytes, path: Path) -> Fingerprint:
    """Read a fingerprint from its bytes; what is wrong with it is wrong with the archive."""
    try:
        return decode_fingerprint(HeldFile(raw, str(path)))
    except TensorGuardError as error:
        raise InputError(f"one of its fingerprints cannot be read: {error.message}", where=path, hint=_HINT) from error


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf(tarfile.USTAR_FORMAT)


def _padding(size: int) -> bytes:
    return bytes(-size % _BLOCK)


def _name(digest: str) -> str:
    return f"{_FOLDER}/{digest}{SUFFIX}"
