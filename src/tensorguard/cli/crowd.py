"""What a terminal shows while many models are worked on: how far it is, how fast, what failed, and what is under way."""

import threading
import time
from dataclasses import dataclass, field

from tensorguard.errors import quote
from tensorguard.progress import Fact

_SHOWN = 8
"""Models under way that are listed, those that take longest first."""
_NAME = 60

_READ = ("done", "added", "replaced")
_THERE = ("finished before", "there already")


@dataclass
class Crowd:
    """Counts models by the events that `api.many` and `api.building` tell.

    Attributes:
        total: How many there are.
    """

    total: int = 0
    _begun: float = field(default_factory=time.monotonic)
    _over: dict[str, int] = field(default_factory=dict)
    _left: int = 0
    _read: int = 0
    _worked: int = 0
    _running: dict[str, tuple[float, int]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def event(self, name: str, facts: dict[str, Fact]) -> None:
        """Hear that there are models, that one is begun, or that one is over."""
        model, size = str(facts.get("model")), _number(facts.get("size"))
        with self._lock:
            if name == "models":
                self.total, self._left, self._begun = _number(facts.get("total")), _number(facts.get("bytes")), time.monotonic()
            elif name == "begun":
                self._running[model] = time.monotonic(), size
            elif name == "model":
                status, nbytes = str(facts.get("status")), _number(facts.get("bytes"))
                self._over[status] = self._over.get(status, 0) + 1
                self._left -= self._running.pop(model, (0.0, nbytes))[1]
                self._read += nbytes if status in _READ else 0
                self._worked += status not in _THERE

    def lines(self) -> list[str]:
        """Return what to show now."""
        now = time.monotonic()
        with self._lock:
            over, running, seconds = dict(self._over), dict(self._running), max(now - self._begun, 1e-3)
            told = [
                f"{sum(over.values()):,} of {self.total:,} models",
                *(f"{count:,} {status}" for status, count in over.items()),
            ]
            if self._read:
                told.append(_speed(self._read / seconds))
            told += [f"{_clock(seconds)} since the start", *self._rest(seconds)]
        first = sorted(running, key=lambda model: running[model])[:_SHOWN]
        shown = [f"  {_clock(now - running[m][0])} {_gigabytes(running[m][1])} {_cut(m)}" for m in first]
        more = [f"  and {len(running) - _SHOWN} more under way"] if len(running) > _SHOWN else []
        return [" · ".join(told), *shown, *more]

    def _rest(self, seconds: float) -> list[str]:
        """Return how long the rest will take: by bytes if they are known, else by models."""
        if self._read and self._left > 0:
            return [f"about {_clock(self._left / self._read * seconds)} left"]
        left = self.total - sum(self._over.values())
        return [f"about {_clock(left / self._worked * seconds)} left"] if self._worked and left else []


def _number(fact: Fact) -> int:
    return int(fact) if isinstance(fact, int | float) else 0


def _speed(bytes_per_second: float) -> str:
    return f"{bytes_per_second / 1e9:.2f} GB/s" if bytes_per_second >= 1e8 else f"{bytes_per_second / 1e6:.1f} MB/s"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:8.2f} GB" if size else " " * 11


def _cut(name: str) -> str:
    """Return the end of a model's place, which says most; made harmless."""
    shown = quote(name, 1000)[1:-1]
    return shown if len(shown) <= _NAME else f"…{shown[1 - _NAME :]}"
