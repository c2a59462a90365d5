"""What is interrupted: commands with the folders that they work in, and how to tell what lies there afterwards."""

import argparse
import contextlib
import hashlib
import json
import shutil
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from benchmarks import synthetic
from tensorguard.api.fingerprints import fingerprint_model
from tensorguard.api.known import export
from tensorguard.errors import TensorGuardError
from tensorguard.fingerprint.file import write_fingerprint
from tensorguard.registry.entry import Facts
from tensorguard.registry.registry import DATABASE, Registry

Contents = Mapping[str, str]
"""What is there, by name, as digests of what it holds."""


@dataclass(frozen=True)
class Undertaking:
    """A command in a folder of its own.

    Attributes:
        name: What to call it.
        command: The command line; `{in}` and `{out}` are the folders of inputs and of what is written.
        before: Makes what is there before, in the folder of what is written.
        contents: Says what is there; names that begin with `!` are faults.
        workers: It has worker processes, and is run as a program of its own.
        left: Beginnings of names of what `registry verify` removes, not the same command.
        done: Exit code of the same command when all had been done already.
    """

    name: str
    command: tuple[str, ...]
    before: Callable[[Path, Path], None]
    contents: Callable[[Path], Contents]
    workers: bool = False
    left: tuple[str, ...] = field(default=())
    done: int = 0

    def arguments(self, inputs: Path, out: Path) -> list[str]:
        """Return the command line in these folders."""
        return [part.replace("{in}", str(inputs)).replace("{out}", str(out)) for part in self.command]


def make_inputs(folder: Path) -> None:
    """Make small models, their fingerprints, a registry and an archive of them, if they are not there."""
    if (folder / "known.tar").exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    for seed in range(6):
        synthetic.make(folder / f"model-{seed}", size=0.004, seed=seed)
    synthetic.make(folder / "shards", size=0.03, shards=3)
    (folder / "prints").mkdir()
    for seed in range(6):
        made = fingerprint_model(folder / f"model-{seed}", workers=1)
        write_fingerprint(folder / "prints" / f"model-{seed}.tgfp", made)
        with Registry(folder / "registry", create=True) as registry:
            registry.add(made, Facts(family="some"))
            registry.add(replace(made, name=f"other-{seed}"), Facts(family="some"))
    with Registry(folder / "registry") as registry:
        export(registry, folder / "known.tar")


def nothing(inputs: Path, out: Path) -> None:
    """Begin with an empty folder."""


def _earlier(name: str) -> Callable[[Path, Path], None]:
    def before(inputs: Path, out: Path) -> None:  # noqa: ARG001
        (out / name).write_bytes(b"an earlier file that was whole")

    return before


def _registry(inputs: Path, out: Path) -> None:
    shutil.copytree(inputs / "registry", out / "registry")


def files(folder: Path) -> Contents:
    """Return every file with a digest of its bytes."""
    return {
        str(path.relative_to(folder)): hashlib.blake2b(path.read_bytes(), digest_size=8).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def entries(folder: Path) -> Contents:
    """Return a registry's entries but for when they were added, its orphaned files, and what is damaged."""
    place, found = folder / "registry", {}
    if not (place / DATABASE).exists():
        return {name: "" for name in files(folder) if name.endswith(".part")}
    with contextlib.closing(sqlite3.connect(place / DATABASE)) as database:
        if database.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,):
            return {}  # nobody has made it yet
    try:
        with Registry(place) as registry:
            used = set()
            for entry in registry.entries():
                used.add(registry.path(entry))
                said = asdict(entry) | {"added": "", "verified": entry.verified}
                registry.fingerprint(entry)
                found[f"{entry.name} ({entry.key})"] = json.dumps(said, sort_keys=True)
            found |= {f"!damaged {name}": str(error) for name, error in registry.damage()}
        stray = [path for path in (place / "fingerprints").rglob("*") if path.is_file() and path not in used]
        found |= {f"orphan {path.relative_to(place)}": "" for path in stray}
        with contextlib.closing(sqlite3.connect(place / DATABASE)) as database:
            found |= {f"!{text}": "" for (text,) in database.execute("PRAGMA integrity_check") if text != "ok"}
    except TensorGuardError as error:
        found["!" + error.message] = ""
    return found


_QUIET = ("-q",)
_FINGERPRINT = ("fingerprint", "-o", "{out}", *_QUIET)
_MODELS = tuple(f"{{in}}/model-{seed}" for seed in range(6))
_REGISTRY = ("--registry", "{out}/registry")
_PRINTS = ("{in}/prints/model-0.tgfp", "{in}/prints/model-1.tgfp")

UNDERTAKINGS = {
    each.name: each
    for each in (
        Undertaking("fingerprint, one model", (*_FINGERPRINT, _MODELS[0]), nothing, files),
        Undertaking("fingerprint, six models", (*_FINGERPRINT, "--workers", "1", *_MODELS), nothing, files),
        Undertaking("fingerprint, two workers", (*_FINGERPRINT, "--workers", "2", *_MODELS), nothing, files, workers=True),
        Undertaking("merge", ("merge", "{in}/shards", "-o", "{out}/m.safetensors", *_QUIET), nothing, files),
        Undertaking(
            "merge over an earlier file",
            ("merge", "{in}/shards", "-o", "{out}/m.safetensors", "--force", *_QUIET),
            _earlier("m.safetensors"),
            files,
        ),
        Undertaking(
            "registry add", ("registry", "add", *_MODELS[:3], *_REGISTRY, *_QUIET), nothing, entries, left=("orphan ",)
        ),
        Undertaking(
            "registry remove", ("registry", "remove", "model-1", *_REGISTRY), _registry, entries, left=("orphan ",), done=4
        ),
        Undertaking("export", ("registry", "export", "{out}/a.tar", "--registry", "{in}/registry", *_QUIET), nothing, files),
        Undertaking(
            "export over an earlier archive",
            ("registry", "export", "{out}/a.tar", "--registry", "{in}/registry", *_QUIET),
            _earlier("a.tar"),
            files,
        ),
        Undertaking("import", ("registry", "import", "{in}/known.tar", *_REGISTRY), nothing, entries, left=("orphan ",)),
        Undertaking(
            "pages and JSON",
            ("compare", *_PRINTS, *(f"-o{form}={{out}}/a.{form}" for form in ("html", "json", "svg")), *_QUIET),
            nothing,
            files,
        ),
    )
}


def parser_of(program: str, about: str) -> argparse.ArgumentParser:
    """Return a parser of what all programs that try undertakings are asked; `about` begins with a line of what this one does."""
    parser = argparse.ArgumentParser(prog=program, description=about.splitlines()[0])
    parser.add_argument("--what", help=f"some of, with commas: {'; '.join(UNDERTAKINGS)}")
    parser.add_argument("--inputs", type=Path, help="where inputs are made, or are")
    return parser


def chosen(what: str | None) -> list[Undertaking]:
    """Return the undertakings whose names hold one of the words of --what; all without it."""
    return [each for name, each in UNDERTAKINGS.items() if not what or any(part in name for part in what.split(","))]
