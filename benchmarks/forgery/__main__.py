"""What an adaptive forger can do to a fingerprint whose probes are known, and what a secret key and `--deep` say to it.

    python -m benchmarks.forgery ZOO [--model FOLDER] [--json FILE]

Each attack (`attacks`) changes a model's weights as little as it can to look related to an unrelated victim, or unrelated to its parent.
The pair is then compared with public probes, with a secret key, and value by value.
"""

import argparse
import json
import sys
import tempfile
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from statistics import median

import numpy as np
import torch
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from benchmarks.forgery import attacks
from benchmarks.forgery.attacks import Attack, Model, open_llama
from benchmarks.forgery.matrices import Figure, figures
from benchmarks.forgery.steps import Weights
from benchmarks.zoo.derivations.checkpoint import Checkpoint, write
from tensorguard.api.fingerprints import Settings
from tensorguard.api.lineage import add_deep, relate
from tensorguard.api.loading import load_fingerprint
from tensorguard.fingerprint.base import Fingerprint
from tensorguard.lineage.pair import Pair
from tensorguard.probes.rademacher import Key

_PUBLIC, _SECRET = Settings(), Settings(key=Key(b"known to the registry alone"))
_CONTEXT = 128
_ZOO = (
    (attacks.link_operators, "llama-b", "llama-a"),
    (attacks.link_tokens, "llama-b", "llama-a"),
    (attacks.link_numbers, "llama-b", "llama-a"),
    (attacks.link_numbers_blindly, "llama-b", "llama-a"),
    (attacks.link_everything, "llama-b", "llama-a"),
    (attacks.erase, "llama-a.ft-a", "llama-a"),
    (attacks.erase_tokens, "llama-a.residual-rotation", "llama-a"),
)
_LARGE = (
    attacks.link_operators,
    attacks.link_tokens,
    attacks.link_numbers,
    attacks.link_numbers_blindly,
    attacks.link_everything,
    attacks.erase,
)


@dataclass(frozen=True)
class Answer:
    """What fingerprints say.

    Attributes:
        verdict: In one word.
        log10_p: Of the smallest corrected p-value.
        decided: The test it belongs to.
        excess: Of T, by basis.
    """

    verdict: str
    log10_p: float
    decided: str
    excess: dict[str, float]


@dataclass(frozen=True)
class Row:
    """One attack.

    Attributes:
        attack: What was done.
        model: The model changed.
        other: What it is to look like, or no longer like.
        change: Norm of the change of the blocks' matrices over their norm.
        loss: Next-token loss on a page of code, before and after, in nats.
        before: What public probes said before.
        public: What public probes say.
        keyed: What a secret key says.
        sentence: What reading both models says.
        cosine: Median cosine of the blocks' matrices, read.
    """

    attack: str
    model: str
    other: str
    change: float
    loss: tuple[float, float]
    before: Answer
    public: Answer
    keyed: Answer
    sentence: str
    cosine: float


def run(attack: Attack, model: Model, other: Model) -> Row:
    """Attack, and compare."""
    before, forged = attack(model, other)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / f"{model.folder.name}-forged"
        folder.mkdir()
        write(Checkpoint(forged, model.stored.config, model.stored.files), folder)
        public, keyed = (
            relate([load_fingerprint(folder, settings=settings), _print(other.folder, settings)])[0]
            for settings in (_PUBLIC, _SECRET)
        )
        deep = add_deep(public, [folder, other.folder]).deep
        loss = _loss(model.folder), _loss(folder)
    matrices = [t.cosine for t in (deep.tensors if deep else ()) if t.layer is not None and ":" not in t.role]
    return Row(
        attack=attack.__name__,
        model=model.folder.name,
        other=other.folder.name,
        change=_change(before, forged),
        loss=loss,
        before=_answer(relate([_print(each.folder, _PUBLIC) for each in (model, other)])[0]),
        public=_answer(public),
        keyed=_answer(keyed),
        sentence=deep.sentence if deep else "",
        cosine=median(matrices) if matrices else 0.0,
    )


def shuffled(model: Model, folder: Path) -> Model:
    """A victim of the same shape that has nothing to do with a model: every tensor's numbers in a random order."""
    random = np.random.default_rng(1)
    tensors = {name: random.permutation(values.ravel()).reshape(values.shape) for name, values in model.weights.items()}
    folder.mkdir()
    victim = Checkpoint(tensors, model.stored.config, model.stored.files)
    write(victim, folder)
    return replace(model, folder=folder, stored=victim)


@cache
def _print(folder: Path, settings: Settings) -> Fingerprint:
    return load_fingerprint(folder, settings=settings)


@cache
def _loss(folder: Path) -> float:
    """Next-token loss on a page of Python, in nats."""
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
    ids = torch.tensor(tokenizer(Path(textwrap.__file__).read_text("utf-8"))["input_ids"])
    ids = ids[: len(ids) // _CONTEXT * _CONTEXT].reshape(-1, _CONTEXT)[:16]
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    with torch.no_grad():
        return float(model(input_ids=ids, labels=ids).loss)


def _change(before: Weights, after: Weights) -> float:
    names = [name for name in before if ".layers." in name and name.endswith("proj.weight")]
    apart = sum(float(np.square(after[name] - before[name], dtype=np.float64).sum()) for name in names)
    return float(np.sqrt(apart / sum(float(np.square(before[name], dtype=np.float64).sum()) for name in names)))


def _answer(pair: Pair) -> Answer:
    found = pair.lineage.evidence
    if found is None:
        raise ValueError(f"{pair.first}, {pair.second}: no sketches")
    best = min(found.tests, key=lambda each: each.corrected)
    excess = {str(basis): value for basis, value in found.excess.items()}
    return Answer(pair.lineage.verdict, found.log10_p, f"{best.signal} {best.basis}", excess)


def _all(zoo: Path, large: Path | None) -> Iterator[Row]:
    opened = {name: open_llama(zoo / name) for _, *names in _ZOO for name in names}
    for attack, model, other in _ZOO:
        yield run(attack, opened[model], opened[other])
    if large is None:
        return
    with tempfile.TemporaryDirectory() as scratch:
        own = open_llama(large)
        victim = shuffled(own, Path(scratch) / "victim")
        for attack in _LARGE:
            yield run(attack, own, own if attack is attacks.erase else victim)


def show(rows: Iterable[Row], tensors: Iterable[Figure]) -> tuple[list[Row], list[Figure]]:
    """Print the tables, in Markdown, line by line."""
    print("| attack | model | on | change | loss | before | public | T | keyed | T | --deep, median cosine |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    seen, matrices = [], []
    for row in rows:
        seen.append(row)
        cells = [f"{each.verdict} {each.log10_p:.0f} ({each.decided})" for each in (row.before, row.public, row.keyed)]
        effects = [" ".join(f"{name} {value:.2f}" for name, value in each.excess.items()) for each in (row.public, row.keyed)]
        print(
            f"| {row.attack} | {row.model} | {row.other} | {100 * row.change:.1f} % | {row.loss[0]:.2f} -> {row.loss[1]:.2f} "
            f"| {cells[0]} | {cells[1]} | {effects[0]} | {cells[2]} | {effects[1]} | {row.cosine:.3f} |",
            flush=True,
        )
    print("\n| one matrix | width | change | public | keyed | read |\n|---|---|---|---|---|---|")
    for each in tensors:
        matrices.append(each)
        print(
            f"| {each.what} | {each.width} | {100 * each.change:.2f} % | {each.public:.3f} | {each.keyed:.3f} | {each.exact:.4f} |"
        )
    return seen, matrices


def main(arguments: list[str] | None = None) -> int:
    """Run all attacks."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.forgery", description=str(__doc__).splitlines()[0])
    parser.add_argument("zoo", type=Path, help="the zoo's folder; its development bases are attacked")
    parser.add_argument(
        "--model", type=Path, help="also attack this Llama (with its tokenizer.json); a shuffled copy is the victim"
    )
    parser.add_argument("--width", type=int, default=4096, help="of single matrices (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args(arguments)
    rows, matrices = show(_all(given.zoo, given.model), figures(given.width))
    if given.json:
        found = {"attacks": [asdict(row) for row in rows], "matrices": [asdict(each) for each in matrices]}
        given.json.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
