"""Options that several commands share."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from tensorguard.api.registry_folder import VARIABLE
from tensorguard.api.registry_folder import registry_folder as registry_folder

if TYPE_CHECKING:
    from tensorguard.probes.rademacher import Key

QUIET = typer.Option(False, "--quiet", "-q", help="No progress bar.")
MODEL = (
    "A model's folder or file, an adapter, ORG/NAME[@REVISION] on the hub, https://..., s3://..., a *.tgfp, or registry:NAME."
)
"""Help of an argument that is one model."""

BASE = typer.Option(None, "--base", metavar="MODEL", help="The base of the models that are adapters.")
SEARCH = typer.Option(
    [], "--search", metavar="DIR", help="Look here for an adapter's base, by the name in its config; repeatable."
)
REPEATS = typer.Option(30, min=1, max=10_000, help="How many perturbed inputs each layer gets.")
SEED = typer.Option(0, min=0, max=2**64 - 1, help="Seed of the inputs.")
WORKERS = typer.Option(None, min=1, help="How many threads.", show_default="all processors")


def _settled(device: str) -> str:
    """Decide what `auto` is, and say so."""
    if device != "auto":
        return device
    from tensorguard.diagnosis.card import choose

    found = choose()
    print(f"--device auto: {found.chosen}, because {found.why}", file=sys.stderr)
    return found.chosen


DEVICE = typer.Option(
    "cpu",
    callback=_settled,
    help="`cpu`, `cuda` with the `gpu` extra, or `auto`: the faster, by a trial of less than a second.",
)
SKIP_NONFINITE = typer.Option(False, "--skip-nonfinite", help="Leave tensors with NaN or infinite values out, and list them.")
INCLUDE_SIZE = typer.Option(False, "--include-size", help="Use total_params too; on the published data that costs 16 points.")
BASES = typer.Option(None, "--bases", metavar="NAME,NAME,...", help="The base models; by default those of the labels file.")

KEY_FILE = typer.Option(
    None, "--key-file", help="A file of at least 16 secret bytes: probes of your own, harder to forge answers to."
)

REGISTRY = typer.Option(
    None,
    "--registry",
    metavar="DIR",
    envvar=VARIABLE,
    help="Folder of the registry, or s3://BUCKET/PREFIX.",
    show_default="the user's own",
)


QUICK = typer.Option(
    None,
    "--quick/--full",
    help="Read a sample, and more only while the answer is open; or everything.",
    show_default="quick for models on servers",
)


def key(path: Path | None) -> "Key":
    """Return the key of a key file, or the public one without a file.

    Raises:
        NotFoundError: There is no such file.
        InputError: It holds too few bytes, or far too many.
    """
    from tensorguard.api.keys import read_key
    from tensorguard.probes.rademacher import PUBLIC

    return PUBLIC if path is None else read_key(path)


def names(text: str | None) -> list[str] | None:
    """Return a comma-separated list as names."""
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]
