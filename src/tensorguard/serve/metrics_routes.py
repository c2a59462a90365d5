"""`GET /metrics` for Prometheus, and what counts the requests that it tells of."""

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from fastapi import APIRouter, Response

from tensorguard.errors import TensorGuardError
from tensorguard.monitoring.events import tell
from tensorguard.monitoring.exposition import CONTENT_TYPE
from tensorguard.monitoring.server_metrics import OTHER, ServerMetrics, State
from tensorguard.registry.registry import DATABASE
from tensorguard.serve.answers import JobState
from tensorguard.serve.guard import App, Message, Receive, Scope, Send
from tensorguard.serve.service import Service

_STATUSES = ("queued", "running", "done", "failed", "cancelled")


class Measured:
    """An ASGI application around the guarded one: what is refused counts, too."""

    def __init__(self, app: App, metrics: ServerMetrics, prefix: str) -> None:
        self._app, self._metrics, self._prefix = app, metrics, prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, and take note of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, began = 0, time.perf_counter()

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
            await send(message)

        self._metrics.under_way.inc()
        try:
            await self._app(scope, receive, answer)
        finally:
            self._metrics.under_way.dec()
            self._tell(scope, status, time.perf_counter() - began)

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        """Count and log a request by its route; what was asked for is a stranger's text and is not kept."""
        route = getattr(scope.get("route"), "path", "").removeprefix(self._prefix) or OTHER
        self._metrics.request(scope["method"], route, status, seconds)
        method = scope["method"] if len(scope["method"]) < 10 else OTHER
        client = str((scope.get("client") or ("",))[0])
        tell("request", bad=status >= 500, method=method, route=route, status=status, seconds=seconds, client=client)


def measured(app: App, service: Service, metrics: ServerMetrics, prefix: str) -> Measured:
    """Return the application with its requests and jobs counted."""
    service.jobs.listen(_counting(metrics))
    return Measured(app, metrics, prefix)


def metrics_of(service: Service) -> ServerMetrics:
    """Return what counts a service's work."""
    return ServerMetrics(lambda: _state(service))


def metrics_routes(metrics: ServerMetrics) -> APIRouter:
    """Return the route; the guard lets in who has the token, or the one that is for this route alone."""
    router = APIRouter(include_in_schema=False)

    @router.get("/metrics")
    def scrape() -> Response:
        """Tell all metrics in Prometheus' text format."""
        return Response(metrics.metrics.text(), headers={"content-type": CONTENT_TYPE})

    return router


def _counting(metrics: ServerMetrics) -> Callable[[JobState, float | None], None]:
    def count(job: JobState, seconds: float | None) -> None:
        metrics.job(job.kind, job.status, seconds, job.word)
        error = job.error.message if job.error else None
        tell(
            "job",
            bad=job.status == "failed",
            id=job.id,
            kind=job.kind,
            subject=job.subject,
            status=job.status,
            seconds=seconds,
            answer=job.word or None,
            error=error,
        )

    return count


def _state(service: Service) -> State:
    found: Counter[str] = Counter(job.status for job in service.jobs.states())
    folder = service.registry.folder
    database = (folder / name for name in (DATABASE, f"{DATABASE}-wal"))
    files = {"database": sum(map(_size, database)), "index": sum(map(_size, (folder / "index").glob("*")))}
    return State({status: found[status] for status in _STATUSES}, _entries(service), files)


def _entries(service: Service) -> int | None:
    try:
        return service.registry.count(None)
    except TensorGuardError:
        return None  # the rest is told all the more


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # removed meanwhile
