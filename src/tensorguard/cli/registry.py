"""`tensorguard registry ...`: the subcommands, and those that look or hand on."""

from pathlib import Path

import typer

from tensorguard.cli.bar import progress
from tensorguard.cli.options import QUIET, REGISTRY, registry_folder
from tensorguard.cli.output import JSON, deliver
from tensorguard.cli.registry_filling import add, build, import_
from tensorguard.cli.registry_upkeep import compact, index
from tensorguard.cli.registry_verify import verify

registry = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Known models: add, build, list, show, remove, verify, export, import, diff, index, compact.",
)
NAMES = typer.Argument(None, metavar="[NAME]...", help="Which entries.", show_default="all")


def list_(
    family: str | None = typer.Option(None, help="Only of this family."),
    licence: str | None = typer.Option(None, help="Only under this licence."),
    unverified: bool = typer.Option(False, "--unverified", help="Only claims that were never computed from weights here."),
    folder: Path | None = REGISTRY,
    as_json: bool = JSON,
    quiet: bool = QUIET,
) -> None:
    """List what the registry knows.

    \b
    tensorguard registry list
    tensorguard registry list --family "Llama 3.1" --unverified
    """
    from tensorguard.errors import utf8
    from tensorguard.progress import counted
    from tensorguard.registry.opening import open_registry
    from tensorguard.reports.registry import listed

    place = registry_folder(folder)
    wanted = {"family": family, "licence": licence}
    with open_registry(place) as opened, progress(quiet=quiet) as listener:
        entries = [
            entry
            for entry in counted(opened.entries(), "entries", opened.count(None), listener)
            if not (unverified and entry.verified)
            and all(text is None or getattr(entry.facts, fact).casefold() == text.casefold() for fact, text in wanted.items())
        ]
        document = listed(entries, utf8(place), {**wanted, "unverified": unverified}, opened.notices)
    deliver(document, [], as_json=as_json)


def show(
    name: str = typer.Argument(help="An entry's name, or its repository."),
    key: str = typer.Option("public", metavar="KEY", help="Whose probes: `public`, or a secret key's identity, see `list`."),
    folder: Path | None = REGISTRY,
    as_json: bool = JSON,
) -> None:
    """Show one entry: facts, digests, what its fingerprint holds, parents and children.

    \b
    tensorguard registry show meta-llama/Llama-3.1-8B
    """
    from tensorguard.api.known import kin
    from tensorguard.errors import utf8
    from tensorguard.registry.opening import open_registry
    from tensorguard.reports.registry import shown

    place = registry_folder(folder)
    with open_registry(place) as opened:
        entry = opened.entry(name, key)
        document = shown(entry, opened.fingerprint(entry), *kin(opened, entry), utf8(place))
    deliver(document, [], as_json=as_json)


def remove(
    names: list[str] = typer.Argument(metavar="NAME...", help="Which entries, under whatever key."),
    folder: Path | None = REGISTRY,
    as_json: bool = JSON,
) -> None:
    """Remove entries and their fingerprints.

    \b
    tensorguard registry remove my-model
    """
    from tensorguard.api.known import named
    from tensorguard.errors import utf8
    from tensorguard.registry.opening import open_registry
    from tensorguard.reports.registry import removed

    place = registry_folder(folder)
    with open_registry(place) as opened:
        chosen = dict.fromkeys(entry.name for entry in named(opened, names))
        counts = [(name, opened.remove(name)) for name in chosen]
    deliver(removed(counts, utf8(place)), [], as_json=as_json)


def export(
    file: Path = typer.Argument(help="The archive to write."),
    names: list[str] = NAMES,
    with_key: bool = typer.Option(False, "--with-key", help="Also fingerprints under secret keys; never the keys themselves."),
    folder: Path | None = REGISTRY,
    as_json: bool = JSON,
    quiet: bool = QUIET,
) -> None:
    """Write entries and their fingerprints to one file, for others to import; the same registry gives the same bytes.

    Some 50,000 entries fit into one; more go into known.tar, known-2.tar and so on.

    \b
    tensorguard registry export known.tar
    """
    from tensorguard.api.known import export as run
    from tensorguard.errors import utf8
    from tensorguard.registry.opening import open_registry
    from tensorguard.reports.registry import exported

    place = registry_folder(folder)
    with open_registry(place) as opened, progress(quiet=quiet) as listener:
        written, left_out, sizes = run(opened, file, names or (), keyed=with_key, progress=listener)
        document = exported(written, {utf8(path): size for path, size in sizes.items()}, left_out, utf8(place), opened.notices)
    deliver(document, [], as_json=as_json)


def diff(
    first: str = typer.Argument(metavar="A", help="A registry's folder, s3://BUCKET/PREFIX, or an archive."),
    second: str = typer.Argument(metavar="B", help="Another."),
    as_json: bool = JSON,
) -> None:
    """Tell what two registries or archives know differently: entries, facts, fingerprints.

    \b
    tensorguard registry diff known.tar ./registry
    """
    from tensorguard.api.known import differ
    from tensorguard.errors import utf8
    from tensorguard.reports.registry import differing

    deliver(differing(utf8(first), utf8(second), differ(first, second)), [], as_json=as_json)


registry.command("add", short_help="Fingerprint models and add them.")(add)
registry.command("build", short_help="Add the models of a catalogue that are on this machine.")(build)
registry.command("list", short_help="List what the registry knows.")(list_)
registry.command("show", short_help="Show one entry.")(show)
registry.command("remove", short_help="Remove entries.")(remove)
registry.command("verify", short_help="Check files, and fingerprints against weights.")(verify)
registry.command("export", short_help="Write entries to one file.")(export)
registry.command("import", short_help="Add an archive's fingerprints as claims.")(import_)
registry.command("diff", short_help="Tell what two registries know differently.")(diff)
registry.command("index", short_help="Build the search index again.")(index)
registry.command("compact", short_help="Give back the room of removed entries.")(compact)
