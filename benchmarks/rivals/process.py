"""A rival in a process of its own: one process for all models and pairs, so its start-up is counted once, and its memory alone."""

import json
import math
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.rivals.base import Cost, NotRunError, Score, Usage

_ROOT = Path(__file__).resolve().parents[2]
_OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "PYTHONPATH": str(_ROOT)}


class ProcessRival:
    """A rival whose driver is `python -m benchmarks.rivals.MODULE`, by an interpreter that is found or made when it is first needed.

    Args:
        name: What the tables call it.
        module: The driver's module.
        interpreter: Returns the Python to run it with, or raises `NotRunError`.
    """

    def __init__(self, name: str, module: str, interpreter: Callable[[], Path]) -> None:
        self.name = name
        self.costs: dict[Path, Cost] = {}
        self._module = module
        self._interpreter = interpreter
        self._process: subprocess.Popen[str] | None = None
        # Lives as long as the process.
        self._log = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        self._usage = Usage(0.0, 0, 0)

    def prepare(self, models: Sequence[Path]) -> None:
        for model in models:
            if model not in self.costs:
                reply = self._ask({"prepare": str(model)})
                self.costs[model] = Cost(reply["seconds"], reply.get("size", 0), reply.get("failure", ""))

    def score(self, a: Path, b: Path) -> Score:
        for model in (a, b):
            if failure := self.costs[model].failure:
                return Score(math.nan, None, abstained=True, seconds=0.0, note=f"{model.name}: {failure}")
        reply = self._ask({"a": str(a), "b": str(b)})
        note = reply.get("failure", "")
        if not note and not math.isfinite(reply["score"]):
            note = f"its score is {reply['score']}"
        if note:
            return Score(math.nan, None, abstained=True, seconds=reply["seconds"], note=note)
        return Score(reply["score"], reply["linked"], abstained=False, seconds=reply["seconds"])

    def usage(self) -> Usage:
        return self._usage

    def close(self) -> None:
        if self._process and self._process.stdin:
            with suppress(BrokenPipeError):
                self._process.stdin.close()
            self._process.wait()
        self._process = None
        self._log.close()

    def _start(self) -> subprocess.Popen[str]:
        command = [str(self._interpreter()), "-m", f"benchmarks.rivals.{self._module}"]
        began = time.perf_counter()
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            encoding="utf-8",
            cwd=_ROOT,
            env=os.environ | _OFFLINE,
        )
        ready = self._reply(process)
        self._usage = Usage(time.perf_counter() - began, ready["memory"], ready["memory"])
        return process

    def _ask(self, request: dict[str, str]) -> dict[str, Any]:
        self._process = self._process or self._start()
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise NotRunError(self._last_words()) from None
        reply = self._reply(self._process)
        self._usage = Usage(self._usage.start_up, self._usage.memory_at_start, reply["memory"])
        return reply

    def _reply(self, process: subprocess.Popen[str]) -> dict[str, Any]:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            process.wait()
            raise NotRunError(self._last_words())
        reply: dict[str, Any] = json.loads(line)
        return reply

    def _last_words(self) -> str:
        self._log.seek(0)
        lines = self._log.read().strip().splitlines()
        return f"{self.name}'s process ended: {lines[-1] if lines else 'without a word'}"
