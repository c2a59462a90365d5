"""`tensorguard registry ...`."""

import typer

registry = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Known models: add, build, list, show, remove, verify, export, import, diff.",
)


@registry.command("list")
def list_() -> None:
    """Not built yet."""
