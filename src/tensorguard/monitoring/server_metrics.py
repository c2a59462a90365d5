"""Metrics of a server: requests by route, jobs, answers, the registry. Labels are routes and words of ours, never what a request said."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tensorguard.monitoring.exposition import Metrics

METHODS = ("GET", "HEAD", "POST", "DELETE")
KINDS, OVER = ("scan", "check"), ("done", "failed", "cancelled")
OTHER = "other"
_REQUEST_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_JOB_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)
_MOST = 64
"""Different routes and answers that are told apart, whatever comes."""


@dataclass(frozen=True, slots=True)
class State:
    """What a server has at the moment.

    Attributes:
        jobs: How many jobs are in each state.
        entries: How many entries the registry has, under whatever key; None if that cannot be told.
        files: Bytes of the registry's `database` and `index`.
    """

    jobs: dict[str, int]
    entries: int | None
    files: dict[str, int]


class ServerMetrics:
    """Counts what a server does. Safe to use from several threads."""

    def __init__(self, state: Callable[[], State]) -> None:
        self.metrics = Metrics()
        registry = self.metrics.registry
        registry.register(_State(state))
        asked = ["method", "route"]
        self._requests = Counter(
            "tensorguard_http_requests", "Requests that were answered.", [*asked, "status"], registry=registry
        )
        self._seconds = Histogram(
            "tensorguard_http_request_seconds", "Seconds that answers took.", asked, buckets=_REQUEST_SECONDS, registry=registry
        )
        self.under_way = Gauge("tensorguard_http_requests_in_flight", "Requests that are being answered.", registry=registry)
        self._jobs = Counter("tensorguard_jobs", "Jobs that are over.", ["kind", "status"], registry=registry)
        self._job_seconds = Histogram(
            "tensorguard_job_seconds", "Seconds that jobs ran.", ["kind"], buckets=_JOB_SECONDS, registry=registry
        )
        self._answers = Counter("tensorguard_answers", "What scans and checks came to.", ["kind", "answer"], registry=registry)
        self._words: set[str] = set()
        for kind in KINDS:
            for status in OVER:
                self._jobs.labels(kind, status)

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request; the route is the template, not the path."""
        asked = (method if method in METHODS else OTHER, self._bounded(route))
        self._requests.labels(*asked, str(status)).inc()
        self._seconds.labels(*asked).observe(seconds)

    def job(self, kind: str, status: str, seconds: float | None, answer: str) -> None:
        """Count a job that is over."""
        self._jobs.labels(kind, status).inc()
        if seconds is not None:
            self._job_seconds.labels(kind).observe(seconds)
        if answer:
            self._answers.labels(kind, self._bounded(answer)).inc()

    def _bounded(self, word: str) -> str:
        if word not in self._words and len(self._words) < _MOST:
            self._words.add(word)
        return word if word in self._words else OTHER


class _State(Collector):
    """What a server has, asked when it is wanted."""

    def __init__(self, state: Callable[[], State]) -> None:
        self._state = state

    def collect(self) -> Iterator[Metric]:
        """Yield the families."""
        state = self._state()
        jobs = GaugeMetricFamily("tensorguard_jobs_now", "Jobs by state; results are kept for a while.", labels=["status"])
        for status, count in state.jobs.items():
            jobs.add_metric([status], count)
        files = GaugeMetricFamily(
            "tensorguard_registry_file_bytes", "Bytes of the registry's database and indexes.", labels=["file"]
        )
        for name, size in state.files.items():
            files.add_metric([name], size)
        yield jobs
        yield files
        if state.entries is not None:
            yield GaugeMetricFamily(
                "tensorguard_registry_entries", "Entries of the registry, under whatever key.", state.entries
            )
