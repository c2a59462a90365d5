"""Runs one input after the other and notes what must not happen: another error, too long, too much memory, a file that is none of its."""

import hashlib
import os
import resource
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from tensorguard.errors import TensorGuardError

SECONDS, BYTES = 5.0, 100_000_000
"""What no input of a few kilobytes may cost: processor seconds, and bytes above what the process had."""

_FUSE = 1 << 30
"""Address space above what the process had, where allocations begin to fail."""

_LONGEST_MESSAGE = 2_000
_WRITES = ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod")
_NEVER = (
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "socket.connect",
    "socket.bind",
    "pickle.find_class",
)
_OPENED_TO_WRITE = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


class ForbiddenError(BaseException):
    """An input had something done that no input may have done."""


class Guard:
    """Calls a harness; each kind of finding is kept once, with the shortest input that shows it.

    Attributes:
        executions: Inputs that were run.
        accepted: Those of which nothing was refused.
        slowest: Most processor seconds of one input.
        peak: Bytes that one input took at most above what the process held before it.
    """

    def __init__(self, run: Callable[[bytes], None], findings: Path, place: Path) -> None:
        self._run, self._findings, self._place = run, findings, str(place)
        self.executions = self.accepted = 0
        self.slowest, self.peak = 0.0, 0
        self._inside = False
        findings.mkdir(parents=True, exist_ok=True)
        sys.addaudithook(self._hears)
        self._clear = os.open("/proc/self/clear_refs", os.O_WRONLY)

    def limit_memory(self) -> None:
        """Have allocations fail that are far beyond what is allowed."""
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + _FUSE, used + _FUSE))

    def __call__(self, data: bytes) -> None:
        """Run one input."""
        os.write(self._clear, b"5")  # the peak is that of this input from here on (proc_pid_clear_refs(5))
        before, begun = _peak(), time.process_time()
        error = self._error(data)
        if isinstance(error, TensorGuardError):
            self._judge(error, data)
        elif error is not None:
            self._note(
                "forbidden" if isinstance(error, ForbiddenError) else type(error).__name__, str(error)[:300], error, data
            )
        else:
            self.accepted += 1
        self.executions += 1
        spent, more = time.process_time() - begun, _peak() - before
        self.slowest, self.peak = max(self.slowest, spent), max(self.peak, more)
        if spent > SECONDS:
            self._note("slow", f"{spent:.1f} s", None, data)
        if more > BYTES:
            self._note("memory", f"{more / 1e6:.0f} MB", None, data)

    def _error(self, data: bytes) -> BaseException | None:
        """Run one input under the audit hook; return what it raised."""
        self._inside = True
        try:
            self._run(data)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            return error
        finally:
            self._inside = False
        return None

    def _judge(self, error: TensorGuardError, data: bytes) -> None:
        """A refusal is one short line that can be printed and written."""
        shown = str(error)
        if not shown.isprintable() or len(shown) > _LONGEST_MESSAGE or not error.message:
            self._note("message", repr(shown)[:300], error, data)
        try:
            repr(sorted(error.fields().items())).encode("utf-8")
        except UnicodeEncodeError:
            self._note("message", ascii(shown)[:300], error, data)

    def _note(self, kind: str, what: str, error: BaseException | None, data: bytes) -> None:
        frames = traceback.extract_tb(error.__traceback__) if error else []
        own = [f"{Path(each.filename).name}:{each.lineno}" for each in frames if "tensorguard" in each.filename]
        where = " < ".join(reversed(own[-6:]))
        title = hashlib.blake2b(f"{kind} {own[-1] if own else what[:20]}".encode(), digest_size=6).hexdigest()
        path = self._findings / f"{kind}-{title}"
        if not path.exists() or path.stat().st_size > len(data):
            path.write_bytes(data)
            path.with_suffix(".txt").write_text(f"{kind}: {what}\n{where}\n", "utf-8", "backslashreplace")

    def _hears(self, event: str, arguments: tuple[object, ...]) -> None:
        if not self._inside:
            return
        if event in _NEVER:
            raise ForbiddenError(f"{event} {arguments!r}"[:300])
        if event in _WRITES and not self._is_own(_target(event, arguments)):
            raise ForbiddenError(f"{event} {arguments!r}"[:300])
        if event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
            flags = arguments[2] if isinstance(arguments[2], int) else 0
            if flags & _OPENED_TO_WRITE and not self._is_own(arguments[0]):
                raise ForbiddenError(f"opened to be written: {arguments!r}"[:300])
            if not self._is_own(arguments[0]) and not _is_of_program(arguments[0]):
                raise ForbiddenError(f"read from outside: {arguments!r}"[:300])

    def _is_own(self, path: object) -> bool:
        return isinstance(path, str | bytes | os.PathLike) and os.path.abspath(os.fsdecode(path)).startswith(self._place)  # noqa: PTH100


_WHERE = {
    "os.link": (1, 3),
    "os.rename": (1, 3),
    "os.symlink": (1, 2),
    "os.mkdir": (0, 2),
    "os.chmod": (0, 2),
    "os.truncate": (0, 0),
}
"""Event -> which of its arguments are the path that it makes or changes, and the descriptor of the folder that this is below."""


def _target(event: str, arguments: tuple[object, ...]) -> object:
    """Return what an event makes or changes."""
    path, folder = (arguments[at] for at in _WHERE.get(event, (0, 1)))
    if isinstance(folder, int) and folder >= 0 and isinstance(path, str):
        return os.path.join(os.readlink(f"/proc/self/fd/{folder}"), path)  # noqa: PTH115, PTH118
    return path


_ROOTS = tuple(map(os.path.realpath, (sys.prefix, sys.base_prefix, Path(__file__).parents[2], "/proc", "/sys", "/dev/urandom",
                                      "/dev/null", "/etc")))  # fmt: skip
"""Where Python and this project read files for themselves."""


def _is_of_program(path: str | bytes | os.PathLike[str]) -> bool:
    return os.path.realpath(os.fsdecode(path)).startswith(_ROOTS)


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
