"""Runs parsers one after the other, each in a child; a child that hangs or dies is a finding, and the next one goes on."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.fuzz.harness import Harness

_STATE = re.compile(r"#(\d+)\s+\S+\s+cov: (\d+) ft: (\d+) corp: (\d+)/")
_MOST_DEATHS = 20


@dataclass
class Result:
    """What came of one parser's run.

    Attributes:
        parser: Which.
        executions: Inputs that were run.
        ever: The same, of all runs with this cache.
        accepted: Those that were not refused.
        edges: Branches of the bytecode that were reached.
        features: Edges with how often they were taken.
        corpus: Inputs that are kept because each reaches something new.
        findings: Names of what was found.
        seconds: Processor seconds.
        slowest: Processor seconds of the slowest input.
        peak: Bytes above what the process had before the first input, at most.
    """

    parser: str
    executions: int = 0
    ever: int = 0
    accepted: int = 0
    edges: int = 0
    features: int = 0
    corpus: int = 0
    findings: tuple[str, ...] = ()
    seconds: float = 0.0
    slowest: float = 0.0
    peak: int = 0

    @classmethod
    def of_all(cls, results: list["Result"]) -> "Result":
        """Return the sum, or the most, of each number."""
        summed = ("executions", "ever", "accepted", "edges", "features", "corpus", "seconds")
        numbers = {name: sum(getattr(each, name) for each in results) for name in summed}
        findings = tuple(f"{each.parser}/{name}" for each in results for name in each.findings)
        slowest, peak = max(each.slowest for each in results), max(each.peak for each in results)
        return cls("all", findings=findings, slowest=slowest, peak=peak, **numbers)


def fuzz(harness: Harness, executions: int, seed: int, cache: Path) -> Result:
    """Run a parser that many times, beginning with the corpus of earlier runs."""
    corpus, findings = cache / "corpus" / harness.name, cache / "findings" / harness.name
    corpus.mkdir(parents=True, exist_ok=True)
    findings.mkdir(parents=True, exist_ok=True)
    for raw in harness.seeds():
        if len(raw) <= harness.longest:
            (corpus / f"seed-{hashlib.sha1(raw).hexdigest()}").write_bytes(raw)
    result = Result(harness.name)
    for death in range(_MOST_DEATHS):
        if result.executions >= executions:
            break
        before = result.executions
        _run_child(harness.name, executions - result.executions, seed + 1000 * death, corpus, findings, result)
        if result.executions == before:
            print(f"{harness.name} does not run: see {findings}", flush=True)
            break
    result.findings = tuple(sorted(path.name for path in findings.iterdir() if path.suffix != ".txt"))
    result.corpus = sum(1 for _ in corpus.iterdir())
    log = cache / f"{harness.name}.log.jsonl"
    with log.open("a") as file:
        file.write(json.dumps(asdict(result) | {"seed": seed}) + "\n")
    result.ever = sum(json.loads(line)["executions"] for line in log.read_text().splitlines())
    return result


def _run_child(name: str, runs: int, seed: int, corpus: Path, findings: Path, result: Result) -> None:
    place = Path(tempfile.mkdtemp(prefix="fuzz-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    told, log = place / "result.json", place / "log"
    work = place / "work"
    work.mkdir()
    command = [sys.executable, "-m", "benchmarks.fuzz.child", name, str(runs), str(seed), str(corpus), str(findings), str(told)]
    environment = os.environ | {"TMPDIR": str(work), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    try:
        with log.open("wb") as file:
            code = subprocess.run(command, stdout=file, stderr=file, env=environment, check=False).returncode
        text = log.read_text("utf-8", "replace")
        facts = (
            json.loads(told.read_text())
            if told.exists()
            else {"executions": 0, "accepted": 0, "peak": 0, "slowest": 0, "seconds": 0}
        )
        result.executions += facts["executions"]
        result.accepted += facts["accepted"]
        result.seconds += facts["seconds"]
        result.peak, result.slowest = max(result.peak, facts["peak"]), max(result.slowest, facts["slowest"])
        if states := _STATE.findall(text):
            _, edges, features, _ = map(int, states[-1])
            result.edges, result.features = max(result.edges, edges), max(result.features, features)
        if code:
            (findings / f"died-{seed}.txt").write_text(f"exit code {code}\n{text[-4000:]}")
    finally:
        shutil.rmtree(place, ignore_errors=True)
