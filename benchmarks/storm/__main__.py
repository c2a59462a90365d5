"""A storm of questions on a real `tensorguard serve` on 127.0.0.1, every answer checked against the right one.

    python -m benchmarks.storm --fingerprints DIR [--clients 16] [--minutes 10] [--registry DIR]

Without `--registry` it makes one: the fingerprints, each with its family and parent by its name, and 25,000 made-up entries, so that
searches go through an index. Right answers are told beforehand by the library and by reading every entry. Clients are processes on this
machine; they share its processors with the server. Exit code 1 if an answer was wrong.
"""

import argparse
import multiprocessing
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event as Stop
from pathlib import Path
from threading import Thread

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.registry_models import Models, rows
from benchmarks.storm.answers import Answers, fingerprints
from benchmarks.storm.clients import Client, Told
from benchmarks.storm.watching import Watched
from tensorguard.fingerprint.file import read_fingerprint
from tensorguard.registry.entry import Facts
from tensorguard.registry.registry import Registry

MADE_UP = 25_000
MOST = 1_000_000
"""Questions of one client, at most."""
_ASKED, _SCANS = 48, 6
_START_SECONDS, _END_SECONDS = 60.0, 60.0


def make(folder: Path, prints: Sequence[Path]) -> None:
    """Make a registry of real fingerprints and made-up entries, all but the last hundred of them in its index."""
    with Registry(folder, create=True) as registry:
        real = []
        for path in prints:
            base, dot, _ = path.stem.partition(".")
            facts = Facts(
                repository=f"zoo/{path.stem}",
                family=base,
                licence="mit",
                parents=(f"zoo/{base}",) if dot else (),
                released="2026",
            )
            real.append(registry.add(read_fingerprint(path), facts))
        registry.insert(rows(Models(1), 0, MADE_UP - 100, real))
        registry.build_index()
        registry.insert(rows(Models(2), MADE_UP - 100, 100, real))


@contextmanager
def server(folder: Path, scratch: Path) -> Iterator[tuple[subprocess.Popen[bytes], int, str]]:
    """A server's process, its port and its token."""
    token = secrets.token_urlsafe(32)
    file, log = scratch / "token", scratch / "server.log"
    file.write_text(token)
    call = [sys.executable, "-m", "tensorguard", "serve", "--registry", str(folder), "--port", "0", "--token-file", str(file)]
    with log.open("wb") as told:
        process = subprocess.Popen(call, stdout=told, stderr=told, env={**os.environ, "TENSORGUARD_DEBUG": "1"})
    try:
        end = time.monotonic() + _START_SECONDS
        while b"/#token=" not in log.read_bytes():
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"the server did not start: {log.read_text()}")
            time.sleep(0.05)
        address = log.read_text().partition("http://127.0.0.1:")[2]
        yield process, int(address.partition("/")[0]), token
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
        said = log.read_text().partition("Ctrl-C ends it.")[2].strip()
        print(f"the server ended with {process.wait()}" + (f" and said: {said[:2000]}" if said else ""))


def work(port: int, token: str, answers: Answers, seeds: Sequence[int], stop: Stop, found: "Queue[Told]") -> None:
    """Be some clients, each a thread."""
    clients = [Client(port, token, answers, seed) for seed in seeds]
    threads = [Thread(target=client.run, args=(stop, MOST), daemon=True) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for client in clients:
        found.put(client.told)


def storm(folder: Path, answers: Answers, clients: int, minutes: float, scratch: Path) -> tuple[list[Told], Watched]:
    """Let clients ask for some minutes; returns what each saw, and what the server's process took."""
    context = multiprocessing.get_context("fork")  # each client's process has the answers
    with server(folder, scratch) as (process, port, token):
        stop, found = context.Event(), context.Queue()
        groups = [list(range(start, clients, 4)) for start in range(min(4, clients))]
        running = [
            context.Process(target=work, args=(port, token, answers, group, stop, found), daemon=True) for group in groups
        ]
        watched, started = Watched(process.pid), time.monotonic()
        for each in running:
            each.start()
        while time.monotonic() - started < 60 * minutes and process.poll() is None:
            watched.look(time.monotonic() - started)
            time.sleep(1)
        stop.set()
        told = [found.get(timeout=120) for _ in range(clients)]
        for each in running:
            each.join()
        time.sleep(12)  # connections that are kept are let go of after 10 s
        watched.look(time.monotonic() - started)
    return told, watched


def report(told: Sequence[Told], watched: Watched, minutes: float, console: Console) -> None:
    table = Table("route", "answers", "p50 ms", "p99 ms", "longest ms", "told to wait")
    for route in sorted({route for each in told for route in each.seconds}):
        seconds = 1e3 * np.concatenate([each.seconds.get(route, []) for each in told])
        p50, p99 = np.percentile(seconds, [50, 99])
        refused = sum(each.refused.get(route, 0) for each in told)
        table.add_row(route, f"{len(seconds)}", f"{p50:.0f}", f"{p99:.0f}", f"{seconds.max():.0f}", f"{refused}")
    console.print(table)
    grown = Table("the server", "after 10 %", "half", "at the end", "when quiet", "slope / min, second half")
    names = ("resident MB", "private MB", "open files", "threads", "processor s")
    for column, name in enumerate(names, 1):
        values = [row[column] for row in (watched.at(0.1), watched.at(0.5), watched.seen[-2], watched.seen[-1])]
        quiet, watched.seen = watched.seen[-1], watched.seen[:-1]
        grown.add_row(name, *(f"{value:.0f}" for value in values), f"{watched.slope(column):+.2f}")
        watched.seen.append(quiet)
    console.print(grown)
    answers = sum(len(seconds) for each in told for seconds in each.seconds.values())
    console.print(
        f"{answers} answers in {minutes:g} min ({answers / minutes / 60:.0f} a second), {sum(each.wrongs for each in told)} of them "
        f"wrong; {sum(each.broken for each in told)} requests that break off or are refused while they are sent"
    )
    for text in [text for each in told for text in each.wrong][:20]:
        console.print(f"wrong: {text}", markup=False, highlight=False)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.storm", description=str(__doc__).splitlines()[0])
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--fingerprints", type=Path, required=True, help="folder of .tgfp files that are known and asked for")
    parser.add_argument("--models", type=int, default=200, help="how many of them")
    parser.add_argument("--registry", type=Path, help="serve this one; it has to stay as it is meanwhile")
    arguments = parser.parse_args()
    console = Console(file=sys.stdout, width=120)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the server ends with us
    prints = fingerprints(arguments.fingerprints)
    prints = prints[:: max(len(prints) // arguments.models, 1)]
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.registry or Path(scratch) / "registry"
        if arguments.registry is None:
            make(folder, prints)
        started = time.perf_counter()
        answers = Answers(folder, prints, 1, _ASKED, _SCANS)
        console.print(f"{len(answers.entries)} entries; right answers told in {time.perf_counter() - started:.0f} s")
        told, watched = storm(folder, answers, arguments.clients, arguments.minutes, Path(scratch))
    report(told, watched, arguments.minutes, console)
    return 1 if any(each.wrongs for each in told) else 0


if __name__ == "__main__":
    sys.exit(main())
