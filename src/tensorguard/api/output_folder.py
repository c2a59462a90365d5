"""The folder that fingerprints are written to: `NAME.tgfp` and, with the 16 numbers, `NAME_features.json`."""

from dataclasses import dataclass
from pathlib import Path

from tensorguard.api.fingerprints import Settings
from tensorguard.api.models import Model, file_stem
from tensorguard.errors import TensorGuardError
from tensorguard.fingerprint.base import Fingerprint
from tensorguard.fingerprint.features import SUFFIX as FEATURES_SUFFIX
from tensorguard.fingerprint.features import vector, write_features
from tensorguard.fingerprint.file import SUFFIX, read_fingerprint, write_fingerprint
from tensorguard.formats.atomic import make_folder


@dataclass(frozen=True, slots=True)
class OutputFolder:
    """Where finished fingerprints lie, each file whole or not there at all."""

    path: Path

    def make(self) -> None:
        """Make it if it is not there.

        Raises:
            UsageError: A file is in its place.
            ResourceError: It cannot be made.
        """
        make_folder(self.path)

    def write(self, result: Fingerprint) -> None:
        """Write a fingerprint's files; the `.tgfp`, which says that all is there, last."""
        stem = file_stem(result.name)
        if result.features:
            write_features(self.path / f"{stem}{FEATURES_SUFFIX}", vector(result))
        write_fingerprint(self.path / f"{stem}{SUFFIX}", result)

    def earlier(self, model: Model, settings: Settings) -> Fingerprint | None:
        """Return the fingerprint that is there already, if it is complete, of this very model and made with these settings."""
        target = self.path / f"{file_stem(model.name)}{SUFFIX}"
        try:
            found = read_fingerprint(target)
        except TensorGuardError:
            return None
        same = found.header_digest == model.header_digest and found.specification == str(settings.specification)
        newer = target.stat().st_mtime_ns > model.modified
        beside = target.with_name(target.name.removesuffix(SUFFIX) + FEATURES_SUFFIX).exists()
        whole = bool(settings.quick) if found.coverage else beside
        complete = (found.extended or not settings.extended) and _has_lineage(found, settings)
        accepted = settings.skip_nonfinite or not _leaves_out(found)
        return found if same and newer and whole and complete and accepted else None


def _has_lineage(found: Fingerprint, settings: Settings) -> bool:
    if not settings.lineage:
        return True
    return found.sketches is not None and found.sketches.key == settings.key.identity()


def _leaves_out(found: Fingerprint) -> bool:
    """Say whether a fingerprint may be of a model that would be refused without `skip_nonfinite`."""
    return any(each.nan or each.infinite for each in found.digests) if found.digests else bool(found.skipped)
