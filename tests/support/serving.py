"""A real server in a process of its own."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.commands import PROGRAM


@dataclass
class Serving:
    """A running server."""

    process: subprocess.Popen[str]
    address: str
    token: str

    @property
    def origin(self) -> str:
        return self.address.split("/#", maxsplit=1)[0]

    def stopped(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """End it with a signal; its exit code, and what it said after its address."""
        self.process.send_signal(number)
        _, rest = self.process.communicate(timeout=60)
        return self.process.returncode, rest


@contextmanager
def serving(registry: Path, *arguments: object, **environment: str) -> Iterator[Serving]:
    """Start `tensorguard serve` on a free port."""
    command = [*PROGRAM, "serve", "--registry", registry, "--port", "0", *arguments]
    process = subprocess.Popen(list(map(str, command)), stderr=subprocess.PIPE, text=True, env=os.environ | environment)
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        found = re.search(r"(http://\S+/#token=(\S+))", line)
        assert found, line + process.stderr.read()
        assert "Ctrl-C" in process.stderr.readline()
        yield Serving(process, found[1], found[2])
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()
