"""The application: the routes, what their errors look like, and the guard around them."""

from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from tensorguard.errors import NotFoundError, TensorGuardError, UsageError
from tensorguard.serve import problems
from tensorguard.serve.answers import Failure
from tensorguard.serve.guard import Guard
from tensorguard.serve.job_routes import job_routes
from tensorguard.serve.metrics_routes import Measured, measured, metrics_of, metrics_routes
from tensorguard.serve.page_routes import page_routes, session_routes
from tensorguard.serve.problems import RefusedError
from tensorguard.serve.registry_routes import registry_routes
from tensorguard.serve.service import Service
from tensorguard.version import __version__

PREFIX = "/api/v1"
_DESCRIPTION = (
    "What a model is derived from, told from its weights. Every route but health takes the header Authorization: Bearer TOKEN."
)


def application(service: Service) -> Measured:
    """Return the ASGI application."""
    # Its pages of documentation would load scripts from elsewhere; ours has one of its own.
    api = FastAPI(
        title="TensorGuard",
        version=__version__,
        description=_DESCRIPTION,
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    told: dict[int | str, dict[str, Any]] = {code: {"model": Failure} for code in ("4XX", "5XX")}
    for router in (registry_routes(service), job_routes(service), session_routes(service)):
        api.include_router(router, prefix=PREFIX, responses=told)
    api.include_router(page_routes())
    metrics = metrics_of(service)
    api.include_router(metrics_routes(metrics))
    handlers = (
        (TensorGuardError, _told),
        (HTTPException, _of_http),
        (RequestValidationError, _invalid),
        (Exception, _unexpected),
    )
    for kind, handler in handlers:
        api.add_exception_handler(kind, handler)
    return measured(Guard(api, service.access, service.options.hosts()), service, metrics, PREFIX)


def _told(_: Request, error: Exception) -> Response:
    assert isinstance(error, TensorGuardError)  # noqa: S101 - what it is registered for
    return Response(problems.body(error), problems.status(error), problems.headers(error))


def _of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    known = {404: NotFoundError("there is no such page"), 405: RefusedError(405, "this method is not served here")}
    return _told(request, known.get(error.status_code) or RefusedError(error.status_code, str(error.detail)))


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"][1:])
    return _told(request, UsageError(f"{place or 'the request'}: {first['msg']}", hint="see /api/v1/openapi.json"))


def _unexpected(request: Request, _: Exception) -> Response:
    return _told(request, problems.unexpected())
