"""Metrics of a long run, counted from its progress events. Labels are words of ours: no name of a model, a file or a task is one."""

import threading
import time

from prometheus_client import Counter, Gauge, Histogram

from tensorguard.monitoring.exposition import Metrics
from tensorguard.progress import Fact
from tensorguard.version import __version__

BEGUN, OVER = "begun", "model"
"""Events of one of many models."""

STATUSES = ("done", "finished before", "added", "replaced", "facts changed", "there already", "not at hand", "failed")
KINDS = ("fault", "usage", "input", "not-found", "partial", "resource")
TASKS = ("models", "read", "sweep", "candidates", "pairs", "open", "vectors", "entries", "archive")
UNITS = ("elements", "bytes", "models", "candidates", "pairs", "vectors", "entries", "steps")
OTHER = "other"
SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200)


class RunMetrics:
    """Counts what it hears."""

    def __init__(self, metrics: Metrics) -> None:
        registry, self._lock = metrics.registry, threading.Lock()
        self._tasks: dict[str, tuple[str, str]] = {}
        self._begun: set[Fact] = set()
        version = Gauge("tensorguard_run_info", "What runs.", ["version"], registry=registry)
        version.labels(__version__).set(1)
        Gauge("tensorguard_run_start_time_seconds", "When the run began, in seconds since 1970.", registry=registry).set(
            time.time()
        )
        self._ended = Gauge(
            "tensorguard_run_end_time_seconds", "When it ended, in seconds since 1970; 0 while it runs.", registry=registry
        )
        self._code = Gauge("tensorguard_run_exit_code", "Its exit code; -1 while it runs.", registry=registry)
        self._code.set(-1)
        self._models = Counter(
            "tensorguard_models", "Models that are over, by what became of them.", ["status"], registry=registry
        )
        self._failures = Counter(
            "tensorguard_model_failures", "Models that failed, by the kind of reason.", ["kind"], registry=registry
        )
        self._bytes = Counter("tensorguard_model_bytes", "Bytes of the models that are over.", registry=registry)
        self._seconds = Histogram(
            "tensorguard_model_seconds", "Seconds that one model took.", buckets=SECONDS, registry=registry
        )
        self._planned = Gauge("tensorguard_models_planned", "Models that the run was given.", registry=registry)
        self._workers = Gauge("tensorguard_workers", "Models that are worked at side by side, at most.", registry=registry)
        self._given = Gauge("tensorguard_planned_bytes", "Bytes of the models that the run was given.", registry=registry)
        self._waiting = Gauge("tensorguard_models_left", "Models that are not over: in flight or waiting.", registry=registry)
        self._flying = Gauge("tensorguard_models_in_flight", "Models that were begun and are not over.", registry=registry)
        self._done = Counter("tensorguard_work_done", "Units of work done.", ["task", "unit"], registry=registry)
        self._asked = Counter(
            "tensorguard_work_asked", "Units of work that tasks began with.", ["task", "unit"], registry=registry
        )
        self._running = Gauge("tensorguard_tasks_running", "Tasks under way.", ["task"], registry=registry)
        # From the beginning: what appears with its first count has risen by nothing, as far as Prometheus can see.
        for status in STATUSES:
            self._models.labels(status)
        for kind in (*KINDS, OTHER):
            self._failures.labels(kind)

    def start(self, task: str, total: int, unit: str) -> None:
        """A task begins."""
        labels = (task if task in TASKS else OTHER, unit if unit in UNITS else OTHER)
        with self._lock:
            self._tasks[task] = labels
        self._asked.labels(*labels).inc(total)
        self._running.labels(labels[0]).inc()
        if task == "models":
            self._planned.set(total)
            self._waiting.set(total)

    def advance(self, task: str, amount: int) -> None:
        """More of it is done."""
        labels = self._tasks.get(task)
        if labels is not None:
            self._done.labels(*labels).inc(amount)
        if task == "models":
            self._waiting.dec(amount)

    def finish(self, task: str) -> None:
        """It is over."""
        with self._lock:
            labels = self._tasks.pop(task, None)
        if labels is not None:
            self._running.labels(labels[0]).dec()

    def event(self, name: str, **facts: Fact) -> None:
        """Count a model that was begun, or is over."""
        if name == "models":
            self._workers.set(_number(facts.get("workers")))
            self._given.set(_number(facts.get("bytes")))
        if name not in (BEGUN, OVER):
            return
        with self._lock:
            (self._begun.add if name == BEGUN else self._begun.discard)(facts.get("model"))
            self._flying.set(len(self._begun))
        if name == OVER:
            self._count(facts)

    def ended(self, code: int) -> None:
        """The run is over."""
        self._code.set(code)
        self._ended.set(time.time())

    def _count(self, facts: dict[str, Fact]) -> None:
        status, kind = facts.get("status"), facts.get("kind")
        self._models.labels(status if status in STATUSES else OTHER).inc()
        if status == "failed":
            self._failures.labels(kind if kind in KINDS else OTHER).inc()
        self._bytes.inc(_number(facts.get("bytes")))
        self._seconds.observe(_number(facts.get("seconds")))


def _number(fact: Fact) -> float:
    return max(0.0, float(fact)) if isinstance(fact, int | float) else 0.0
