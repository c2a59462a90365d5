"""Virtual environments that only the benchmark uses: made with venv and pip once, kept in the cache, never the user's own."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.rivals.base import NotRunError

_COMPLETE = "complete"


def default_cache() -> Path:
    """Where environments are kept: `$TENSORGUARD_CACHE/rivals`, else `~/.cache/tensorguard/rivals`."""
    root = os.environ.get("TENSORGUARD_CACHE")
    return (Path(root) if root else Path.home() / ".cache" / "tensorguard") / "rivals"


def find_python(names: Sequence[str], given: Path | None = None) -> Path:
    """Return the first interpreter among `names` that starts, on the PATH or in pyenv; `given` instead, if there is one.

    Raises:
        NotRunError: There is none.
    """
    on_path = [found for name in names if (found := shutil.which(name))]
    candidates = [str(given)] if given else [*on_path, *(path for name in names for path in _in_pyenv(name))]
    for candidate in candidates:
        # pyenv's shim is on the PATH even where the version behind it is not chosen: only a start tells.
        done = subprocess.run(
            [candidate, "-c", "import sys; print(sys.executable)"], capture_output=True, text=True, check=False
        )
        if done.returncode == 0:
            return Path(done.stdout.strip())
    raise NotRunError(f"no interpreter: looked for {', '.join(candidates or names)}")


def _in_pyenv(name: str) -> list[str]:
    """Where pyenv has an interpreter, chosen or not."""
    if not (pyenv := shutil.which("pyenv")):
        return []
    return subprocess.run([pyenv, "whence", "--path", name], capture_output=True, text=True, check=False).stdout.split()


def this_python() -> Path:
    """The interpreter that runs the benchmark, with this project and its test dependencies installed."""
    return Path(sys.executable)


def environment(requirement: str, python: Path, cache: Path) -> Path:
    """Return the interpreter of an environment that has `requirement` (`NAME==VERSION`), making it if it is not there.

    Raises:
        NotRunError: venv or pip failed.
    """
    folder = cache / re.sub(r"[^\w.]+", "-", requirement)
    interpreter = folder / "bin" / "python"
    if not (folder / _COMPLETE).exists():
        shutil.rmtree(folder, ignore_errors=True)
        _run([str(python), "-m", "venv", str(folder)], requirement)
        _run([str(interpreter), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", requirement], requirement)
        (folder / _COMPLETE).touch()
    return interpreter


def _run(command: list[str], requirement: str) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = done.stderr.strip().splitlines()
        raise NotRunError(f"{requirement} could not be installed: {reason[-1] if reason else 'no reason given'}")
