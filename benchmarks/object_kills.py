"""Writers of one registry in object storage, killed -9 at random: what they said was done is there, whole, and all mirrors agree.

    PYTHONPATH=tests python -m benchmarks.object_kills KILLS

The storage is a folder (obstore's LocalStore); every writer has a mirror of its own, adds, replaces, removes, and puts changes together.
"""

import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from support.known import known
from support.shared import in_folder, opened, row, said
from tensorguard.registry.entry import Facts

_WRITERS = 3
_NAMES = 5


def main(kills: int) -> None:
    rng, killed, done, rounds = random.Random(6), 0, 0, 0
    last: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        while killed < kills:
            rounds += 1
            writers = {who: _forked(partial(_write, place, who, max(last.values(), default=0))) for who in range(_WRITERS)}
            time.sleep(rng.uniform(0.1, 1.5))
            for pid, _ in writers.values():
                os.kill(pid, signal.SIGKILL)
            for pid, pipe in writers.values():
                os.waitpid(pid, 0)
                killed += 1
                for line in _lines(pipe):
                    name, _, value = line.partition(" ")
                    last[name] = int(value)
                    done += 1
            pid, pipe = _forked(partial(_look, place, rounds, dict(last)))
            _, status = os.waitpid(pid, 0)
            found = _lines(pipe)
            if found[-1:] != ["sound"] or len(found) > 1:
                sys.exit(f"after {killed} kills: {found}, status {status}")
    print(
        f"{killed} kills of {_WRITERS} writers at a time, {done} changes said to be done: nothing lost, nothing damaged, all mirrors agree"
    )


def _write(place: Path, who: int, begin: int, tell: Callable[[str], None]) -> None:
    registry, model = opened(in_folder(place / "storage"), place / f"mirror-{who}"), known(who)
    for n in range(begin + 1, begin + 10_000):
        name = f"{who}-{n % _NAMES}"
        if n % 11 == 10:
            registry.remove(name)
            tell(f"{name} {-n}")
        elif n % 3:
            registry.insert([row(name, str(n))])
            tell(f"{name} {n}")
        else:
            registry.add(model, Facts(family=str(n)), name=name)
            tell(f"{name} {n}")
        if n % 7 == 6:
            registry._pack()


def _look(place: Path, number: int, last: dict[str, int], tell: Callable[[str], None]) -> None:
    with opened(in_folder(place / "storage"), place / f"fresh-{number}") as registry:
        state = said(registry)
        now = {name: int(entry.facts.family) for (name, _), (entry, *_) in state.items()}
        for name, value in last.items():  # one more may have been done than was said
            if value > 0 and now.get(name, value) < value:
                tell(f"lost: {name} {value}, there is {now.get(name)}")
            if value > 0 and name not in now and (value + _NAMES) % 11 != 10:
                tell(f"lost: {name} {value}")
        damaged = [
            f"{name}: {error}" for name, error in registry.damage() if name.partition("-")[2] and not _made_up(registry, name)
        ]
        for each in (*damaged, *registry.notices):
            tell(f"damaged: {each}")
    for who in range(_WRITERS):
        with opened(in_folder(place / "storage"), place / f"mirror-{who}") as registry:
            if said(registry) != state:
                tell(f"mirror {who} is of another opinion")
    tell("sound")


def _made_up(registry: object, name: str) -> bool:
    """Say whether an entry is one of those that never had a fingerprint."""
    return not registry.entry(name).tool  # type: ignore[attr-defined]


def _forked(work: Callable[[Callable[[str], None]], None]) -> tuple[int, int]:
    """Run something in a child; returns its process and what to read what it tells from. This process never uses the storage itself."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(read)
            work(lambda text: os.write(write, f"{text}\n".encode()) and None)  # type: ignore[func-returns-value]
        except BaseException as error:
            os.write(write, f"{type(error).__name__}: {error}\n".encode())
        finally:
            os._exit(0)
    os.close(write)
    return pid, read


def _lines(pipe: int) -> list[str]:
    with os.fdopen(pipe) as file:
        return file.read().split("\n")[:-1]


if __name__ == "__main__":
    main(int(sys.argv[1]))
