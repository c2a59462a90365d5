"""Routes that scan and check models, and hand out what was found."""

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from tensorguard.api.models import file_stem
from tensorguard.errors import UsageError
from tensorguard.fingerprint.file import SUFFIX, read_fingerprint
from tensorguard.serve import policies
from tensorguard.serve.answers import JobState, Kind, Order
from tensorguard.serve.forms import TYPES
from tensorguard.serve.service import Service
from tensorguard.serve.uploads import RAW, reading
from tensorguard.serve.work import on_disk, uploaded

Text = Annotated[str | None, Query(max_length=1_000)]


def job_routes(service: Service) -> APIRouter:
    """Return the routes."""
    router, jobs, registry = APIRouter(), service.jobs, service.options.registry

    @router.get("/jobs", tags=["jobs"])
    def states() -> list[JobState]:
        """List the jobs, the newest first."""
        return jobs.states()

    @router.post("/jobs", tags=["jobs"], status_code=202)
    def order(order: Order) -> JobState:
        """Scan or check a model under a root."""
        jobs.require_room()
        subject, run = on_disk(service.roots, order, registry, service.settings())
        return jobs.add(order.kind, subject, run)

    @router.post("/jobs/upload", tags=["jobs"], status_code=202, openapi_extra=RAW)
    async def upload(request: Request, kind: Kind = "scan", filename: Text = None, name: Text = None) -> JobState:
        """Scan or check a fingerprint (`.tgfp`) that is sent as raw bytes."""
        jobs.require_room()
        path, cleanup = await service.uploads.receive(request, filename or "fingerprint")
        with cleanup:
            await run_in_threadpool(_require_fingerprint, path)
            run = uploaded(kind, path, name, registry, service.settings())
            return jobs.add(kind, path.name, run, cleanup.pop_all())

    @router.get("/jobs/{id}", tags=["jobs"])
    def state(id: str) -> JobState:  # noqa: A002 - its name in the address
        """Tell how far a job is."""
        return jobs.state(id)

    @router.delete("/jobs/{id}", tags=["jobs"])
    def cancel(id: str) -> JobState:  # noqa: A002
        """Stop a job, or forget one that is over."""
        return jobs.cancel(id)

    @router.get("/reports/{id}/{form}", response_class=Response, tags=["reports"])
    def report(id: str, form: str, download: bool = False) -> Response:  # noqa: A002
        """Fetch a report: html, json, table, sarif, cyclonedx, spdx or card."""
        text = jobs.report(id).text(form)
        media, suffix = TYPES[form]
        headers = policies.report() if form == "html" else {}
        if download:
            stem = file_stem(jobs.state(id).subject.removesuffix(SUFFIX))
            headers["content-disposition"] = f'attachment; filename="{stem}.{suffix}"'
        return Response(text.encode(), headers={"content-type": media, **headers})

    return router


def _require_fingerprint(path: Path) -> None:
    """Refuse at once what is no fingerprint that can be searched by."""
    with reading(path):
        if read_fingerprint(path).sketches is None:
            raise UsageError("the fingerprint holds no sketches", where=path.name, hint="make it again without --no-lineage")
