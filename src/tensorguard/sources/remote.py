"""Places on a server that are used like local paths: a repository's files as a listing gave them, or one file alone."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol, TypeAlias

from tensorguard.errors import NotFoundError
from tensorguard.sources.base import Source
from tensorguard.sources.local import LocalFile


class Repository(Protocol):
    """Files on a server. Implementations are safe to use from several threads."""

    @property
    def title(self) -> str:
        """What to call the model that it is."""

    @property
    def where(self) -> str:
        """What to call it in messages, where the name of a file may follow."""

    @property
    def repository(self) -> str:
        """`org/name` on the hub; empty elsewhere."""

    @property
    def commit(self) -> str:
        """The commit that is read, if it is one on the hub; else empty."""

    @property
    def files(self) -> Mapping[str, int]:
        """Every file's path in it, and its size in bytes; the paths are untrusted, but lead nowhere else."""

    def source(self, path: str) -> Source:
        """Return one of the files, without reading it."""


_ROOT = PurePosixPath()


@dataclass(frozen=True, slots=True)
class RemotePath:
    """A place in a repository; has those of `pathlib.Path`'s methods that opening a model takes, and asks no server for any of them."""

    repository: Repository
    inner: PurePosixPath = _ROOT

    @property
    def name(self) -> str:
        """The last part; of the repository itself, its title."""
        return self.inner.name or self.repository.title

    @property
    def stem(self) -> str:
        """The name without its suffix."""
        return PurePosixPath(self.name).stem

    @property
    def suffix(self) -> str:
        """The name's suffix with its dot."""
        return PurePosixPath(self.name).suffix

    @property
    def parent(self) -> "RemotePath":
        """The folder it lies in; the repository lies in itself."""
        return RemotePath(self.repository, self.inner.parent)

    def __truediv__(self, name: str) -> "RemotePath":
        return RemotePath(self.repository, self.inner / name)

    def __str__(self) -> str:
        return f"{self.repository.where}/{self.inner}" if self.inner.parts else self.repository.where

    def with_name(self, name: str) -> "RemotePath":
        """Return another place in the same folder."""
        return RemotePath(self.repository, self.inner.with_name(name))

    def exists(self) -> bool:
        """Say whether it is a file or a folder."""
        return self.is_file() or self.is_dir()

    def is_file(self) -> bool:
        """Say whether it is a file."""
        return str(self.inner) in self.repository.files

    def is_dir(self) -> bool:
        """Say whether it is the repository or a folder in it."""
        return not self.inner.parts or any(each.startswith(f"{self.inner}/") for each in self.repository.files)

    def is_symlink(self) -> bool:
        """No: servers do not show any."""
        return False

    def iterdir(self) -> Iterator["RemotePath"]:
        """Yield what lies in the folder."""
        depth = len(self.inner.parts)
        inside = (PurePosixPath(each).parts for each in self.repository.files)
        names = dict.fromkeys(parts[depth] for parts in inside if parts[:depth] == self.inner.parts and len(parts) > depth)
        return (self / name for name in names)

    def source(self) -> Source:
        """Return the file here.

        Raises:
            NotFoundError: There is none.
        """
        if not self.is_file():
            raise NotFoundError("no such file", where=self)
        return self.repository.source(str(self.inner))


Location: TypeAlias = Path | RemotePath
"""Where a model's files are."""


def source_at(location: Location) -> Source:
    """Return the file at a place.

    Raises:
        NotFoundError: There is none.
        InputError: It is no regular file.
    """
    return LocalFile(location) if isinstance(location, Path) else location.source()


def place_of(source: Source) -> Location | None:
    """Return where a file lies, so that others beside it can be found; None of one that is alone, or no file."""
    inside = getattr(source, "inside", None)
    if isinstance(inside, RemotePath):
        return inside
    return source.path if isinstance(source, LocalFile) else None
