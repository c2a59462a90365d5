"""Makes the derivatives of every finished base and fine-tune that has none yet."""

import json
from collections.abc import Iterator
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path

import numpy as np

from benchmarks.checkpoint import new_folder
from benchmarks.zoo import manifest
from benchmarks.zoo.bases import BASES
from benchmarks.zoo.derivations.checking import batch, difference, logits
from benchmarks.zoo.derivations.checkpoint import Checkpoint, Facts, Tensor, read, write
from benchmarks.zoo.derivations.merge_list import CROSS, MERGES, MergeOf
from benchmarks.zoo.derivations.registry import TRANSFORMATIONS, Transformation
from benchmarks.zoo.manifest import Entry


def derive_all(out: Path, which: str, only: str | None) -> None:
    """Make what can be made of the models in `out`; what is finished is skipped, what lacks a parent is left for later.

    Args:
        out: The zoo.
        which: `smoke` or `full`.
        only: A pattern for the names of the derivatives.

    Raises:
        RuntimeError: if some could not be made; all others have been.
    """
    failures = []
    for base in _bases(out):
        maker = _Maker(out, base)
        recipes: list[Transformation | MergeOf] = [*TRANSFORMATIONS, *MERGES, *_crosses(base)]
        for recipe in recipes:
            if not _wanted(out, base, recipe, which, only):
                continue
            name = f"{base.name}.{recipe.name}"
            try:
                if maker.make(recipe):
                    print(name, flush=True)
            except (ValueError, KeyError) as error:
                failures.append(f"{name}: {error}")
                print("FAILED", failures[-1], flush=True)
    if failures:
        raise RuntimeError("; ".join(failures))


class _Maker:
    """Makes derivatives of one base, which is read, and asked for its logits, once."""

    def __init__(self, out: Path, base: Entry) -> None:
        self.out = out
        self.base = base
        self.parent = read(out / base.name)
        self._expected: Tensor | None = None

    def make(self, recipe: Transformation | MergeOf) -> bool:
        """Make one derivative. Returns whether the configuration allows it and its parents are there."""
        return self._derive(recipe) if isinstance(recipe, Transformation) else self._merge(recipe)

    def _derive(self, transformation: Transformation) -> bool:
        if not transformation.suits(self.parent.config):
            return False
        name = f"{self.base.name}.{transformation.name}"
        child, facts = transformation.apply(self.parent, np.random.default_rng(manifest.seed_of(name)))
        largest = None
        if transformation.keeps:
            if self._expected is None:
                self._expected = logits(self.parent, batch(self.parent))
            largest = difference(self.parent, child, facts, expected=self._expected)
        entry = self._entry(name, {self.base.name: 1.0}, transformation.kind, facts, largest)
        _save(self.out, entry, child)
        return True

    def _merge(self, merge: MergeOf) -> bool:
        parents = {(part if "." in part else f"{self.base.name}.{part}"): weight for part, weight in merge.parents.items()}
        if not all(manifest.is_finished(self.out, parent) for parent in parents):
            return False
        name = f"{self.base.name}.{merge.name}"
        checkpoints = [read(self.out / parent) for parent in parents]
        child, facts = merge.combine(checkpoints, self.parent, np.random.default_rng(manifest.seed_of(name)))
        _save(self.out, self._entry(name, parents, "merged", facts, None), child)
        return True

    def _entry(self, name: str, parents: dict[str, float], kind: str, facts: Facts, largest: float | None) -> Entry:
        bases = sorted({parent.partition(".")[0] for parent in parents})
        fine_tunes = kind == "merged" and len(bases) == 1
        return Entry(
            name=name,
            split=self.base.split,
            relation="derived",
            bases=bases,
            parents=parents,
            kind=kind,
            transformation=name.partition(".")[2],
            architecture="mixtral" if kind == "upcycled" else self.base.architecture,
            base_column=self.base.name if fine_tunes else None,
            layer_map=facts.layer_map,
            preserves_function=largest is not None,
            logit_difference=largest,
            seed=manifest.seed_of(name),
            notes=json.dumps({"names": facts.names}) if facts.names else facts.notes,
        )


def _bases(out: Path) -> Iterator[Entry]:
    """Finished bases in the order of the list, which is the order of urgency."""
    for name in BASES:
        if manifest.is_finished(out, name):
            yield manifest.read(out / name)


def _crosses(base: Entry) -> Iterator[MergeOf]:
    """With each later twin, the same fine-tune of both half and half."""
    for name, twin in BASES.items():
        if twin.twin_of == base.name:
            parents = {f"{each}.{part}": weight for part, weight in CROSS.parents.items() for each in (base.name, name)}
            yield replace(CROSS, name=f"{CROSS.name}-{name}", parents=parents)


def _wanted(out: Path, base: Entry, recipe: Transformation | MergeOf, which: str, only: str | None) -> bool:
    """Whether a set has it and it is not there yet. A twin gets the few that say so, and what its fine-tunes allow."""
    name = f"{base.name}.{recipe.name}"
    if which == "smoke" and not recipe.smoke:
        return False
    if isinstance(recipe, Transformation) and not (recipe.twins or BASES[base.name].original):
        return False
    return not manifest.is_finished(out, name) and (only is None or fnmatch(name, only))


def _save(out: Path, entry: Entry, checkpoint: Checkpoint) -> None:
    with new_folder(out / entry.name) as folder:
        write(checkpoint, folder)
        manifest.write(entry, folder)
