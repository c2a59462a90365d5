"""Processes that add to, replace in and remove from one registry at once, each killed (SIGKILL) at a random moment; what is left of it.

    python -m benchmarks.registry_kills [--kills 200] [--writers 8] [--fingerprints DIR]

Every writer says in a log of its own what it is about to do and what the registry has said is done. Afterwards everything that was said
to be done must be there, whole, and nothing half-written; a step that its writer was killed in may be done or not.
"""

import argparse
import itertools
import multiprocessing
import os
import random
import signal
import sqlite3
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from multiprocessing.process import BaseProcess
from pathlib import Path

from tensorguard.errors import TensorGuardError
from tensorguard.fingerprint.base import Fingerprint
from tensorguard.fingerprint.file import encode_fingerprint, read_fingerprint
from tensorguard.registry.entry import Facts
from tensorguard.registry.registry import DATABASE, Registry

SHARED = 5
"""Names that all writers replace."""


@dataclass(frozen=True)
class Outcome:
    """What is left.

    Attributes:
        killed: Writers that were killed.
        done: Steps that were said to be done.
        lost: Names said to be there that are not, said to be gone that are there, or that hold something else.
        damaged: What is not whole.
        swept: Files that killed writers left behind.
        stray: Files that no entry names, after sweeping.
    """

    killed: int
    done: int
    lost: list[str]
    damaged: list[str]
    swept: int
    stray: int

    def sound(self) -> bool:
        return not self.lost and not self.damaged and not self.stray


def write(folder: Path, log: Path, prefix: str, models: Sequence[Fingerprint]) -> None:
    """Change a registry until killed."""
    said = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    with Registry(folder) as registry:
        for number in itertools.count():
            model = models[number % len(models)]
            name = f"{prefix}-{number}"
            os.write(said, f"adding {name}\n".encode())
            entry = registry.add(replace(model, name=name), Facts(repository=prefix))
            os.write(said, f"added {name} {entry.fingerprint}\n".encode())
            registry.add(replace(model, name=f"shared {prefix} {number}"), Facts(), name=f"shared-{number % SHARED}")
            if number % 3 == 2:
                old = f"{prefix}-{number - 2}"
                os.write(said, f"removing {old}\n".encode())
                registry.remove(old)
                os.write(said, f"removed {old}\n".encode())


def kill_writers(folder: Path, models: Sequence[Fingerprint], kills: int, writers: int, seed: int = 0) -> Outcome:
    """Start and kill writers, and judge what they leave.

    Args:
        folder: An empty one.
        models: Fingerprints to add under many names.
        kills: How many writers to kill.
        writers: How many work at once.
        seed: Of the moments.
    """
    rng, context = random.Random(seed), multiprocessing.get_context("fork")
    registry = folder / "registry"
    Registry(registry, create=True).close()
    numbers = itertools.count()

    def start() -> BaseProcess:
        prefix = f"writer-{next(numbers)}"
        process = context.Process(target=write, args=(registry, folder / f"{prefix}.log", prefix, models), daemon=True)
        process.start()
        return process

    running = [start() for _ in range(writers)]
    for at in range(kills):
        time.sleep(rng.uniform(0, 0.1))
        victim = running.pop(rng.randrange(len(running)))
        os.kill(victim.pid or 0, signal.SIGKILL)
        victim.join()
        if victim.exitcode != -signal.SIGKILL:
            raise RuntimeError(f"a writer ended by itself: {victim.exitcode}")
        if at < kills - writers:
            running.append(start())
    return judge(registry, [path.read_text() for path in sorted(folder.glob("*.log"))], kills)


def judge(folder: Path, logs: Sequence[str], killed: int) -> Outcome:
    """Compare what writers said with what is there."""
    done, there, gone, open_steps = 0, {}, set(), set()
    for line in itertools.chain.from_iterable(log.splitlines() for log in logs):
        verb, name, *digest = line.split(" ")
        done += verb in ("added", "removed")
        if verb == "added":
            there[name] = digest[0]
        elif verb == "removing":
            open_steps.add(name)
            there.pop(name)
        elif verb == "removed":
            gone.add(name)
    with Registry(folder) as registry:
        swept = registry.sweep()
        entries = {entry.name: entry for entry in registry.entries()}
        lost = [name for name, digest in there.items() if name not in entries or entries[name].fingerprint != digest]
        lost += [name for name in gone if name in entries]
        damaged = [f"{name}: {error}" for name, error in registry.damage()]
        for entry in entries.values():
            try:
                if not encode_fingerprint(registry.fingerprint(entry)):
                    damaged.append(entry.name)
            except TensorGuardError as error:
                damaged.append(f"{entry.name}: {error}")
        used = {registry.path(entry) for entry in entries.values()}
        stray = sum(path not in used for path in (folder / "fingerprints").rglob("*") if path.is_file())
    with sqlite3.connect(folder / DATABASE) as database:
        damaged += [text for (text,) in database.execute("PRAGMA integrity_check") if text != "ok"]
    return Outcome(killed, done, lost, damaged, swept, stray)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.registry_kills", description=str(__doc__).splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--writers", type=int, default=8)
    parser.add_argument("--fingerprints", type=Path, required=True, help="folder of .tgfp files to add under many names")
    arguments = parser.parse_args()
    models = [read_fingerprint(path) for path in sorted(arguments.fingerprints.glob("*.tgfp"))]
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        found = kill_writers(Path(folder), models, arguments.kills, arguments.writers)
    print(f"{found.killed} writers killed in {time.perf_counter() - started:.0f} s, {arguments.writers} at work at once")
    print(f"{found.done} steps said to be done, {len(found.lost)} of them lost; {len(found.damaged)} damaged")
    print(f"{found.swept} files left behind by killed writers were swept, {found.stray} were not")
    sys.exit(0 if found.sound() else 1)


if __name__ == "__main__":
    main()
