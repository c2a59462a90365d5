"""Make the zoo, or tell what is in it.

    python -m benchmarks.zoo build OUT --set full

`train` makes the bases and the trained derivatives, `derive` the untrained ones, `build` all of them, `list` prints those there are. What
is there already is left as it is, so a run that was interrupted goes on where it stopped.
"""

import argparse
import sys
import time
from fnmatch import fnmatch
from pathlib import Path

from benchmarks.wheels import FetchError
from benchmarks.zoo.manifest import default_out, is_finished, load, read


def train_all(out: Path, which: str, only: str | None) -> None:
    """Make the bases and trained derivatives that are not there."""
    import torch
    from transformers.utils import logging

    from benchmarks.zoo.bases import Base, make_base
    from benchmarks.zoo.corpus import Corpora
    from benchmarks.zoo.plan import base_steps, jobs
    from benchmarks.zoo.trained import make_derivative

    torch.set_num_threads(1)
    logging.disable_progress_bar()
    corpora = Corpora(out / ".corpora")
    for job in jobs(which):
        if is_finished(out, job.name) or not fnmatch(job.name, only or "*"):
            continue
        started = time.perf_counter()
        if isinstance(job, Base):
            make_base(job, out, corpora, base_steps(which))
        elif not make_derivative(job, out, corpora):
            continue
        print(f"{job.name}: {read(out / job.name).notes} ({time.perf_counter() - started:.1f} s)", flush=True)


def derive_all(out: Path, which: str, only: str | None) -> None:
    """Make the untrained derivatives that are not there."""
    from benchmarks.zoo import derivations

    derivations.derive_all(out, which, only)


def build_all(out: Path, which: str, only: str | None) -> None:
    """Make everything; training comes again because some fine-tunes start from untrained derivatives."""
    train_all(out, which, only)
    derive_all(out, which, only)
    train_all(out, which, only)


def list_all(out: Path, _: str, only: str | None) -> None:
    """Print the models that there are."""
    for entry in load(out):
        if fnmatch(entry.name, only or "*"):
            print(f"{entry.name}\t{entry.split}\t{entry.relation}\t{entry.kind}\t{entry.architecture}\t{entry.notes}")


COMMANDS = {"train": train_all, "derive": derive_all, "build": build_all, "list": list_all}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; exit code 1 if the corpora cannot be had."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.zoo", description=str(__doc__).splitlines()[0])
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument(
        "out",
        type=Path,
        nargs="?",
        default=default_out(),
        help="the folder of the zoo, one for each set (default: %(default)s)",
    )
    parser.add_argument("--set", choices=("smoke", "full"), default="full", help="smoke: a few models, less trained")
    parser.add_argument("--only", metavar="GLOB", help="only models whose names match")
    given = parser.parse_args(arguments)
    try:
        COMMANDS[given.command](given.out, given.set, given.only)
    except FetchError as error:
        print(f"the zoo's corpora cannot be had: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
