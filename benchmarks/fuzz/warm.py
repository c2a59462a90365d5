"""Imports what a parser goes through before the first input, so that it counts as no input's cost, and is instrumented."""

import importlib


def import_all(modules: str) -> None:
    """Import these modules of tensorguard, and with them theirs."""
    for name in modules.split():
        importlib.import_module(f"tensorguard.{name}")
