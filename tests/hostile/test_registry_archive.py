"""Hostile archives are refused as a whole, before anything is written: nothing in one decides where or how much is read or written."""

import contextlib
import gzip
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from support.archives import BLOCK, Change, added, in_memory, make_archive, prints, tampered, with_manifest
from tensorguard.api.registry import import_archive
from tensorguard.errors import InputError
from tensorguard.fingerprint.file import encode_fingerprint
from tensorguard.registry.archive import read_archive


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_archive(tmp_path_factory.mktemp("archive"))


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], str]:
    """Import an archive, which must fail and leave no trace anywhere; returns why it failed."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)

    def refuse(path: Path) -> str:
        with pytest.raises(InputError) as caught:
            list(import_archive(tmp_path / "registry", path))
        assert list(work.iterdir()) == []
        assert not (tmp_path / "registry").exists()
        assert caught.value.where == str(path)
        assert str(caught.value).isprintable()
        return caught.value.message

    return refuse


def inserted(name: str, kind: bytes = tarfile.REGTYPE, raw: bytes = b"", link: str = "", at: int = 1) -> Change:
    def change(members: list[tarfile.TarInfo], contents: dict[str, bytes]) -> None:
        info, body = added(name, kind, raw, link)
        members.insert(at, info)
        contents.setdefault(name, body)

    return change


def renamed(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> Change:
    """The first fingerprint's header becomes another, and its bytes stay."""

    def change(members: list[tarfile.TarInfo], contents: dict[str, bytes]) -> None:
        contents[name] = contents.pop(members[1].name)
        members[1].name, members[1].type, members[1].linkname = name, kind, link

    return change


WAYS = {
    "absolute": ("/tmp/pwned", tarfile.REGTYPE, ""),
    "up": ("../pwned", tarfile.REGTYPE, ""),
    "deep up": ("fingerprints/../../pwned", tarfile.REGTYPE, ""),
    "another name": ("fingerprints/pwned.tgfp", tarfile.REGTYPE, ""),
    "backslashes": ("..\\pwned", tarfile.REGTYPE, ""),
    "symbolic link": ("fingerprints/pwned", tarfile.SYMTYPE, "/etc/passwd"),
    "hard link": ("fingerprints/pwned", tarfile.LNKTYPE, "manifest.json"),
    "character device": ("fingerprints/pwned", tarfile.CHRTYPE, ""),
    "block device": ("fingerprints/pwned", tarfile.BLKTYPE, ""),
    "pipe": ("fingerprints/pwned", tarfile.FIFOTYPE, ""),
    "folder": ("fingerprints/pwned/", tarfile.DIRTYPE, ""),
    "sparse": ("fingerprints/pwned", tarfile.GNUTYPE_SPARSE, ""),
    "long name": ("fingerprints/pwned", tarfile.GNUTYPE_LONGNAME, ""),
    "pax header": ("fingerprints/pwned", tarfile.XHDTYPE, ""),
    "global pax header": ("pax_global_header", tarfile.XGLTYPE, ""),
    "control characters": ("fingerprints/\x1b[2J\n", tarfile.REGTYPE, ""),
}


@pytest.mark.parametrize("way", WAYS)
def test_an_entry_that_is_none_of_the_manifest(archive: Path, refused: Callable[[Path], str], way: str) -> None:
    name, kind, link = WAYS[way]
    assert refused(tampered(archive, renamed(name, kind, link))).startswith("it holds a ")
    assert refused(tampered(archive, inserted(name, kind, link=link))).startswith("it has ")
    assert refused(tampered(archive, inserted(name, kind, link=link, at=3))).startswith("it has ")
    assert "manifest.json should be" in refused(tampered(archive, inserted(name, kind, link=link, at=0)))


def test_the_message_says_what_is_wrong(archive: Path, refused: Callable[[Path], str]) -> None:
    assert "file '../pwned' that leads out of it" in refused(tampered(archive, renamed("../pwned")))
    assert "file '/pwned' that leads out of it" in refused(tampered(archive, renamed("/pwned")))
    assert "a link 'pwned'" in refused(tampered(archive, renamed("pwned", tarfile.SYMTYPE, "/etc/passwd")))
    assert "a device 'pwned'" in refused(tampered(archive, renamed("pwned", tarfile.BLKTYPE)))


def swapped(members: list[tarfile.TarInfo], _: dict[str, bytes]) -> None:
    members[1], members[2] = members[2], members[1]


def twice(members: list[tarfile.TarInfo], _: dict[str, bytes]) -> None:
    members.append(members[1])


def without_one(members: list[tarfile.TarInfo], _: dict[str, bytes]) -> None:
    members.pop()


def manifest_last(members: list[tarfile.TarInfo], _: dict[str, bytes]) -> None:
    members.append(members.pop(0))


def exchanged(members: list[tarfile.TarInfo], contents: dict[str, bytes]) -> None:
    one, other = (info.name for info in members[1:])
    contents[one] = contents[other]


def executable(members: list[tarfile.TarInfo], _: dict[str, bytes]) -> None:
    members[1].mode = 0o4777


@pytest.mark.parametrize(
    "change", [swapped, twice, without_one, manifest_last, exchanged, executable], ids=lambda f: f.__name__
)
def test_files_in_other_places_or_with_other_contents(archive: Path, refused: Callable[[Path], str], change: Change) -> None:
    refused(tampered(archive, change))


def test_headers_of_other_kinds_of_tar(archive: Path, refused: Callable[[Path], str]) -> None:
    refused(tampered(archive, lambda *_: None, tarfile.GNU_FORMAT))
    (archive.parent / "plain.tar").write_bytes(in_memory({"manifest.json": b"{}"}))
    refused(archive.parent / "plain.tar")


def test_lengths_that_the_file_does_not_have(archive: Path, refused: Callable[[Path], str]) -> None:
    raw = archive.read_bytes()
    for damaged in (raw[:-1], raw[: len(raw) // 2], raw[:BLOCK], raw + b"\0", raw + raw, raw[: -2 * BLOCK]):
        path = archive.with_name("cut.tar")
        path.write_bytes(damaged)
        refused(path)
    for size in (64_000_001, 8**11 - 1, 0):
        info = tarfile.TarInfo("manifest.json")
        info.size = size
        path.write_bytes(info.tobuf(tarfile.USTAR_FORMAT) + raw[BLOCK:])
        refused(path)
    info.size = -1
    path.write_bytes(info.tobuf(tarfile.GNU_FORMAT) + raw[BLOCK:])
    refused(path)


def test_a_compressed_archive_is_not_unfolded(archive: Path, refused: Callable[[Path], str]) -> None:
    path = archive.with_name("bomb.tar.gz")
    path.write_bytes(gzip.compress(bytes(50_000_000)))
    assert refused(path) == "not an archive of a registry"


def a_digest(document: dict) -> str:  # type: ignore[type-arg]
    return next(iter(document["bytes"]))


def set_bytes(value: object) -> Callable[[dict], None]:  # type: ignore[type-arg]
    return lambda document: document["bytes"].update({a_digest(document): value})


def set_entry(**values: object) -> Callable[[dict], None]:  # type: ignore[type-arg]
    return lambda document: document["entries"][0].update(values)


def set_digest(digest: str) -> Callable[[dict], None]:  # type: ignore[type-arg]
    def change(document: dict) -> None:  # type: ignore[type-arg]
        old = document["entries"][0]["fingerprint"]
        document["entries"][0]["fingerprint"] = digest
        document["bytes"][digest] = document["bytes"].pop(old)

    return change


MANIFESTS: dict[str, tuple[Callable[[dict], object], str]] = {  # type: ignore[type-arg]
    "another schema": (lambda d: d.update(schema="tensorguard/registry-archive/2"), "its schema is"),
    "an unknown field": (lambda d: d.update(extra=1), "more than its schema allows"),
    "an unknown field of an entry": (set_entry(extra=1), "more than its schema allows"),
    "an unknown fact": (lambda d: d["entries"][0]["facts"].update(extra="x"), "more than its schema allows"),
    "no entries": (lambda d: d.pop("entries"), "malformed"),
    "entries of another type": (lambda d: d.update(entries={}), "malformed"),
    "a name of another type": (set_entry(name=7), "malformed"),
    "an origin that there is not": (set_entry(origin="stolen"), "malformed"),
    "no name": (set_entry(name=""), "without a name"),
    "an endless name": (set_entry(name="n" * 1001), "more than 1000 characters"),
    "an endless fact": (lambda d: d["entries"][0]["facts"].update(family="n" * 1001), "more than 1000 characters"),
    "endless parents": (lambda d: d["entries"][0]["facts"].update(parents=["p"] * 1001), "more than 1000 characters"),
    "an entry twice": (lambda d: d["entries"].append(d["entries"][0]), "twice"),
    "a file that no entry names": (lambda d: d["bytes"].update({"f" * 64: 1}), "other files"),
    "an entry without its file": (lambda d: d["bytes"].pop(a_digest(d)), "other files"),
    "a digest that is a path": (set_digest("../../pwned"), "no digest"),
    "a digest in capitals": (set_digest("F" * 64), "no digest"),
    "another digest": (set_digest("f" * 64), "should be"),
    "another length": (set_bytes(7), "calls for"),
    "no length": (set_bytes(0), "is not within"),
    "a negative length": (set_bytes(-512), "is not within"),
    "a length that is no number": (set_bytes("512"), "malformed"),
    "a bomb": (set_bytes(256_000_001), "is not within"),
    "a promise": (set_bytes(255_000_000), "calls for"),
    "another key": (set_entry(key="0" * 16), "contradicts"),
    "another source": (set_entry(source_digest="0" * 32), "contradicts"),
    "another specification": (set_entry(specification="x"), "contradicts"),
}


@pytest.mark.parametrize("what", MANIFESTS)
def test_a_manifest_with(archive: Path, refused: Callable[[Path], str], what: str) -> None:
    change, message = MANIFESTS[what]
    assert message in refused(with_manifest(archive, change))


def test_a_file_that_is_no_fingerprint_although_all_digests_agree(
    archive: Path, refused: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    good = [encode_fingerprint(each) for each in prints()]
    for bad in (b"x", b"\x80\x04pickle", good[0][:-4], os.urandom(5000)):
        with monkeypatch.context() as patch:
            patch.setattr("tensorguard.registry.adding.encode_fingerprint", lambda _, bad=bad: bad)
            made = make_archive(tmp_path / f"{len(bad)}")
        assert refused(made).startswith("one of its fingerprints cannot be read")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_changed_byte_outside_the_manifest_is_noticed(archive: Path, tmp_path: Path, data: st.DataObject) -> None:
    raw = bytearray(archive.read_bytes())
    with tarfile.open(archive) as tar:
        size = tar.getmember("manifest.json").size
    place = data.draw(st.integers(0, len(raw) - 1).filter(lambda at: not BLOCK <= at < BLOCK + size))
    raw[place] ^= data.draw(st.integers(1, 255))
    path = tmp_path / "flipped.tar"
    path.write_bytes(raw)
    with pytest.raises(InputError):
        list(read_archive(path))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 3000), raw=st.binary(min_size=1, max_size=64))
@example(at=124, raw=b"77777777777\0")
@example(at=124, raw=b"\xff" * 12)
@example(at=0, raw=b"\0" * 64)
def test_whatever_the_manifest_and_its_header_become_there_is_one_kind_of_error(
    archive: Path, tmp_path: Path, at: int, raw: bytes
) -> None:
    whole = bytearray(archive.read_bytes())
    whole[at : at + len(raw)] = raw
    path = tmp_path / "scrawled.tar"
    path.write_bytes(whole)
    sound = [(entry.source_digest, entry.fingerprint) for entry, _ in read_archive(archive)]
    with contextlib.suppress(InputError):
        found = [(entry.source_digest, entry.fingerprint) for entry, _ in read_archive(path)]
        assert found == sound, "only facts are free"
