"""A disk that fails while a model is read from it: what each command says. As root, on Linux.

    python -m benchmarks.endurance.bad_disk

A file system in an image, on a loop device; a model is copied to it, and then the end of the image is cut off: reading what lay there is
an error of input and output (EIO), as on a disk with bad sectors. Then the folder is unmounted while a model is read.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import synthetic

_IMAGE = 64 << 20


def _run(*command: object) -> str:
    return subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True).stdout.strip()


@contextlib.contextmanager
def disk_image(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Make and mount a small disk; gives its image and where it is mounted."""
    image, place = folder / "image", folder / "disk"
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(_IMAGE)
    _run("mke2fs", "-q", "-F", "-t", "ext2", "-b", "4096", image)  # of one group: folders lie before the files
    device = _run("losetup", "--find", "--show", image)
    try:
        _run("mount", device, place)
        yield image, place
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):
            _run("umount", "-l", place)
        _run("losetup", "-d", device)


def say(*arguments: object) -> tuple[int, str]:
    """Run a command; returns its exit code and what it said first on stderr."""
    command = [sys.executable, "-m", "tensorguard", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, (done.stderr.splitlines() or [""])[0]


def main() -> int:
    """Print what each command says, as Markdown; returns 1 if one said nothing of the file and the byte."""
    rows, sound = [], True
    with tempfile.TemporaryDirectory(prefix="endurance-") as name:
        folder = Path(name)
        with disk_image(folder) as (image, disk):
            made = {
                "model": synthetic.make(folder / "model", size=0.012),
                "shards": synthetic.make(folder / "shards", size=0.012, shards=2),
            }
            for called in made:
                (disk / called).mkdir()
            for called, source in made.items():  # first the headers' files and then, of both, the data that will be gone
                shutil.copytree(source, disk / called, dirs_exist_ok=True)
            model, sharded = disk / "model", disk / "shards"
            os.sync()
            sizes = [path.stat().st_size for path in sorted(model.iterdir())]
            Path("/proc/sys/vm/drop_caches").write_text("3")
            os.truncate(image, (2 << 20) + max(sizes) // 2)
            out = folder / "out"
            out.mkdir()
            commands: tuple[tuple[object, ...], ...] = (
                ("fingerprint", model, "-o", out, "-q"),
                ("compare", model, model, "-q"),
                ("registry", "add", model, "--registry", out / "registry", "-q"),
                ("merge", sharded, "-o", out / "m.safetensors", "-q"),
                ("sensitivity", model, "-q"),
            )
            for command in commands:
                code, said = say(*command)
                there = [each.name for each in out.rglob("*") if each.is_file() and "registry.sqlite" not in each.name]
                sound = sound and code in (3, 5, 6) and "Traceback" not in said and not there
                said_of = "registry add" if command[0] == "registry" else command[0]
                rows.append(f"| {said_of} | {code} | {said.replace(name, '')} | {len(there)} |")
    print("| command | exit code | says | files written |\n|---|---|---|---|")
    print("\n".join(rows))
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
