"""The log of a run: where its lines go, and what else is caught in it."""

import contextlib
import io
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import Literal, TextIO

from tensorguard.errors import ResourceError
from tensorguard.monitoring.events import LOGGER, tell
from tensorguard.monitoring.formats import JsonLines, Record, TextLines
from tensorguard.monitoring.redaction import Redaction

Form = Literal["json", "text"]

_LONGEST_LINE = 100_000


class Log:
    """A run's log.

    Attributes:
        redaction: What is hidden in it.
        owns_stderr: Whether stderr is this log's alone, so that everything else that is printed there becomes a line of it.
    """

    def __init__(self, form: Form, path: Path | None) -> None:
        self._form, self._path = form, path
        self.redaction = Redaction()
        self._record = Record(self.redaction)
        self.owns_stderr = form == "json" and path is None

    def of(self, command: str) -> None:
        """Name the command that runs."""
        self._record.command = command

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep the log while the block runs: our events, what libraries log from warnings on, and Python's warnings.

        Raises:
            ResourceError: The file cannot be written.
        """
        handler = self._handler()
        handler.setFormatter((JsonLines if self._form == "json" else TextLines)(self._record))
        root, ours, printed = logging.getLogger(), logging.getLogger(LOGGER), sys.stderr
        root.addHandler(handler)
        ours.setLevel(logging.INFO)
        logging.captureWarnings(True)
        try:
            with contextlib.closing(_Printed(printed)) as lines:
                if self.owns_stderr:
                    sys.stderr = lines
                yield
        finally:
            sys.stderr = printed
            logging.captureWarnings(False)
            ours.setLevel(logging.NOTSET)
            root.removeHandler(handler)
            handler.close()

    def _handler(self) -> logging.Handler:
        if self._path is None:
            return _Stream(sys.stderr)
        try:
            return _File(self._path, encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            raise ResourceError(f"the log cannot be written ({error.strerror})", where=self._path) from error


class _Quiet(logging.Handler):
    """What cannot be logged is lost: a full disk under a log ends no run, and is not said thousands of times."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Go on."""

    def close(self) -> None:
        """Let go, even of what cannot be written."""
        with contextlib.suppress(OSError):
            super().close()


class _Stream(_Quiet, logging.StreamHandler[TextIO]):
    """Lines to stderr."""


class _File(_Quiet, WatchedFileHandler):
    """Lines at the end of a file, which may be moved away and made anew meanwhile (log rotation)."""


class _Printed(io.TextIOBase):
    """Stands where stderr was: what libraries and ourselves print there becomes lines of the log."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._rest = stream, ""

    def write(self, text: str) -> int:
        """Log every line that is whole; one without an end is cut."""
        *lines, self._rest = (self._rest + text).split("\n")
        if len(self._rest) > _LONGEST_LINE:
            lines, self._rest = [*lines, self._rest], ""
        for line in lines:
            if line.strip():
                tell("printed", message=line)
        return len(text)

    def close(self) -> None:
        """Log what is left without an end."""
        if not self.closed:
            self.write("\n")
        super().close()

    def fileno(self) -> int:
        """Return the descriptor, for processes that are started."""
        return self._stream.fileno()

    def writable(self) -> bool:
        """Say yes."""
        return True
