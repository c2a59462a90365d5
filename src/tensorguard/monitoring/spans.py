"""Spans of OpenTelemetry: a command, its models, and the stages of a model that is read in this process.

Where they go is said by the standard's own variables (OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_TRACES_EXPORTER, OTEL_SERVICE_NAME ...), and
without one that asks for traces nothing of it is imported.
"""

import logging
import os
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from tensorguard.monitoring.events import WELL, tell
from tensorguard.monitoring.redaction import Redaction
from tensorguard.progress import Fact
from tensorguard.version import __version__

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span

STAGES: Mapping[str, str] = {"open": "open", "read": "sixteen", "sweep": "sweep", "candidates": "evidence", "pairs": "evidence"}
"""Tasks, and what their spans are called; a task that is none of these is `work`."""

_GROUP = "opentelemetry_traces_exporter"
PARTING = 5.0
"""Seconds that the last spans get to be handed over."""
_MOST = 10_000
"""Stages that are remembered until it is known of which model they are."""


def wanted() -> bool:
    """Say whether the environment asks for traces."""
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporter = os.environ.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    places = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    return exporter != "none" and (bool(exporter) or any(os.environ.get(name) for name in places))


@dataclass(frozen=True, slots=True)
class _Stage:
    """A task that is over; times in nanoseconds since 1970."""

    task: str
    began: int
    ended: int
    unit: str
    total: int


class Spans:
    """Makes spans of what it hears; a model's when it is over, with the stages that were told while it ran."""

    def __init__(self, provider: "TracerProvider", command: str) -> None:
        self._provider, self._tracer = provider, provider.get_tracer("tensorguard", __version__)
        self._safe, self._lock = Redaction().safe, threading.Lock()
        self._running: dict[str, tuple[int, int, str]] = {}
        self._stages: list[_Stage] = []
        self._command = self._tracer.start_span(
            f"tensorguard {command}", context=_parent(), attributes={"tensorguard.command": command}
        )

    def start(self, task: str, total: int, unit: str) -> None:
        """Take note of when it began."""
        with self._lock:
            self._running[task] = (time.time_ns(), total, unit)

    def advance(self, task: str, amount: int) -> None:
        """A span has no length until it is over."""

    def finish(self, task: str) -> None:
        """Keep the stage until its model is over, too."""
        with self._lock:
            found = self._running.pop(task, None)
            if found is not None and len(self._stages) < _MOST and task != "models":
                began, total, unit = found
                self._stages.append(_Stage(task, began, time.time_ns(), unit, total))

    def event(self, name: str, **facts: Fact) -> None:
        """Make a model's span, and those of its stages below it."""
        if name != "model":
            return
        from opentelemetry.trace import set_span_in_context
        from opentelemetry.trace.status import Status, StatusCode

        now = time.time_ns()
        seconds = facts.get("seconds")
        began = now - int(seconds * 1e9) if isinstance(seconds, int | float) else now
        with self._lock:
            # Models that are read here are read one after the other; those of others tell no stages.
            inside, self._stages = self._stages, []
        began = min([began, *(each.began for each in inside)])
        told = {f"tensorguard.{fact}": self._value(value) for fact, value in facts.items() if value is not None}
        span = self._tracer.start_span("model", set_span_in_context(self._command), attributes=told, start_time=began)
        self._write(inside, span)
        if facts.get("status") == "failed":
            span.set_status(Status(StatusCode.ERROR, self._safe(facts.get("error") or "")))
        span.end(now)

    def ended(self, code: int, failure: Mapping[str, str]) -> bool:
        """End the command's span, and hand over what was not handed over yet; say whether that ended in time."""
        from opentelemetry.trace.status import Status, StatusCode

        self._write(self._stages, self._command)
        self._command.set_attribute("tensorguard.exit_code", code)
        for name, value in failure.items():
            self._command.set_attribute(f"tensorguard.{name}", self._safe(value))
        if code not in WELL:
            self._command.set_status(Status(StatusCode.ERROR, self._safe(failure.get("error", ""))))
        self._command.end()
        # A collector that does not answer holds nobody up for long.
        parting = threading.Thread(target=self._provider.shutdown, daemon=True)
        parting.start()
        parting.join(PARTING)
        return not parting.is_alive()

    def _write(self, stages: Sequence[_Stage], parent: "Span") -> None:
        from opentelemetry.trace import set_span_in_context

        for stage in stages:
            told: dict[str, str | int] = {
                "tensorguard.task": self._safe(stage.task),
                "tensorguard.unit": self._safe(stage.unit),
                "tensorguard.total": stage.total,
            }
            name = STAGES.get(stage.task, "work")
            self._tracer.start_span(name, set_span_in_context(parent), attributes=told, start_time=stage.began).end(stage.ended)

    def _value(self, value: Fact) -> str | int | float | bool:
        return self._safe(value) if isinstance(value, str) or value is None else value


def provider() -> "TracerProvider | None":
    """Return what makes spans and hands them over, as the environment says; None where a library for that is missing, which is logged."""
    try:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        exporters = [_exporter(name) for name in os.environ.get("OTEL_TRACES_EXPORTER", "otlp").split(",")]
    except (ImportError, StopIteration):
        tell("note", bad=True, name="no-traces", facts={"hint": "pip install 'tensorguard-llm[otel]'"})
        return None
    logging.getLogger("opentelemetry").setLevel(logging.ERROR)  # that a try failed is said by what comes of the last one
    named = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": "tensorguard"}
    # Its own end comes from `Spans.ended`, within a time; the library's at exit has none.
    found = TracerProvider(resource=Resource.create({**named, "service.version": __version__}), shutdown_on_exit=False)
    for exporter in exporters:
        found.add_span_processor(BatchSpanProcessor(exporter))
    return found


def _exporter(name: str) -> "SpanExporter":
    """Return the exporter of a name that the standard knows, by the entry points that the libraries have for that."""
    protocol = (
        os.environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL") or "http/protobuf"
    )
    known = {"": "otlp_proto_http", "otlp": "otlp_proto_grpc" if protocol == "grpc" else "otlp_proto_http"}
    wanted = known.get(name.strip().lower(), name.strip())
    found: SpanExporter = next(iter(entry_points(group=_GROUP, name=wanted))).load()()
    return found


def _parent() -> "Context | None":
    """Return the span of whoever started this command and said so by the variable TRACEPARENT, as pipelines do."""
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    told = os.environ.get("TRACEPARENT")
    return TraceContextTextMapPropagator().extract({"traceparent": told}) if told else None
