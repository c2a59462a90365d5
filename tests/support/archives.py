"""Registries of small models, archives of them, and archives that were tampered with."""

import io
import json
import tarfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from support.checkpoints import llama
from support.prints import printed
from tensorguard.api.known import export
from tensorguard.fingerprint.base import Fingerprint
from tensorguard.registry.entry import Facts
from tensorguard.registry.registry import Registry

BLOCK = 512
FACTS = Facts("org/one", "abc", "Family", "Someone", "apache-2.0", ("org/base",), "finetune", "2024-05-06")
Change = Callable[[list[tarfile.TarInfo], dict[str, bytes]], None]


@cache
def prints() -> tuple[Fingerprint, Fingerprint]:
    """Fingerprints of two small models."""
    with TemporaryDirectory() as folder:
        one, other = (printed(Path(folder) / name, llama(seed, blocks=2)) for seed, name in enumerate(("one", "two")))
    return one, other


def make_registry(folder: Path) -> Path:
    """A registry of both."""
    with Registry(folder, create=True) as registry:
        registry.add(prints()[0], FACTS)
        registry.add(prints()[1], Facts())
    return folder


def make_archive(folder: Path) -> Path:
    """An archive of both, `known.tar` in a folder."""
    path = folder / "known.tar"
    with Registry(make_registry(folder / "source")) as registry:
        export(registry, path)
    return path


def tampered(archive: Path, change: Change, form: int = tarfile.USTAR_FORMAT) -> Path:
    """The archive with its headers and contents changed, written again by the standard library."""
    with tarfile.open(archive) as tar:
        members = tar.getmembers()
        contents = {info.name: tar.extractfile(info).read() for info in members}  # type: ignore[union-attr]
    change(members, contents)
    path = archive.with_name("tampered.tar")
    with path.open("wb") as file:
        for info in members:
            raw = contents.get(info.name, b"")
            file.write(info.tobuf(form) + raw + bytes(-len(raw) % BLOCK))
        file.write(bytes(2 * BLOCK))
    return path


def with_manifest(archive: Path, change: Callable[[dict], object]) -> Path:  # type: ignore[type-arg]
    """The archive with its manifest changed, and everything else as it fits."""

    def apply(members: list[tarfile.TarInfo], contents: dict[str, bytes]) -> None:
        document = json.loads(contents["manifest.json"])
        change(document)
        contents["manifest.json"] = json.dumps(document).encode()
        members[0].size = len(contents["manifest.json"])

    return tampered(archive, apply)


def added(name: str, kind: bytes = tarfile.REGTYPE, raw: bytes = b"", link: str = "") -> tuple[tarfile.TarInfo, bytes]:
    """A further entry of an archive."""
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, len(raw), link
    return info, raw


def in_memory(names: dict[str, bytes]) -> bytes:
    """A tar archive of these files, as the standard library makes it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, raw in names.items():
            tar.addfile(added(name, raw=raw)[0], io.BytesIO(raw))
    return buffer.getvalue()
