"""A registry in object storage, used through a mirror of it on this machine.

The mirror is a registry like any other (`registry.registry`), brought up to date when it is opened and while it is read, and may be deleted
any time. What is added or removed is put into the storage first, as new objects that nobody else's can be in the way of.
"""

import contextlib
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tensorguard.engines.batches import batches
from tensorguard.errors import InputError, NotFoundError, TensorGuardError, quote, utf8
from tensorguard.formats.atomic import make_folder
from tensorguard.progress import Progress
from tensorguard.registry import mirror, packing, rows
from tensorguard.registry.adding import Addition
from tensorguard.registry.changes import LATEST, Dated, added, packed, removed, time_of
from tensorguard.registry.compaction import Compacted
from tensorguard.registry.entry import Entry
from tensorguard.registry.objects import FetchedFiles, Shared, together
from tensorguard.registry.registry import Registry
from tensorguard.registry.rows import Row
from tensorguard.sources.object_errors import GONE

_ROUNDS = 10
_BATCH, _BATCH_BYTES = 512, 1 << 24
"""So many objects, or bytes of them, are fetched before what they say is kept."""


class SharedRegistry(Registry):
    """Known models that many machines add to; of two who say different things of one name, the later one holds."""

    _database: mirror.MirrorDatabase
    _files: FetchedFiles
    database_type = mirror.MirrorDatabase
    _clock = staticmethod(time.time_ns)

    def __init__(self, shared: Shared, folder: Path, *, create: bool = False) -> None:
        """Open a registry.

        Args:
            shared: Its objects.
            folder: The mirror's folder, made if it is not there.
            create: Make the registry if it is not there.

        Raises:
            NotFoundError: There is none and `create` is false, or it is not for this user to read, or out of reach.
            InputError: Something else is there, or a newer version's registry.
            ResourceError: The mirror cannot be written.
        """
        self._shared, self._wrote = shared, 0
        identity = shared.identity(create=create)
        make_folder(folder)
        folder.chmod(0o700)
        try:
            mine = self._opened(folder, identity)
        except InputError:
            mine = False
        if not mine:  # it is of another registry that was there before, or damaged: it holds nothing that the storage does not
            with contextlib.suppress(AttributeError):
                super().close()
            shutil.rmtree(folder, ignore_errors=True)
            make_folder(folder)
            folder.chmod(0o700)
            self._opened(folder, identity)
        self.where = shared.where
        self._files = FetchedFiles(folder / "fingerprints", shared.objects)
        self._database.catch_up = self._catch_up
        self._database.refresh(now=True)

    @property
    def notices(self) -> tuple[str, ...]:
        """See `Registry.notices`; also that the storage could not be asked of late."""
        return (*super().notices, *self._database.failures)

    def close(self) -> None:
        """Let go of the mirror; whoever has written leaves few objects of changes behind."""
        with contextlib.suppress(TensorGuardError):  # it is for those who come later, and anybody can do it
            if self._wrote and packing.is_due(self._seen()):
                self._pack()
        super().close()

    def add_all(self, additions: Sequence[Addition]) -> list[Entry]:
        """See `Registry.add_all`."""
        prints = {each.row.entry.fingerprint: each.raw for each in additions}
        self._shared.add_prints(prints)
        for digest, raw in prints.items():
            self._files.put(raw, digest)
        self._write([each.row for each in additions])
        return [each.row.entry for each in additions]

    def insert(self, many: Iterable[Row]) -> None:
        """See `Registry.insert`."""
        self._write(list(many))

    def remove(self, name: str, key: str | None = None) -> int:
        """See `Registry.remove`."""
        with self._database.reading() as connection:
            keys = [each for each in rows.keys(connection, utf8(name)) if key in (None, each)]
        self._write([], [(utf8(name), each) for each in keys])
        return len(keys)

    def path(self, entry: Entry) -> Path:
        """Return where an entry's `.tgfp` lies, fetched if it can be."""
        path = super().path(entry)
        if not path.exists():
            with contextlib.suppress(TensorGuardError):
                self._files.fetch(entry.fingerprint)
        return path

    def damage(self) -> Iterator[tuple[str, TensorGuardError]]:
        """See `Registry.damage`; also objects of changes that cannot be read."""
        self._database.refresh(now=True)
        yield from (
            ("", InputError(_fault(name, fault), where=self.where)) for name, (_, fault) in self._seen().items() if fault
        )
        yield from super().damage()

    def sweep(self) -> int:
        """Remove fingerprints that killed writers left behind, after a day; returns how many."""
        return super().sweep() + self._sweep_prints()[0]

    def compact(self, progress: Progress | None = None) -> Compacted:
        """Put changes together in few objects, remove fingerprints that nothing names, and compact the mirror.

        Others go on reading and writing meanwhile. Objects that cannot be read are left as they are.
        """
        self._pack()
        files, size = self._sweep_prints()
        done = super().compact(progress)
        return replace(done, files=done.files + files, file_bytes=done.file_bytes + size)

    def _opened(self, folder: Path, identity: str) -> bool:
        """Open the mirror; returns whether it is one of this registry."""
        super().__init__(folder, create=True)
        with self._database.writing() as connection:
            return mirror.prepare(connection, identity)

    def _write(self, put: Sequence[Row], gone: Sequence[tuple[str, str]] = ()) -> None:
        """Say that these rows are there now, and nothing is under these names and keys: to all, then here."""
        with self._database.reading() as connection:
            latest = max((time_of(name) or 0 for name in mirror.seen(connection)), default=0)
        now = max(self._clock(), latest + 1)  # who has seen a change is later than it, whatever the clocks say
        if now + len(put) >= LATEST:
            hint = "somebody put an object of that time there: see what `registry verify` says, and remove it"
            raise InputError("no change can be later than those that are there", where=self.where, hint=hint)
        changes = [added(now + at, row) for at, row in enumerate(put)]
        changes += [removed(now + len(put), *place) for place in gone]
        if changes:
            self._fold(changes, self._shared.add_changes(packed(changes)))
            self._wrote += 1

    def _catch_up(self) -> None:
        """Take over what was changed since the last time; what others remove while it is fetched, a newer object holds."""
        for _ in range(_ROUNDS):
            there, known = self._shared.log(), self._seen()
            unseen = [name for name in sorted(there) if name not in known]
            taken = [self._take(names, there) for names in batches(unseen, there.__getitem__, _BATCH_BYTES, longest=_BATCH)]
            if gone := known.keys() - there.keys():
                with self._database.writing() as connection:
                    mirror.forget(connection, gone)
            if all(taken):
                break
        else:
            raise InputError("it changes faster than it can be read", where=self._shared.where, hint="try again")
        for name, (_, fault) in self._seen().items():
            if fault:
                self._left_out[f"{_fault(name, fault)}; it was left out"] = None

    def _take(self, names: list[str], sizes: Mapping[str, int]) -> bool:
        """Take over what some objects say; returns whether all of them were still there."""
        found = [each for each in together(self._read, names) if each is not None]
        changes = [change for _, said, _ in found for change in said]
        self._fold(changes, {name: sizes[name] for name, _, _ in found}, {name: fault for name, _, fault in found if fault})
        return len(found) == len(names)

    def _read(self, name: str) -> tuple[str, list[Dated], str] | None:
        """Return what an object says or why it says nothing; None if it is gone."""
        try:
            return name, self._shared.changes(name), ""
        except InputError as error:
            return name, [], error.message
        except NotFoundError as error:
            if error.message == GONE:
                return None
            raise

    def _fold(self, changes: Sequence[Dated], objects: Mapping[str, int], faults: Mapping[str, str] | None = None) -> None:
        with self._database.writing() as connection:
            needless = mirror.apply(connection, changes)
            for name, size in objects.items():
                mirror.note(connection, name, size, (faults or {}).get(name, ""))
        self._discard(needless)

    def _pack(self) -> None:
        """Put changes of many objects into few, then remove those; whoever is killed in between leaves both, which is the same."""
        self._database.refresh(now=True)
        while names := packing.chosen(self._seen()):
            found = [each for each in together(self._read, names) if each is not None and not each[2]]
            changes = [change for _, said, _ in found for change in said]
            latest = max((time_of(name) or 0 for name, _, _ in found), default=0)
            objects = self._shared.add_changes(packed(changes, latest + 1))
            self._fold(changes, objects)
            self._shared.remove_changes(name for name, _, _ in found if name not in objects)
            with self._database.writing() as connection:  # one that cannot be read any more stays, and is looked at again
                mirror.forget(connection, (name for name in names if name not in objects))

    def _sweep_prints(self) -> tuple[int, int]:
        self._database.refresh(now=True)
        with self._database.reading() as connection:
            return self._shared.sweep_prints(lambda digest: rows.is_used(connection, digest))

    def _seen(self) -> dict[str, tuple[int, str]]:
        with self._database.reading() as connection:
            return mirror.seen(connection)


def _fault(name: str, fault: str) -> str:
    return f"the object log/{quote(name)[1:-1]} of the registry {fault}"
