"""Who else hears of a run, beside its user: a log, metrics, spans. Nobody, unless an option or a variable says so."""

import os
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from tensorguard.progress import Progress, Several
from tensorguard.sources.traffic import TRAFFIC

if TYPE_CHECKING:
    from tensorguard.monitoring.exposition import MetricsFile
    from tensorguard.monitoring.logs import Log
    from tensorguard.monitoring.run_metrics import RunMetrics
    from tensorguard.monitoring.spans import Spans

LOG, LOG_FILE = ("--log", "TENSORGUARD_LOG"), ("--log-file", "TENSORGUARD_LOG_FILE")
"""Options, and the variables that stand for them."""
FORMS = ("json", "text")

_OPEN_TELEMETRY = "OTEL_"


class Watch:
    """Everybody who hears of one run of a command."""

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self._stack, self._began = ExitStack(), time.monotonic()
        self._failure: dict[str, str] = {}
        self._listeners: list[Progress] = []
        self._log: Log | None = None
        self._metrics: RunMetrics | None = None
        self._file: MetricsFile | None = None
        self._spans: Spans | None = None

    @property
    def owns_stderr(self) -> bool:
        """Whether stderr holds log lines and nothing else."""
        return self._log is not None and self._log.owns_stderr

    def begin(self, arguments: Sequence[str]) -> None:
        """Begin the log that arguments or environment ask for: before arguments are understood, as what is wrong with them goes there too.

        Raises:
            ResourceError: The log cannot be written.
        """
        self._forget()
        TRAFFIC.reset()
        form, path = _asked(arguments, *LOG), _asked(arguments, *LOG_FILE)
        if form not in FORMS and not (path and form is None):
            return
        from tensorguard.monitoring.log_listener import LogListener
        from tensorguard.monitoring.logs import Log

        self._log = Log("text" if form == "text" else "json", Path(path) if path else None)
        self._stack.enter_context(self._log.kept())
        self._listeners.append(LogListener())

    def command(self, name: str, port: tuple[str, int] | None = None, file: Path | None = None) -> None:
        """The command is known, and begins.

        Args:
            name: What it is called.
            port: Where metrics are served, host and port.
            file: Where metrics are kept.

        Raises:
            ResourceError: Metrics cannot be served or kept there, or their library is missing.
        """
        if self._log is not None:
            from tensorguard.monitoring.events import SCHEMA, tell
            from tensorguard.version import __version__

            self._log.of(name)
            tell("command-started", schema=SCHEMA, version=__version__, pid=os.getpid())
        if port is not None or file is not None:
            self._measure(name, port, file)
        if any(each.startswith(_OPEN_TELEMETRY) for each in os.environ):
            self._trace(name)

    def heard(self, listener: Progress) -> Progress:
        """Return a listener that passes on to everybody."""
        return Several([listener, *self._listeners]) if self._listeners else listener

    def hide(self, secret: str) -> None:
        """Let a secret appear in no log."""
        if self._log is not None:
            self._log.redaction.hide(secret)

    def failed(self, kind: str, message: str, where: str, hint: str) -> None:
        """Take note of why the command fails."""
        self._failure = {"kind": kind, "error": message, "where": where, "hint": hint}

    def end(self, code: int) -> None:
        """The command is over: tell everybody, and let them go."""
        try:
            if self._spans is not None and not self._spans.ended(code, self._failure):
                self._warn("the collector of traces does not answer: some are lost")
            if self._metrics is not None:
                self._metrics.ended(code)
            if self._file is not None:
                self._file.refresh(now=True)
            if self._log is not None:
                self._tell_end(code)
        finally:
            self._stack.close()
            self._forget()

    def _tell_end(self, code: int) -> None:
        from tensorguard.monitoring.events import WELL, tell
        from tensorguard.monitoring.usage import usage

        used = usage()
        tell(
            "command-ended",
            bad=code not in WELL,
            code=code,
            seconds=time.monotonic() - self._began,
            cpu_seconds=used.cpu_seconds,
            peak_memory_bytes=used.peak_memory_bytes,
            network_bytes=TRAFFIC.read,
            **(self._failure or ({"kind": "usage"} if code == 2 else {})),
        )

    def _measure(self, name: str, port: tuple[str, int] | None, file: Path | None) -> None:
        from importlib.util import find_spec

        from tensorguard.errors import ResourceError

        if find_spec("prometheus_client") is None:
            raise ResourceError("prometheus_client is not installed", hint="pip install 'tensorguard-llm[metrics]'")
        from tensorguard.monitoring.exposition import Metrics, MetricsFile, on_port
        from tensorguard.monitoring.file_listener import Refreshing
        from tensorguard.monitoring.run_metrics import RunMetrics

        # Files of several runs are read together: what tells their metrics apart is the name that the user gave each.
        metrics = Metrics({"command": name} | ({"run": file.stem} if file else {}))
        self._metrics = RunMetrics(metrics)
        self._listeners.append(self._metrics)
        if file is not None:
            self._file = MetricsFile(metrics, file)
            self._file.write()
            self._listeners.append(Refreshing(self._file))
        if port is not None:
            self._say(self._stack.enter_context(on_port(metrics, *port)))

    def _say(self, address: str) -> None:
        from tensorguard.monitoring.events import tell

        tell("metrics", address=address)
        if not self.owns_stderr:
            print(f"metrics: {address}", file=sys.stderr, flush=True)

    def _warn(self, message: str) -> None:
        from tensorguard.monitoring.events import tell

        tell("note", bad=True, name="warning", facts={"message": message})
        if not self.owns_stderr:
            print(f"tensorguard: warning: {message}", file=sys.stderr)

    def _trace(self, name: str) -> None:
        from tensorguard.monitoring.spans import Spans, provider, wanted

        if wanted() and (found := provider()) is not None:
            self._spans = Spans(found, name)
            self._listeners.append(self._spans)


WATCH = Watch()
"""Of the command that runs."""


def _asked(arguments: Sequence[str], option: str, variable: str) -> str | None:
    """Return an option's value as it will be understood."""
    found = os.environ.get(variable)
    for at, word in enumerate(arguments):
        if word == "--":
            break
        if word == option and at + 1 < len(arguments):
            found = arguments[at + 1]
        elif word.startswith(f"{option}="):
            found = word.removeprefix(f"{option}=")
    return found or None
