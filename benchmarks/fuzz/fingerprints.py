"""Parsers of what TensorGuard writes itself and takes from others: fingerprints, features, labels, catalogues, registries, archives."""

import gzip
import json
import sqlite3
import struct
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import blake3
import numpy as np

from benchmarks.fuzz import mutators, seeds  # noqa: F401 - seeds makes the tests' builders importable
from benchmarks.fuzz.containers import FOLDER
from benchmarks.fuzz.harness import Harness, joined, laid_out, parted

_ENTRY = "tensorguard"
_KNOWN = FOLDER.with_name("known")


@cache
def small() -> bytes:
    """Return a fingerprint with sketches of one block, as a file."""
    from support.known import known
    from tensorguard.fingerprint.file import encode_fingerprint

    return encode_fingerprint(known(1, tuning=0.2))


@cache
def _whole() -> Any:
    from support.known import known

    return known(1)


def _document(raw: bytes) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    """Return a fingerprint's document, the other entries of its header, and its data."""
    length = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + length])
    return json.loads(header.pop("__metadata__")[_ENTRY]), header, raw[8 + length :]


def _file(document: object, header: dict[str, Any], data: bytes) -> bytes:
    whole = {"__metadata__": {_ENTRY: json.dumps(document)}, **header}
    text = json.dumps(whole).encode("utf-8", "surrogatepass")
    return struct.pack("<Q", len(text)) + text + data


def changed(data: bytes, random: Random) -> bytes:
    """Change the document, or numbers among the sketches, or what a header says."""
    chance = random.random()
    if chance < 0.2:
        return mutators.safetensors(data, random)
    try:
        document, header, numbers = _document(data)
        if chance < 0.5:
            return _file(document, header, mutators.edges(numbers, random))
        for _ in range(random.choice((1, 1, 3))):
            document = mutators.json_value(document, random)
        return _file(document, header, numbers)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return mutators.plain(data, random)


def fingerprint(data: bytes) -> None:
    """Read a fingerprint; what is taken is written again as it was meant."""
    from tensorguard.fingerprint.file import encode_fingerprint, read_fingerprint

    folder = laid_out(FOLDER, joined({"a.tgfp": data}))
    encode_fingerprint(read_fingerprint(folder / "a.tgfp"))


def comparing(data: bytes) -> None:
    """Compare a fingerprint of somebody with a sound one, and make search vectors of it."""
    from tensorguard.api.lineage import relate
    from tensorguard.fingerprint.file import read_fingerprint
    from tensorguard.registry.vectors import search_vectors

    read = read_fingerprint(laid_out(FOLDER, joined({"a.tgfp": data})) / "a.tgfp")
    if read.sketches is not None:
        search_vectors(read.sketches)
    relate((replace(read, name="a"), _whole()))


def features(data: bytes) -> None:
    """Read the paper's numbers and standardise them."""
    from tensorguard.fingerprint.features import load_features, matrix

    numbers = matrix([load_features(laid_out(FOLDER, joined({"a_features.json": data})) / "a_features.json")])
    assert np.isfinite(numbers).all()


def _features() -> list[bytes]:
    from tensorguard.fingerprint.base import FEATURES

    return [json.dumps({**dict.fromkeys(FEATURES, 1), "model_name": "a"}).encode()]


def labels(data: bytes) -> None:
    """Read a labels file."""
    from tensorguard.family.labels import load_labels

    load_labels(laid_out(FOLDER, joined({"labels.json": data})) / "labels.json")


def table(data: bytes) -> None:
    """Read a catalogue of known models."""
    from tensorguard.registry.catalogue import read_catalogue

    for row in read_catalogue(laid_out(FOLDER, joined({"known.tsv": data})) / "known.tsv"):
        repr(row.facts)


def _tables() -> list[bytes]:
    import tensorguard

    whole = (Path(tensorguard.__file__).parent / "registry" / "data" / "catalogue.tsv").read_bytes()
    return [b"\n".join(whole.split(b"\n")[:20]), b"org/a\norg/b@main\nhttps://huggingface.co/org/c\n# no\n"]


def archive(data: bytes) -> None:
    """Read a registry's archive; of three parts it is put together so that digests, lengths and headers are right."""
    from tensorguard.registry.archive import read_archive

    parts = parted(data)
    raw = data if "manifest.json" not in parts else _archived(parts["manifest.json"], parts.get("a.tgfp", b""))
    list(read_archive(laid_out(FOLDER, joined({"known.tar": raw})) / "known.tar"))


def _changed_archive(data: bytes, random: Random) -> bytes:
    parts = parted(data)
    if "manifest.json" not in parts or random.random() < 0.1:
        return mutators.plain(data, random)
    parts["manifest.json"] = mutators.json_text(parts["manifest.json"], random)
    return joined(parts)


def _archived(manifest: bytes, print_: bytes) -> bytes:
    from support.archives import in_memory

    digest = blake3.blake3(print_).hexdigest()
    manifest = manifest.replace(b"DIGEST", digest.encode()).replace(b'"LENGTH"', str(len(print_)).encode())
    size = 4 * 512 + sum(-(-len(raw) // 512) * 512 for raw in (manifest, print_))
    return in_memory({"manifest.json": manifest, f"fingerprints/{digest}.tgfp": print_})[:size]


def _archives() -> Iterator[bytes]:
    from support.archives import in_memory
    from tensorguard.api.known import export
    from tensorguard.registry.entry import Facts
    from tensorguard.registry.registry import Registry

    with tempfile.TemporaryDirectory() as folder:
        with Registry(Path(folder) / "known", create=True) as made:
            made.add(_whole(), Facts("org/a", "abc", parents=("org/b",), licence="mit"), name="org/a")
            export(made, Path(folder) / "known.tar")
        with tarfile.open(Path(folder) / "known.tar") as tar:
            manifest, print_ = (tar.extractfile(each).read() for each in tar.getmembers())  # type: ignore[union-attr]
    digest = blake3.blake3(print_).hexdigest().encode()
    described = manifest.replace(digest, b"DIGEST").replace(str(len(print_)).encode(), b'"LENGTH"')
    yield joined({"manifest.json": described, "a.tgfp": print_})
    yield joined({"manifest.json": described, "a.tgfp": b"x"})
    yield in_memory({"manifest.json": manifest, "fingerprints/x": b"x"})[:4096]


def rows(data: bytes) -> None:
    """Put somebody's values into a registry's rows; list, find and search them."""
    from support.known import known
    from tensorguard.registry.entry import Facts
    from tensorguard.registry.registry import Registry

    if not _KNOWN.exists():
        with Registry(_KNOWN, create=True) as made:
            made.add(known(1), Facts("org/a", parents=("org/b",)), name="org/a")
    try:
        values = json.loads(data)
        assert isinstance(values, dict)
        with sqlite3.connect(next(_KNOWN.glob("*.sqlite*"))) as connection:
            for column in _COLUMNS:
                if column in values and isinstance(values[column], str | int | float | None):
                    connection.execute(f"UPDATE entry SET {column} = ?", (values[column],))
            if isinstance(values.get("vector"), str):
                connection.execute("UPDATE vector SET numbers = ?", (values["vector"].encode("utf-8", "surrogatepass"),))
        connection.close()
    except (ValueError, AssertionError, OverflowError, sqlite3.Error, RecursionError):
        return
    with Registry(_KNOWN) as opened:
        for each in opened.entries():
            repr(each)
            opened.children([each.name])
        opened.find("org/a")
        opened.search(_whole())
        list(opened.damage())


_COLUMNS = (
    "name",
    "key",
    "facts",
    "source_digest",
    "fingerprint",
    "specification",
    "origin",
    "verified",
    "added",
    "tool",
    "repository",
)


def _rows() -> list[bytes]:
    facts = json.dumps({"repository": "org/a", "revision": "", "parents": ["org/b"], "licence": "mit"})
    return [
        json.dumps(
            {"name": "org/a", "facts": facts, "verified": 1, "vector": "abcd", "key": "public", "fingerprint": "00"}
        ).encode()
    ]


def changes(data: bytes) -> None:
    """Read an object of changes to a shared registry; name and packing are made right."""
    from tensorguard.registry.changes import packed, unpacked

    raw = gzip.compress(data, 1, mtime=0)
    list(packed(unpacked(f"{1 << 61:016x}-{blake3.blake3(raw).hexdigest(length=16)}.json.gz", raw)))


def _changes() -> Iterator[bytes]:
    from tensorguard.registry.changes import added, packed, removed
    from tensorguard.registry.entry import Entry, Facts
    from tensorguard.registry.rows import Row

    entry = Entry(
        "org/a", "public", Facts("org/a", parents=("org/b",)), "", "0" * 64, "s", "made", True, "2024-01-01T00:00:00Z", "t"
    )
    row = Row(entry, {"linear": np.ones(4, np.float16)}, (1, -2), "layout")
    for each in ([added(5, row)], [added(5, row), removed(6, "org/c", "public")]):
        yield from (gzip.decompress(raw) for _, raw in packed(each))


HARNESSES = (
    Harness("changes", changes, _changes, mutators.json_text, 4096, 1.0, "registry.changes"),
    Harness("features", features, _features, mutators.json_text, 2048, modules="fingerprint.features"),
    Harness(
        "labels",
        labels,
        lambda: [b'{"bases": ["a", "b"], "labels": {"c": "a"}}'],
        mutators.json_text,
        2048,
        0.5,
        "family.labels",
    ),
    Harness("catalogue", table, _tables, mutators.lines, 4096, modules="registry.catalogue"),
    Harness("archive", archive, _archives, _changed_archive, 120_000, 0.05, "registry.archive"),
    Harness("tgfp", fingerprint, lambda: [small()], changed, 120_000, 0.05, "fingerprint.file"),
    Harness("rows", rows, _rows, mutators.json_text, 2048, 0.01, "registry.registry"),
    Harness("compare", comparing, lambda: [small()], changed, 120_000, 0.004, "api.lineage registry.vectors"),
)
