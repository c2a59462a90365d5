"""Every rival by name, with the interpreter that runs it."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.rivals import modeldna, provenance_kit
from benchmarks.rivals.base import Rival
from benchmarks.rivals.environment import environment, find_python, this_python
from benchmarks.rivals.process import ProcessRival


def catalogue(cache: Path, newer_python: Path | None = None) -> dict[str, Callable[[], Rival]]:
    """What makes each rival; environments are built under `cache` when a rival is first asked.

    Args:
        cache: The folder of environments.
        newer_python: A Python of 3.12 or later for the tool that needs one; by default looked for on the PATH.
    """

    def modeldna_python() -> Path:
        return environment(modeldna.REQUIREMENT, this_python(), cache)

    def provenance_kit_python() -> Path:
        return environment(provenance_kit.REQUIREMENT, find_python(provenance_kit.PYTHONS, newer_python), cache)

    interpreters = {
        "ours": this_python,
        "paper16": this_python,
        "modeldna": modeldna_python,
        "provenance_kit": provenance_kit_python,
        "provenance_kit_weights": provenance_kit_python,
        "reef": this_python,
        "raw_cosine": this_python,
    }
    return {name: partial(ProcessRival, name, name, interpreter) for name, interpreter in interpreters.items()}
