"""Which models a set of the zoo has, in the order in which they are wanted."""

from collections.abc import Iterator

from benchmarks.zoo.bases import BASES, STEPS, Base
from benchmarks.zoo.trained import FINE_TUNES, OTHERS, Job

_SMOKE = ("llama-a", "llama-b", "gpt2-a")
_SMOKE_STEPS = 150
_SHORT = ("ft-short", "ft-long")
_FIRST = ("llama-a", "gpt2-a", "llama-b", "llama-c", "gpt2-b")
"""What the others start to work with."""


def base_steps(which: str) -> int:
    return STEPS if which == "full" else _SMOKE_STEPS


def jobs(which: str) -> Iterator[Base | Job]:
    """Give bases and trained derivatives: bases and fine-tunes of the development split, of Llama in the other split, then the rest."""
    if which == "smoke":
        yield from (BASES[name] for name in _SMOKE)
        yield from (Job(BASES[name], made, {**FINE_TUNES, **OTHERS}[made]) for name in _SMOKE for made in ("ft-short", "lora"))
        return
    first = [BASES[name] for name in _FIRST]
    development = [base for base in BASES.values() if base.split == "development"]
    evaluation = [base for base in BASES.values() if base.split == "evaluation"]
    llamas = [base for base in evaluation if base.name.startswith("llama")]
    yield from _with_fine_tunes(first)
    yield from _with_fine_tunes([base for base in development if base not in first])
    yield from _with_fine_tunes(llamas)
    yield from _others(development + llamas)
    yield from _with_fine_tunes([base for base in evaluation if base not in llamas])
    yield from _others([base for base in evaluation if base not in llamas])


def _with_fine_tunes(bases: list[Base]) -> Iterator[Base | Job]:
    yield from bases
    for base in bases:
        yield from (Job(base, made, recipe) for made, recipe in FINE_TUNES.items() if base.original or made in _SHORT)


def _others(bases: list[Base]) -> Iterator[Job]:
    for base in bases:
        if base.original:
            yield from (Job(base, made, recipe) for made, recipe in OTHERS.items() if base.name.startswith(recipe.only))
