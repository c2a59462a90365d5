"""Where fingerprints are written to: `NAME.tgfp` and, with the 16 numbers, `NAME_features.json`, in a folder or in object storage."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from tensorguard.api.fingerprints import Settings
from tensorguard.api.models import Model, file_stem
from tensorguard.api.output_place import LocalPlace, OutputPlace, output_place
from tensorguard.api.same_weights import has_same_weights
from tensorguard.errors import TensorGuardError
from tensorguard.fingerprint.base import Fingerprint
from tensorguard.fingerprint.features import SUFFIX as FEATURES_SUFFIX
from tensorguard.fingerprint.features import encode_features, vector
from tensorguard.fingerprint.file import SUFFIX, encode_fingerprint

_HEADER, _SPECIFICATION = "tensorguard-header", "tensorguard-specification"
"""Notes beside a `.tgfp`: of which tensors it is, and how its numbers were made."""


@dataclass(frozen=True, slots=True)
class OutputFolder:
    """Where finished fingerprints lie, each file whole or not there at all.

    Attributes:
        path: A folder, or `s3://bucket/prefix` and its like.
    """

    path: Path | str

    def make(self) -> None:
        """Make it if it is not there.

        Raises:
            UsageError: A file is in its place.
            ResourceError: It cannot be made.
            NotFoundError: There is no such bucket, or not for this user.
        """
        self._place.make()

    def from_anywhere(self) -> Self:
        """Return the same, said so that a process in another folder understands it."""
        return replace(self, path=Path(self.path).absolute()) if isinstance(self._place, LocalPlace) else self

    def write(self, result: Fingerprint) -> None:
        """Write a fingerprint's files; the `.tgfp`, which says that all is there, last."""
        stem, notes = file_stem(result.name), _notes(result.header_digest, result.specification)
        if result.features:
            self._place.write(f"{stem}{FEATURES_SUFFIX}", encode_features(vector(result)), {})
        self._place.write(f"{stem}{SUFFIX}", encode_fingerprint(result), notes)

    def read(self, name: str) -> Fingerprint:
        """Read the fingerprint that was written of a model of this name.

        Raises:
            NotFoundError: It was removed since.
            InputError: It was changed since.
        """
        return self._place.read(f"{file_stem(name)}{SUFFIX}")

    def holds(self, name: str) -> bool:
        """Say whether a fingerprint of a model of this name is there, as this machine sees it."""
        return self._place.find(f"{file_stem(name)}{SUFFIX}") is not None

    def earlier(self, model: Model, settings: Settings) -> Fingerprint | None:
        """Return the fingerprint that is there already, if it is complete, of this very model and made with these settings."""
        stem, wanted = file_stem(model.name), _notes(model.header_digest, str(settings.specification))
        target = self._place.find(f"{stem}{SUFFIX}")
        if target is None or target.modified <= model.modified:
            return None
        if any(target.notes.get(name, value) != value for name, value in wanted.items()):
            return None  # and needs not be read to know that
        try:
            found = self._place.read(f"{stem}{SUFFIX}")
        except TensorGuardError:
            return None
        same = found.header_digest == model.header_digest and found.specification == str(settings.specification)
        whole = bool(settings.quick) if found.coverage else self._place.find(f"{stem}{FEATURES_SUFFIX}") is not None
        complete = (found.extended or not settings.extended) and _has_lineage(found, settings)
        accepted = settings.skip_nonfinite or not _leaves_out(found)
        return found if same and whole and complete and accepted and has_same_weights(found, model) else None

    @property
    def _place(self) -> OutputPlace:
        return output_place(self.path)


def _notes(header_digest: str, specification: str) -> dict[str, str]:
    return {_HEADER: header_digest, _SPECIFICATION: specification}


def _has_lineage(found: Fingerprint, settings: Settings) -> bool:
    if not settings.lineage:
        return True
    return found.sketches is not None and found.sketches.key == settings.key.identity()


def _leaves_out(found: Fingerprint) -> bool:
    """Say whether a fingerprint may be of a model that would be refused without `skip_nonfinite`."""
    return any(each.nan or each.infinite for each in found.digests) if found.digests else bool(found.skipped)
