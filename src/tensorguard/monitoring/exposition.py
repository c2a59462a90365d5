"""Metrics in Prometheus' text format: on a port, or in a file that node_exporter's textfile collector reads."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from tensorguard.errors import ResourceError, TensorGuardError
from tensorguard.formats.atomic import replacing
from tensorguard.monitoring.events import tell
from tensorguard.monitoring.usage import usage
from tensorguard.sources.kept import KEPT
from tensorguard.sources.traffic import TRAFFIC

INTERVAL = 15.0
"""Seconds between two versions of the file."""

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics(Collector):
    """All metrics of a process, with the labels that all of them have."""

    def __init__(self, labels: Mapping[str, str] | None = None) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        self._labels = dict(labels or {})
        # With a prefix: node_exporter has metrics of its own process beside those of the files that it reads.
        ProcessCollector(namespace="tensorguard", registry=self.registry)
        self.registry.register(_Usage())

    def collect(self) -> Iterator[Metric]:
        """Yield the families; times at which counters were made, which the library adds, are left out."""
        for family in self.registry.collect():
            family.samples = [
                Sample(each.name, {**self._labels, **each.labels}, each.value)
                for each in family.samples
                if each.name != f"{family.name}_created"
            ]
            yield family

    def restricted_registry(self, names: object) -> "Metrics":  # noqa: ARG002
        """Return all, whatever names a scraper asks for: the library's server calls this."""
        return self

    def text(self) -> bytes:
        """Return what a scraper gets."""
        return generate_latest(self)


class _Usage(Collector):
    """What the process has taken, asked when it is wanted."""

    def collect(self) -> Iterator[Metric]:
        """Yield the families."""
        now = usage()
        yield GaugeMetricFamily(
            "tensorguard_peak_memory_bytes",
            "Most resident memory of this process or of a worker that ended.",
            now.peak_memory_bytes,
        )
        yield CounterMetricFamily(
            "tensorguard_cpu_seconds", "Processor time of this process and of workers that ended.", now.cpu_seconds
        )
        if now.read_bytes is not None:
            yield CounterMetricFamily(
                "tensorguard_read_bytes", "Bytes that this process read, those in the page cache included.", now.read_bytes
            )
        kept = GaugeMetricFamily(
            "tensorguard_kept_bytes", "Bytes of models on servers that are kept to be read again.", labels=["where"]
        )
        for where, count in zip(("memory", "disk"), KEPT.held, strict=True):
            kept.add_metric([where], count)
        yield kept
        yield CounterMetricFamily("tensorguard_network_read_bytes", "Bytes of models read over the network.", TRAFFIC.read)


@contextlib.contextmanager
def on_port(metrics: Metrics, host: str, port: int) -> Iterator[str]:
    """Serve metrics while the block runs; yields their address.

    Raises:
        ResourceError: The port is taken, or the address is not of this machine.
    """
    try:
        server, thread = start_http_server(port, host, metrics)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ResourceError(
            f"cannot serve metrics on {host}, port {port}: {reason}", hint="choose another: --metrics-port PORT"
        ) from error
    try:
        yield f"http://{f'[{host}]' if ':' in host else host}:{server.server_port}/metrics"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(1)


class MetricsFile:
    """A file of metrics, replaced as a whole: at the start, now and then, and at the end."""

    def __init__(self, metrics: Metrics, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._metrics, self._path, self._clock = metrics, path, clock
        self._lock, self._written, self._failed = threading.Lock(), 0.0, False

    def write(self) -> None:
        """Write it.

        Raises:
            ResourceError: It cannot be written.
        """
        with self._lock:
            self._written = self._clock()
            with replacing(self._path) as file:
                file.write(self._metrics.text())

    def refresh(self, *, now: bool = False) -> None:
        """Write it if it is old, or `now`; where that fails the run goes on, and the file shows by its age that it is not kept up."""
        if not now and self._clock() - self._written < INTERVAL:
            return
        try:
            self.write()
        except TensorGuardError as error:
            if not self._failed:
                tell("note", bad=True, name="metrics-file", facts=error.fields())
            self._failed = True
