"""Make a virtual environment and install this project into it: by uv, in a sixth of pip's time, and by pip where uv fails.

    python3 tests/environments/install.py FOLDER [--extras demo,test] [--python PROGRAM] [--lowest]

Nothing but the standard library is needed. uv is the one on PATH, or the one beside this Python; else pip installs it into the folder.
"""

import argparse
import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[2]
PASSED_ON = {"index-url": "UV_DEFAULT_INDEX", "find-links": "UV_FIND_LINKS", "cert": "SSL_CERT_FILE"}
"""pip's settings, which uv does not read, and the variables by which uv is told the same."""


def install(folder: Path, extras: str = "", python: str = sys.executable, lowest: bool = False) -> None:
    """Make the environment if there is none, and install the project, editable, with some of its extras.

    Args:
        folder: Where.
        extras: Names apart by commas.
        python: The interpreter.
        lowest: Of every direct dependency the lowest version that the project admits; only uv can do that.

    Raises:
        subprocess.CalledProcessError: It failed, and what failed has said why.
    """
    uv, inside = found_uv(folder), folder / "bin" / "python"
    if not inside.exists():
        made = uv and subprocess.run([uv, "venv", "--quiet", "--seed", "--python", python, folder], check=False).returncode == 0
        if not made:
            subprocess.run([python, "-m", "venv", folder], check=True)
    pip = [inside, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if uv is None and subprocess.run([*pip, "uv"], check=False).returncode == 0:
        uv = found_uv(folder)
    project = f"{PROJECT}[{extras}]" if extras else str(PROJECT)
    if uv is not None:
        asked = [uv, "pip", "install", "--quiet", "--python", inside, *(["--resolution", "lowest-direct"] if lowest else [])]
        done = subprocess.run([*asked, "--editable", project], check=False, env=settings_of_pip(inside) | os.environ)
        if done.returncode == 0 or lowest:
            done.check_returncode()
            return
        print("uv failed, as said above; once more with pip", file=sys.stderr)
    elif lowest:
        raise SystemExit("the lowest versions are found by uv, which is not to be had")
    subprocess.run([*pip, "--editable", project], check=True)


def found_uv(folder: Path) -> str | None:
    """Return the program, if there is one."""
    beside = (Path(sys.executable).parent, folder / "bin")
    return shutil.which("uv") or next((str(each / "uv") for each in beside if (each / "uv").exists()), None)


def settings_of_pip(python: Path) -> dict[str, str]:
    """Return where pip is configured to find packages, as uv's variables."""
    listed = subprocess.run([python, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False).stdout
    said = (line.partition("=") for line in listed.splitlines())
    values = {name.rpartition(".")[2]: ast.literal_eval(value) for name, _, value in said}
    return {PASSED_ON[name]: ",".join(value.split()) for name, value in values.items() if name in PASSED_ON}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--extras", default="")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--lowest", action="store_true")
    asked = parser.parse_args()
    try:
        install(asked.folder, asked.extras, asked.python, asked.lowest)
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"{error.cmd[0]} failed with exit code {error.returncode}") from None


if __name__ == "__main__":
    main()
