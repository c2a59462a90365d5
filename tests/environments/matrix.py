"""Run tests/compat in every environment that is promised and can be had here: `make compat`.

Those are: the oldest Python with the lowest version of every direct dependency that the project admits, and every newer Python on this
machine with the newest of everything and the project's wheel. (The oldest Python with the newest is what the whole suite runs in.) What
is not on the machine is named and not run. Environments are kept in .cache/environments and made again when pyproject.toml changes.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from install import PROJECT, found_uv, install

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
KEPT = PROJECT / ".cache" / "environments"


def interpreter(version: str) -> str | None:
    """Return the program of that version, if it is here: on PATH, or one of pyenv's."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    beside = sorted(
        pyenv.glob(f"{version}.*/bin/python"), key=lambda path: [int(n) for n in path.parts[-3].split(".") if n.isdigit()]
    )
    for program in (*map(str, reversed(beside)), shutil.which(f"python{version}")):
        if program is not None and _says(program) == version:
            return program
    return None


def _says(program: str) -> str:
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    return subprocess.run([program, "-c", code], capture_output=True, text=True, check=False).stdout.strip()


def environment(version: str, program: str, lowest: bool) -> Path:
    """Return an environment with the project in it, made if it is not there yet, or is of another pyproject.toml."""
    folder = KEPT / f"{version}-{'lowest' if lowest else 'newest'}"
    stamp, said = folder / "made-of", hashlib.sha256((PROJECT / "pyproject.toml").read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != said:
        shutil.rmtree(folder, ignore_errors=True)
        install(folder, "compat", program, lowest)
        stamp.write_text(said)
    uv = found_uv(folder)
    if uv is not None and not lowest:  # as users have it: a wheel, made anew of what is here
        asked = [uv, "pip", "install", "--quiet", "--python", folder / "bin" / "python", "--no-deps"]
        subprocess.run([*asked, "--reinstall-package", "tensorguard-llm", PROJECT], check=True)
    return folder


def tested(folder: Path, arguments: list[str]) -> tuple[bool, str]:
    """Return whether the tests pass there, and what they printed."""
    python = folder / "bin" / "python"
    code = "import numpy, scipy, sys; print(f'Python {sys.version.split()[0]}, numpy {numpy.__version__}, scipy {scipy.__version__}')"
    versions = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout
    asked = [python, "-m", "pytest", "tests/compat", "-p", "no:cacheprovider", *arguments]
    variables = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(asked, cwd=PROJECT, capture_output=True, text=True, check=False, env=variables)
    return done.returncode == 0, f"\n{folder.name}: {versions}{done.stdout}{done.stderr}"


def main() -> None:
    found = {version: interpreter(version) for version in PYTHONS}
    here = [(version, program) for version, program in found.items() if program is not None]
    wanted = [(*here[0], True), *((version, program, False) for version, program in here[1:])]
    if found_uv(KEPT) is None:
        print("uv is not to be had, so the lowest versions are not tried")
        wanted = wanted[1:]
    began = time.monotonic()
    folders = [environment(*each) for each in wanted]
    failed = []
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for folder, (passed, said) in zip(folders, threads.map(lambda each: tested(each, sys.argv[1:]), folders), strict=True):
            print(said, flush=True)
            failed += [] if passed else [folder.name]
    missing = [version for version, program in found.items() if program is None]
    print(f"ran in {', '.join(each.name for each in folders)}: {time.monotonic() - began:.0f} s")
    print(f"not on this machine: {', '.join(missing) or 'none'}")
    if failed:
        raise SystemExit(f"failed in {', '.join(failed)}")


if __name__ == "__main__":
    main()
