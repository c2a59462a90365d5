"""A registry in object storage into which somebody put what does not belong there, and writers that are killed."""

import gzip
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import blake3
import msgspec
import pytest

from support.known import known
from support.shared import in_folder, in_memory, opened, row, said
from tensorguard.errors import InputError, NotFoundError, TensorGuardError
from tensorguard.limits import MAX_CHANGES_BYTES
from tensorguard.registry import changes, mirror
from tensorguard.registry.changes import SCHEMA, added, packed
from tensorguard.registry.entry import Facts
from tensorguard.registry.objects import MARKER, Shared

(NAME, RAW) = next(packed([added(7, row("good"))]))
DOCUMENT = msgspec.json.decode(gzip.decompress(RAW))


def named(raw: bytes, time: int = 9) -> tuple[str, bytes]:
    """An object of these bytes as its maker would name it."""
    return f"{time:016x}-{blake3.blake3(raw).hexdigest(length=16)}.json.gz", raw


def saying(**changes: Any) -> tuple[str, bytes]:
    """An object whose one change says something else."""
    change = DOCUMENT["changes"][0]
    facts = {**change["entry"]["facts"], **changes.pop("facts", {})}
    entry = {**change["entry"], "facts": facts, **changes.pop("entry", {})}
    return named(gzip.compress(msgspec.json.encode({**DOCUMENT, "changes": [{**change, "entry": entry, **changes}]})))


BAD = {
    "truncated": (NAME, RAW[:-20]),
    "empty": named(b""),
    "other bytes under its name": (NAME, gzip.compress(b"{}")),
    "no gzip": named(b"not packed at all"),
    "half a gzip": named(RAW[:-20]),
    "no JSON": named(gzip.compress(b"\xff{")),
    "deep": named(gzip.compress(b'{"schema":' + b"[" * 100_000)),
    "unfolds without end": named(gzip.compress(bytes(MAX_CHANGES_BYTES + 10), 1)),
    "a newer schema": named(gzip.compress(msgspec.json.encode({**DOCUMENT, "schema": f"{SCHEMA[:-1]}2"}))),
    "no name of an object": ("../../registry.json", RAW),
    "a change later than its name": saying(time=10),
    "a time in the far future": saying(time=2**62),
    "another name than its entry's": saying(name="other"),
    "no name": saying(name="", entry={"name": ""}),
    "an endless name": saying(name="x" * 5_000, entry={"name": "x" * 5_000}),
    "an endless fact": saying(facts={"licence": "x" * 5_000}),
    "a digest that leads out": saying(entry={"fingerprint": "../../../etc/passwd"}),
    "a layout that is not there": saying(layout=3),
    "half a number": saying(vectors={"fixed": "AAAA"}),
    "no finite vector": saying(vectors={"fixed": "AHwAfA=="}),
    "too many vectors": saying(vectors={str(n): "ADwAPA==" for n in range(50)}),
    "a huge digest": saying(digests=[2**70]),
    "another type": saying(digests="everything"),
}


@pytest.mark.parametrize("what", BAD)
def test_an_object_that_cannot_be_read_is_left_out_and_named(what: str, tmp_path: Path) -> None:
    objects = in_memory()
    with opened(objects, tmp_path / "first") as registry:
        registry.insert([row("sound")])
    name, raw = BAD[what]
    hostile = name if "/" not in name else name.replace("/", "-").replace("..", "--")
    objects.put(f"log/{hostile}", raw)
    with opened(objects, tmp_path / "second") as registry:
        assert [entry.name for entry in registry.entries()] == ["sound"]
        assert len(registry.notices) == 1
        assert f"log/{hostile}" in registry.notices[0]
        assert [error.message for place, error in registry.damage() if not place] == [registry.notices[0].split("; it was")[0]]
        registry.insert([row(f"more-{n}") for n in range(3)])
        registry.compact()  # leaves alone what it cannot read
    assert hostile in Shared(objects).log()
    with opened(objects, tmp_path / "second") as registry:
        assert len(registry.notices) == 1  # it is not read again, and said again
        assert len(list(registry.entries())) == 4


def test_what_a_newer_version_put_there_is_read_once_this_one_is_as_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = in_memory()
    with opened(objects, tmp_path / "mirror") as registry:
        registry.insert([row("sound")])
    name, raw = BAD["a newer schema"]
    objects.put(f"log/{name}", raw)
    with opened(objects, tmp_path / "mirror") as registry:
        assert len(registry.notices) == 1
    monkeypatch.setattr(changes, "SCHEMA", f"{SCHEMA[:-1]}2")
    monkeypatch.setattr(mirror, "__version__", "a later one")
    with opened(objects, tmp_path / "mirror") as registry:
        assert registry.notices == ()
        assert [entry.name for entry in registry.entries()] == ["good", "sound"]


@pytest.mark.parametrize(
    ("raw", "error"), [(b"", InputError), (b'{"schema": "x", "identity": "y"}', InputError), (b"[1]", InputError)]
)
def test_something_else_is_no_registry(raw: bytes, error: type[TensorGuardError], tmp_path: Path) -> None:
    objects = in_memory()
    with pytest.raises(NotFoundError, match="there is no registry"):
        opened(objects, tmp_path / "mirror", create=False)
    objects.put(MARKER, raw)
    for create in (False, True):
        with pytest.raises(error):
            opened(objects, tmp_path / "mirror", create=create)
    assert objects.get(MARKER, 100)[1] == raw


def test_a_mirror_that_is_deleted_or_damaged_or_of_another_registry_is_made_again(tmp_path: Path) -> None:
    objects, mirror = in_memory(), tmp_path / "mirror"
    with opened(objects, mirror) as registry:
        registry.add(known(1), Facts(family="one"))
        before = said(registry)
    for path in (mirror / "fingerprints").rglob("*.tgfp"):
        path.unlink()
    with opened(objects, mirror) as registry:
        assert registry.fingerprint(registry.entry("model-1")).name == "model-1"  # fetched
        stored = next((mirror / "fingerprints").rglob("*.tgfp"))
        stored.write_bytes(stored.read_bytes()[:-7])
        assert list(registry.damage()) == []  # fetched again
    (mirror / "registry.sqlite").write_bytes(b"SQLite format 3\x00" + bytes(5_000))
    with opened(objects, mirror) as registry:
        assert said(registry) == before
    with opened(in_memory(), mirror) as registry:
        assert said(registry) == {}
    objects.put(f"prints/{stored.name[:2]}/{stored.name}", b"something else")
    with opened(objects, mirror) as registry:
        with pytest.raises(InputError, match="not the fingerprint that was stored"):
            registry.fingerprint(registry.entry("model-1"))
        assert [name for name, _ in registry.damage()] == ["model-1"]


def test_prints_that_nothing_names_go_after_a_day_and_others_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    objects = in_memory()
    with opened(objects, tmp_path / "mirror") as registry:
        kept = registry.add(known(1), Facts())
        registry._shared.add_prints({"ab" * 32: b"left behind"})
        assert registry.sweep() == 0
        monkeypatch.setattr("tensorguard.registry.objects._DAY", -1)
        assert registry.sweep() == 1
        assert registry.remove("model-1") == 1
        assert registry.compact().files >= 1
        registry.add(known(1), Facts())
    listed = [each.path for each in objects.list("prints")]
    assert listed == [f"{kept.fingerprint[:2]}/{kept.fingerprint}.tgfp"]


def test_a_change_that_comes_while_others_are_put_together_is_kept(tmp_path: Path) -> None:
    objects = in_memory()
    with opened(objects, tmp_path / "one") as one, opened(objects, tmp_path / "other") as other:
        for number in range(5):
            one.insert([row(f"m{number}")])
        put = one._shared.add_changes
        one._shared.add_changes = lambda packs: (other.insert([row("meanwhile")]), other._pack(), put(packs))[-1]  # type: ignore[method-assign]
        one._pack()
        one._shared.add_changes = put  # type: ignore[method-assign]
        assert {name for name, _ in said(one)} == {"meanwhile", *(f"m{n}" for n in range(5))}
        assert said(one) == said(other)
        one._pack()
        assert len(one._shared.log()) == 1
        assert said(one) == said(opened(objects, tmp_path / "fresh")) == said(other)


WRITER = """
import sys
from pathlib import Path
from support.shared import in_folder, opened, row
from tensorguard.registry.entry import Facts
from support.known import known
storage, mirror, who = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
registry = opened(in_folder(storage), mirror)
model = known(int(who))
for n in range(10_000):
    registry.add(model, Facts(family=str(n)), name=f"{who}-{n % 7}")
    if n % 5 == 4:
        registry._pack()
    print(n, flush=True)
"""


def test_writers_that_are_killed_lose_nothing_that_they_said_was_done(tmp_path: Path) -> None:
    """Two writers at once, each killed -9 somewhere; the storage stays whole, and every mirror agrees."""
    paths = os.pathsep.join(str(Path(__file__).parents[at]) for at in (1, 2))
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path / "storage"), str(tmp_path / f"mirror-{who}"), str(who)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": paths},
            text=True,
        )
        for who in (1, 2)
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "0\n"
    time.sleep(random.uniform(0.05, 0.4))
    done = {}
    for who, writer in zip((1, 2), writers, strict=True):
        writer.send_signal(signal.SIGKILL)
        done[who] = max(int(line) for line in ["0", *writer.communicate()[0].split()])
    with opened(in_folder(tmp_path / "storage"), tmp_path / "fresh") as registry:
        assert list(registry.damage()) == []
        assert registry.notices == ()
        for who, last in done.items():
            assert int(registry.entry(f"{who}-{last % 7}").facts.family) in (last, last + 7)
        state = said(registry)
    for who in (1, 2):
        with opened(in_folder(tmp_path / "storage"), tmp_path / f"mirror-{who}") as registry:
            assert said(registry) == state
