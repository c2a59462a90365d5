"""Spans: what they are of, and that they arrive where the standard's variables say."""

import gzip
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from support.checkpoints import llama, save
from support.commands import CommandLine
from tensorguard.errors import InputError
from tensorguard.monitoring import spans
from tensorguard.monitoring.spans import Spans
from tensorguard.progress import step, tell_over


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def heard(exporter: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch) -> Spans:
    monkeypatch.delenv("TRACEPARENT", raising=False)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return Spans(provider, "fingerprint")


def test_a_command_its_models_and_their_stages(heard: Spans, exporter: InMemorySpanExporter) -> None:
    with step("models", heard):
        for number in range(2):
            began = time.monotonic()
            for task in ("open", "read", "sweep", "a model's name\x1b[2J"):
                with step(task, heard):
                    heard.advance(task, 1)
            error = InputError("broken\x07") if number else None
            tell_over(heard, f"m{number}\n", "failed" if number else "done", began, error, 7)
    with step("candidates", heard):
        pass
    assert heard.ended(5, {"kind": "partial", "error": "1 of 2", "where": "", "hint": ""})
    found = {span.context.span_id: span for span in exporter.get_finished_spans() if span.context}
    tree = [(span.name, found[span.parent.span_id].name if span.parent else None) for span in found.values()]
    stages = [(name, "model") for name in ("open", "sixteen", "sweep", "work")]
    command = "tensorguard fingerprint"
    assert tree == [*stages, ("model", command), *stages, ("model", command), ("evidence", command), (command, None)]
    models = [span for span in found.values() if span.name == "model"]
    assert [span.attributes and span.attributes["tensorguard.model"] for span in models] == ["m0\\n", "m1\\n"]
    assert [span.status.is_ok for span in models] == [True, False]
    assert models[1].status.description == "broken\\x07"
    for span in found.values():
        assert span.start_time is not None
        assert span.end_time is not None
        assert span.start_time <= span.end_time
        assert all(str(each).isprintable() for each in (span.attributes or {}).values())
    last = list(found.values())[-1]
    assert last.attributes is not None
    assert (last.attributes["tensorguard.exit_code"], last.status.is_ok) == (5, False)


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "x"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, False),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, False),
    ],
)
def test_the_standard_s_variables_ask_for_them(
    variables: dict[str, str], wanted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert spans.wanted() is wanted


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """A collector of OTLP over HTTP, and what it was sent."""
    received: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            body = gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body
            received.append((self.path, ExportTraceServiceRequest.FromString(body)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    yield received
    server.shutdown()
    server.server_close()


def test_they_arrive_at_a_collector_as_part_of_their_caller_s_trace(
    collector: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACEPARENT", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test")
    save(tmp_path / "m", llama())
    answer = CommandLine(capsys)("fingerprint", tmp_path / "m", "-o", tmp_path / "out", "--repeats", "1", "--workers", "1")
    assert (answer.code, answer.err) == (0, "")
    assert [path for path, _ in collector] == ["/v1/traces"]
    (resource,) = collector[0][1].resource_spans
    attributes = {each.key: each.value.string_value for each in resource.resource.attributes}
    assert (attributes["service.name"], attributes["deployment.environment"]) == ("tensorguard", "test")
    found = {span.name: span for scope in resource.scope_spans for span in scope.spans}
    assert set(found) == {"open", "sixteen", "sweep", "model", "tensorguard fingerprint"}
    assert {span.trace_id.hex() for span in found.values()} == {"0af7651916cd43dd8448eb211c80319c"}
    assert found["tensorguard fingerprint"].parent_span_id.hex() == "b7ad6b7169203331"
    assert found["sweep"].parent_span_id == found["model"].span_id


def test_a_collector_that_does_not_answer_is_said_and_holds_nobody_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spans, "PARTING", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as listening:  # takes the request, and nothing comes of it
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{listening.getsockname()[1]}")
        answer = CommandLine(capsys)("inspect", tmp_path / "none")
    assert answer.code == 4
    assert "the collector of traces does not answer" in answer.err


def test_without_the_library_a_command_works(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "an-exporter-that-nobody-has")
    answer = CommandLine(capsys)("inspect", tmp_path / "none", "--log", "json")
    assert answer.code == 4
    assert "tensorguard-llm[otel]" in answer.err
