"""The page: a few files that hold no data, and the exchange of the token for a cookie."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import PurePosixPath

from fastapi import APIRouter, Response

from tensorguard.errors import NotFoundError
from tensorguard.serve import policies
from tensorguard.serve.service import Service

_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_HEADERS = {"content-security-policy": policies.PAGE}


def page_routes() -> APIRouter:
    """Return the routes of the page's files."""
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    def page() -> Response:
        return _answer("index.html")

    @router.get("/static/{name}")
    def static(name: str) -> Response:
        return _answer(name)

    return router


def session_routes(service: Service) -> APIRouter:
    """Return the routes of the session."""
    router, access = APIRouter(tags=["server"]), service.access

    @router.post("/session", status_code=204)
    def begin() -> Response:
        """Give who showed the token a cookie for it."""
        answer = Response(status_code=204)
        answer.set_cookie(access.cookie, access.session, httponly=True, samesite="strict", path="/")
        return answer

    @router.delete("/session", status_code=204)
    def end() -> Response:
        """Make every cookie that was given worthless."""
        access.renew()
        answer = Response(status_code=204)
        answer.delete_cookie(access.cookie, httponly=True, samesite="strict", path="/")
        return answer

    return router


def _answer(name: str) -> Response:
    """Return one of our files; others cannot be asked for."""
    text = _files().get(name)
    if text is None:
        raise NotFoundError("there is no such page")
    media = _TYPES[PurePosixPath(name).suffix]
    return Response(text, headers={"content-type": f"{media}; charset=utf-8", **_HEADERS})


@cache
def _files() -> Mapping[str, bytes]:
    """Return the page's files by name; the style is the report's, with a few additions."""
    own = {each.name: each.read_bytes() for each in files("tensorguard.serve").joinpath("static").iterdir()}
    style = files("tensorguard.reports").joinpath("templates", "page.css").read_bytes()
    return {name: text for name, text in own.items() if PurePosixPath(name).suffix in _TYPES} | {"report.css": style}
