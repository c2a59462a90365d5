"""Routes that look into the registry."""

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool

from tensorguard.errors import TensorGuardError, utf8
from tensorguard.fingerprint.file import read_fingerprint
from tensorguard.registry.entry import Entry
from tensorguard.serve import problems
from tensorguard.serve.answers import About, Entries, Family, Health, Holds, Known, Parent, Similar
from tensorguard.serve.family import family
from tensorguard.serve.jobs import MAX_QUEUE
from tensorguard.serve.service import Service
from tensorguard.serve.uploads import MAX_UPLOAD, RAW, reading
from tensorguard.version import __version__

_LONGEST = 1_000
_WORDS = 8
Name = Annotated[str, Query(min_length=1, max_length=_LONGEST, description="An entry's name, or its repository.")]
Key = Annotated[str, Query(max_length=_LONGEST, description="Whose probes: `public`, or a secret key's identity.")]


def registry_routes(service: Service) -> APIRouter:
    """Return the routes."""
    router, registry = APIRouter(), service.registry

    @router.get("/health", tags=["server"])
    def health() -> Health:
        """Say that the server is there; the one route that needs no token."""
        return Health("ok")

    @router.get("/about", tags=["server"])
    def about() -> About:
        """Say what this server is and what it reads."""
        roots = [utf8(folder) for folder in service.roots.folders]
        return About(__version__, utf8(registry.where), registry.count(), roots, MAX_UPLOAD, MAX_QUEUE)

    @router.get("/entries", tags=["registry"])
    def entries(
        q: Annotated[str, Query(max_length=_LONGEST, description="Words that name or facts hold.")] = "",
        key: Annotated[str | None, Query(max_length=_LONGEST, description="Only of this key.")] = None,
        after: Annotated[list[str], Query(max_length=2, description="`next` of the page before, given twice.")] = [],  # noqa: B006
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> Entries:
        """Page through the registry by name, or through what holds all of some words."""
        start = (after[0], after[1]) if len(after) == 2 else ("", "")
        found = registry.page(q.split()[:_WORDS], key, start, limit + 1)
        more = len(found) > limit
        return Entries(found[:limit], [found[limit - 1].name, found[limit - 1].key] if more else None)

    @router.get("/entry", tags=["registry"])
    def entry(name: Name, key: Key = "public") -> Known:
        """Show one entry: facts, digests, what its fingerprint holds, parents and children by hearsay."""
        found = registry.entry(name, key)
        holds, damage = _holds(service, found)
        names = [name for name in (found.name, found.facts.repository) if name]
        children = [child.name for child in registry.children(names, found.key)]
        parents = [Parent(parent, registry.find(parent, found.key) is not None) for parent in found.facts.parents]
        return Known(found, holds, damage, parents, children)

    @router.get("/entry/family", tags=["registry"])
    def graph(name: Name, key: Key = "public") -> Family:
        """Lay out an entry's family by what people say."""
        return family(registry, registry.entry(name, key))

    @router.post("/search", tags=["registry"], openapi_extra=RAW)
    async def search(request: Request, top: Annotated[int, Query(ge=1, le=100, description="How many.")] = 10) -> list[Similar]:
        """Find the entries whose search vectors are most like a fingerprint's, sent as raw bytes. Candidates; a scan is the answer."""
        path, cleanup = await service.uploads.receive(request, "fingerprint")
        with cleanup:
            return await run_in_threadpool(_search, service, path, top)

    return router


def _holds(service: Service, entry: Entry) -> tuple[Holds | None, str]:
    """Return what an entry's fingerprint holds, or why that cannot be told."""
    try:
        found = service.registry.fingerprint(entry)
    except TensorGuardError as error:
        return None, problems.fields(error)["message"]
    blocks, width = (len(found.sketches.blocks), found.sketches.width) if found.sketches else (0, 0)
    return Holds(found.architecture, found.elements, len(found.digests), blocks, width), ""


def _search(service: Service, path: Path, top: int) -> list[Similar]:
    with reading(path):
        hits = service.registry.search(read_fingerprint(path), top)
    return [Similar(hit.entry, hit.similarity, hit.basis, hit.digests) for hit in hits]
