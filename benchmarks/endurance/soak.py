"""Hours of work in one server and one process of library calls: do memory, open files, threads or temporary files grow?

    python -m benchmarks.endurance.soak OUT --models ZOO [--minutes 120] [--entries 400] [--share 0.06]

Starts `tensorguard serve` on a registry of some hundred entries and asks it at a low steady rate (entries, pages, searches, scans of
models, uploads, sound and damaged), beside it one process that makes library calls in turn (`soak_library.py`); both rest between steps,
so that each takes `--share` of a processor. Every ten seconds their memory and what they hold goes to OUT/soak.csv; at the end
`soak_verdict.py` fits a slope after the warm-up. SIGSTOP of the process group in OUT/soak.pgid pauses all of it.
"""

import argparse
import contextlib
import csv
import http.client
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from benchmarks.endurance.resources import COLUMNS, measured, processor_seconds
from benchmarks.endurance.soak_verdict import judge
from tensorguard.api.fingerprints import fingerprint_model
from tensorguard.fingerprint.file import encode_fingerprint
from tensorguard.registry.entry import Facts
from tensorguard.registry.registry import Registry

EVERY = 10.0
"""Seconds between measurements."""
_REST = 30.0
"""Seconds that a rest takes at most."""


class Client:
    """Asks a server, on one connection as a browser would."""

    def __init__(self, address: str) -> None:
        found = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/#token=(.+)", address)
        assert found is not None
        self._port, self._token = int(found[1]), found[2]
        self.answers: dict[str, int] = {}

    def ask(self, method: str, path: str, body: bytes | None = None, kind: str = "application/octet-stream") -> bytes:
        """Ask once; whatever answer comes is counted by its status."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=120)
        try:
            headers = {"Authorization": f"Bearer {self._token}", "Content-Type": kind}
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            text = answer.read()
            what = f"{method} {path.split('?')[0].split('/')[3] if path.startswith('/api') else 'page'} {answer.status}"
            self.answers[what] = self.answers.get(what, 0) + 1
            return text
        finally:
            connection.close()

    def job(self, begin: bytes) -> str:
        """Wait for the end of a job that was begun; returns its id."""
        state = json.loads(begin)
        while state.get("status") in ("queued", "running"):
            time.sleep(0.3)
            state = json.loads(self.ask("GET", f"/api/v1/jobs/{state['id']}"))
        return str(state.get("id", ""))


def requests(client: Client, names: list[str], models: list[Path], sound: bytes) -> Iterator[str]:
    """Ask for one thing after the other, for ever; yields what was asked."""
    for number in itertools.count():
        name, model = quote(names[number % len(names)]), models[number % len(models)]
        for path in ("/", "/static/main.js", "/api/v1/about", "/api/v1/entries?q=llama&limit=50", "/api/v1/openapi.json"):
            client.ask("GET", path)
        yield "pages"
        client.ask("GET", f"/api/v1/entry?name={name}")
        client.ask("GET", f"/api/v1/entry/family?name={name}")
        yield "entry"
        client.ask("POST", "/api/v1/search?top=10", sound)
        yield "search"
        client.ask("POST", "/api/v1/search?top=10", sound[: 1 + number * 997 % len(sound)])
        client.ask("POST", "/api/v1/search?top=10", bytes(number % 5000))
        client.ask("GET", "/api/v1/entry?name=nobody")
        yield "damaged uploads"
        order = json.dumps({"path": str(model), "kind": ("scan", "check")[number % 2]}).encode()
        job = client.job(client.ask("POST", "/api/v1/jobs", order, "application/json"))
        for form in ("html", "json", "table", "sarif", "cyclonedx", "spdx", "card"):
            client.ask("GET", f"/api/v1/reports/{job}/{form}")
        yield "scan of a model"
        job = client.job(client.ask("POST", "/api/v1/jobs/upload?kind=scan&filename=some.tgfp", sound))
        client.ask("GET", f"/api/v1/reports/{job}/html")
        if number % 2:
            client.ask("DELETE", f"/api/v1/jobs/{job}")
        yield "scan of an upload"


def fill(folder: Path, models: list[Path], entries: int) -> tuple[list[str], bytes]:
    """Make a registry, each model's fingerprint under several names; returns the names and one fingerprint's bytes."""
    made = [fingerprint_model(model, workers=1) for model in models]
    names = [f"somebody/{made[at % len(made)].name}-{at}" for at in range(entries)]
    with Registry(folder, create=True) as registry:
        for at, name in enumerate(names):
            parents = (names[at - 1],) if at % 3 else ()
            registry.add(replace(made[at % len(made)], name=name), Facts(family=f"family-{at % 9}", parents=parents))
    return names, encode_fingerprint(made[0])


def sample(path: Path, processes: dict[str, tuple[int, Path]], started: float, ended: threading.Event) -> None:
    """Write a row for each process every ten seconds."""
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("seconds", "process", *COLUMNS))
        while not ended.wait(EVERY):
            for name, (pid, temporary) in processes.items():
                rows.writerow((round(time.monotonic() - started, 1), name, *measured(pid, temporary)))
            file.flush()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.endurance.soak", description=str(__doc__).splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--models", type=Path, required=True, help="folder of small models: benchmarks.zoo makes one")
    parser.add_argument("--minutes", type=float, default=120)
    parser.add_argument("--entries", type=int, default=400)
    parser.add_argument("--share", type=float, default=0.06, help="of a processor that each process may take")
    arguments = parser.parse_args()
    os.nice(19)
    with contextlib.suppress(PermissionError):  # of a session's leader, which has a group already
        os.setpgrp()
    out: Path = arguments.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    (out / "soak.pgid").write_text(f"{os.getpgrp()}\n")
    models = sorted(path.parent for path in arguments.models.resolve().glob("*/zoo.json"))
    models = [models[at] for at in range(0, len(models), max(1, len(models) // 60))]
    whole = [model for model in models if (model / "model.safetensors").exists()]
    names, sound = fill(out / "registry", whole[:40], arguments.entries)
    temporary = {name: out / f"tmp-{name}" for name in ("serve", "library")}
    for folder in temporary.values():
        folder.mkdir(exist_ok=True)
    serving = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tensorguard",
            "serve",
            "--port",
            "0",
            "--registry",
            out / "registry",
            "--root",
            arguments.models,
        ],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary["serve"])},
    )
    assert serving.stderr is not None
    address = serving.stderr.readline().removeprefix("TensorGuard is at ").strip()
    threading.Thread(target=_kept, args=(serving.stderr, out / "serve.log"), daemon=True).start()
    library = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.endurance.soak_library", out, str(arguments.share), *whole],
        env={**os.environ, "TMPDIR": str(temporary["library"])},
    )
    started, ended = time.monotonic(), threading.Event()
    processes = {"serve": (serving.pid, temporary["serve"]), "library": (library.pid, temporary["library"])}
    sampler = threading.Thread(target=sample, args=(out / "soak.csv", processes, started, ended))
    sampler.start()
    client = Client(address)
    steps: dict[str, int] = {}
    try:
        before = processor_seconds(serving.pid)
        for step in requests(client, names, models, sound):
            steps[step] = steps.get(step, 0) + 1
            now = processor_seconds(serving.pid)
            time.sleep(min(_REST, max(0.05, (now - before) / arguments.share)))
            before = now
            (out / "requests.json").write_text(json.dumps({"steps": steps, "answers": client.answers}, indent=1))
            if time.monotonic() - started > arguments.minutes * 60:
                break
            if library.poll() is not None or serving.poll() is not None:
                raise SystemExit(f"a process ended by itself: library {library.returncode}, serve {serving.returncode}")
    finally:
        ended.set()
        sampler.join()
        for process in (serving, library):
            process.send_signal(signal.SIGTERM)
        codes = {"serve": serving.wait(60), "library": library.wait(60)}
    left = {name: [str(each) for each in folder.rglob("*")] for name, folder in temporary.items()}
    print(f"exit codes {codes}, temporary files left: {left}")
    print(judge(out / "soak.csv", out / "soak.png"))


def _kept(lines: Iterator[str], path: Path) -> None:
    with path.open("w") as file:
        for line in lines:
            file.write(line)
            file.flush()


if __name__ == "__main__":
    main()
