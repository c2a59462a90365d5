import io
import json
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path

import blake3
import pytest

from support.archives import FACTS, make_archive, make_registry, prints
from support.commands import check
from tensorguard.api.known import export
from tensorguard.api.registry import import_archive
from tensorguard.errors import InputError
from tensorguard.fingerprint.file import encode_fingerprint
from tensorguard.registry.archive import read_archive, write_archive
from tensorguard.registry.difference import Change, difference
from tensorguard.registry.entry import Entry, Facts
from tensorguard.registry.registry import Registry


def test_what_goes_in_comes_out(tmp_path: Path) -> None:
    archive = make_archive(tmp_path)
    found = {entry.name: (entry, fingerprint) for entry, fingerprint in read_archive(archive)}
    with Registry(tmp_path / "source") as registry:
        assert [entry for entry, _ in map(found.get, ("one", "two"))] == list(registry.entries())
    for made in prints():
        assert encode_fingerprint(found[made.name][1]) == encode_fingerprint(made)
    assert found["one"][0].facts == FACTS


def test_the_same_entries_give_the_same_bytes_in_whatever_order(tmp_path: Path) -> None:
    archive = make_archive(tmp_path)
    with Registry(tmp_path / "source") as registry:
        entries = list(registry.entries())
        files = {entry.fingerprint: registry.path(entry) for entry in entries}
        size = write_archive(tmp_path / "again.tar", entries[::-1], files)
    raw = archive.read_bytes()
    assert (tmp_path / "again.tar").read_bytes() == raw
    assert size == len(raw)


def test_other_tools_can_read_it_and_the_manifest_meets_its_schema(tmp_path: Path) -> None:
    archive = make_archive(tmp_path)
    with tarfile.open(archive) as tar:
        manifest = json.loads(tar.extractfile("manifest.json").read())  # type: ignore[union-attr]
        check(manifest)
        files = {name: tar.extractfile(name).read() for name in tar.getnames()[1:]}  # type: ignore[union-attr]
        assert {(info.mtime, info.uid, info.gid, info.uname, info.gname) for info in tar} == {(0, 0, 0, "", "")}
    digests = [blake3.blake3(raw).hexdigest() for raw in files.values()]
    assert list(files) == [f"fingerprints/{digest}.tgfp" for digest in sorted(digests)]
    assert manifest["bytes"] == dict(zip(digests, map(len, files.values()), strict=True))
    listed = subprocess.run(["tar", "tf", archive], capture_output=True, text=True, check=True)
    assert listed.stdout.split() == ["manifest.json", *files]
    assert listed.stderr == ""


def test_two_names_of_one_fingerprint_share_a_file(tmp_path: Path) -> None:
    with Registry(make_registry(tmp_path / "registry")) as registry:
        registry.add(prints()[0], Facts(), name="one again")
        written, _, _ = export(registry, tmp_path / "known.tar")
    assert [entry.name for entry in written] == ["one", "one again", "two"]
    assert sorted(entry.name for entry, _ in read_archive(tmp_path / "known.tar")) == ["one", "one again", "two"]
    with tarfile.open(tmp_path / "known.tar") as tar:
        assert len(tar.getnames()) == 3


def test_a_registry_without_entries(tmp_path: Path) -> None:
    with Registry(tmp_path / "registry", create=True) as registry:
        assert export(registry, tmp_path / "known.tar")[0] == []
    assert list(read_archive(tmp_path / "known.tar")) == []


def test_a_damaged_fingerprint_is_not_handed_on(tmp_path: Path) -> None:
    with Registry(make_registry(tmp_path / "registry")) as registry:
        file = registry.path(registry.entry("two"))
        file.write_bytes(file.read_bytes()[:-1] + b"x")
        with pytest.raises(InputError, match="not the fingerprint that was stored"):
            export(registry, tmp_path / "known.tar")
        assert not list(tmp_path.glob("*known*"))
        assert len(export(registry, tmp_path / "known.tar", ["one"])[0]) == 1


def test_what_is_no_archive_is_said_to_be_none(tmp_path: Path) -> None:
    for name, raw in {"empty": b"", "short": b"x" * 100, "zeros": bytes(10240), "text": b"name\n" * 500}.items():
        (tmp_path / name).write_bytes(raw)
        with pytest.raises(InputError, match="not an archive of a registry"):
            list(read_archive(tmp_path / name))


def test_an_archive_that_was_packed_by_hand_is_refused_by_what_is_in_it(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "hand.tar", "w") as tar:
        tar.addfile(tarfile.TarInfo("notes.txt"), io.BytesIO())
    with pytest.raises(InputError, match=r"manifest"):
        list(read_archive(tmp_path / "hand.tar"))


ENTRY = Entry("a", "public", FACTS, "0" * 32, "1" * 64, "spec")


def test_registries_differ_by_entries_facts_and_fingerprints() -> None:
    other_facts = replace(ENTRY, facts=replace(FACTS, licence="mit", parents=("x", "y")))
    found = difference([ENTRY, replace(ENTRY, name="b")], [other_facts, replace(ENTRY, name="c")])
    assert [entry.name for entry in found.only_first] == ["b"]
    assert [entry.name for entry in found.only_second] == ["c"]
    assert found.changed == (Change("a", "public", (("licence", "apache-2.0", "mit"), ("parents", "org/base", "x, y"))),)
    assert found.same == 0


def test_the_same_name_under_another_key_is_another_entry() -> None:
    found = difference([ENTRY], [replace(ENTRY, key="0" * 16)])
    assert (len(found.only_first), len(found.only_second), found.changed) == (1, 1, ())


@pytest.mark.parametrize("field", ["source_digest", "fingerprint", "specification"])
def test_other_fingerprints_are_changes(field: str) -> None:
    (change,) = difference([ENTRY], [replace(ENTRY, **{field: "z"})]).changed
    assert change.changed == ((field, getattr(ENTRY, field), "z"),)


def test_whose_word_it_is_and_when_it_was_added_are_no_changes() -> None:
    other = replace(ENTRY, origin="imported", verified=False, added="later", tool="9")
    assert difference([ENTRY], [other]).same == 1


def test_what_is_too_much_for_one_archive_goes_into_several(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Registry(tmp_path / "registry", create=True) as registry:
        for number in range(9):
            registry.add(prints()[0], Facts(parents=("a",) * 50, publisher="p" * 300), name=f"one {number}")
        monkeypatch.setattr("tensorguard.registry.archive.MAX_JSON_BYTES", 5_000)
        written, _, sizes = export(registry, tmp_path / "known.tar")
    assert [path.name for path in sizes] == ["known.tar", "known-2.tar", "known-3.tar"]
    assert {path: path.stat().st_size for path in sizes} == sizes
    found = [sorted(entry.name for entry, _ in read_archive(path)) for path in sizes]
    assert [name for part in found for name in part] == [entry.name for entry in written] == [f"one {at}" for at in range(9)]
    for path in sizes:
        assert {each.status for each in import_archive(tmp_path / "theirs", path)} == {"added"}
    with Registry(tmp_path / "theirs") as registry:
        assert [entry.name for entry in registry.entries()] == [entry.name for entry in written]
        assert {registry.fingerprint(entry).name for entry in registry.entries()} == {prints()[0].name}


def test_claims_of_many_transactions_are_all_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Registry(tmp_path / "registry", create=True) as registry:
        for number in range(5):
            registry.add(prints()[number % 2], Facts(), name=f"model {number}")
        export(registry, tmp_path / "known.tar")
    monkeypatch.setattr("tensorguard.api.claiming._AT_ONCE", 2)
    with Registry(tmp_path / "theirs", create=True) as theirs:
        theirs.add(prints()[1], Facts(), name="model 0")
        theirs.add(prints()[1], Facts(), name="model 1")
    told = {each.given: each.status for each in import_archive(tmp_path / "theirs", tmp_path / "known.tar")}
    assert told == {"model 0": "failed", "model 1": "there already"} | dict.fromkeys(("model 2", "model 3", "model 4"), "added")
    again = {each.given: each.status for each in import_archive(tmp_path / "theirs", tmp_path / "known.tar")}
    assert again == told | dict.fromkeys(("model 2", "model 3", "model 4"), "there already")
