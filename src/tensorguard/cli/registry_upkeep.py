"""`tensorguard registry index` and `compact`: what keeps a large registry quick and small."""

from pathlib import Path

from tensorguard.cli.bar import progress
from tensorguard.cli.options import QUIET, REGISTRY, registry_folder
from tensorguard.cli.output import JSON, deliver


def index(folder: Path | None = REGISTRY, as_json: bool = JSON, quiet: bool = QUIET) -> None:
    """Build the search index again, of use from some tens of thousands of entries on; searches work without it.

    \b
    tensorguard registry index
    """
    from tensorguard.errors import utf8
    from tensorguard.registry.opening import open_registry
    from tensorguard.reports.registry import indexed

    place = registry_folder(folder)
    with open_registry(place) as opened, progress(quiet=quiet) as listener:
        vectors = opened.build_index(listener)
        document = indexed(opened.count(), vectors, utf8(place))
    deliver(document, [], as_json=as_json)


def compact(folder: Path | None = REGISTRY, as_json: bool = JSON, quiet: bool = QUIET) -> None:
    """Give back the room of removed entries: in the database, its log, the search index, and files that no entry names.

    Others can read and write meanwhile, and it may be stopped at any time.

    \b
    tensorguard registry compact
    """
    from tensorguard.errors import utf8
    from tensorguard.registry.opening import open_registry
    from tensorguard.reports.registry_upkeep import compacted

    place = registry_folder(folder)
    with open_registry(place) as opened, progress(quiet=quiet) as listener:
        document = compacted(opened.compact(listener), opened.count(None), utf8(place))
    deliver(document, [], as_json=as_json)
