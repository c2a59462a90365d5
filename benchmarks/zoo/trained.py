"""Trained derivatives of a base: fine-tunes, adapters, and models that share less than all weights with it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from transformers import PreTrainedModel

from benchmarks.checkpoint import new_folder
from benchmarks.zoo import adapters
from benchmarks.zoo.bases import RATE, STEPS, Base, initial, open_model, save
from benchmarks.zoo.corpus import Corpora
from benchmarks.zoo.manifest import Entry, is_finished, read, seed_of, write
from benchmarks.zoo.training import Loss, distillation_loss, next_token_loss, relative_change, train


@dataclass(frozen=True)
class Recipe:
    """How a transformation is made.

    Attributes:
        make: What makes it: (job, folder of the zoo, folder of the new model, corpora) -> its facts.
        steps: Steps of training.
        rate: The highest learning rate.
        own: Share of what it reads that comes from the base's corpus; the rest comes from the other one.
        start: The transformation of the base that it starts from; empty for the base itself.
        only: What the names of the bases that it is made for start with.
    """

    make: Callable[["Job", Path, Path, Corpora], Entry]
    steps: int
    rate: float
    own: float = 0.5
    start: str = ""
    only: tuple[str, ...] = ("",)


@dataclass(frozen=True)
class Job:
    """One derivative to be trained."""

    base: Base
    transformation: str
    recipe: Recipe

    @property
    def name(self) -> str:
        return f"{self.base.name}.{self.transformation}"

    @property
    def start(self) -> str:
        """The model that training starts from."""
        return f"{self.base.name}.{self.recipe.start}" if self.recipe.start else self.base.name

    @property
    def seed(self) -> int:
        return seed_of(self.name)


def make_derivative(job: Job, out: Path, corpora: Corpora) -> bool:
    """Make `out/NAME`; False if what it is made of is not there."""
    if not (is_finished(out, job.base.name) and is_finished(out, job.start)):
        return False
    with new_folder(out / job.name) as folder:
        write(job.recipe.make(job, out, folder, corpora), folder)
    return True


def _entry(job: Job, **more: object) -> Entry:
    entry = Entry(
        name=job.name,
        split=job.base.split,
        relation="derived",
        bases=[job.base.name],
        parents={job.start: 1.0},
        kind="fine-tuned",
        transformation=job.transformation,
        architecture="",
        seed=job.seed,
        steps=job.recipe.steps,
    )
    return replace(entry, **more)  # type: ignore[arg-type]


def _tokenizer(job: Job, out: Path, corpora: Corpora) -> Path:
    own = out / job.start / "tokenizer.json"
    return own if own.exists() else corpora.tokenizer(job.base.corpus)


def _train(job: Job, model: torch.nn.Module, loss: Loss, tokenizer: Path, corpora: Corpora) -> str:
    reads = job.base.reads or job.base.corpus
    other = "prose" if reads == "code" else "code"
    recipe = job.recipe
    mixture = {corpus: share for corpus, share in ((reads, recipe.own), (other, 1 - recipe.own)) if share}
    batches = corpora.batches(tokenizer, mixture, job.seed, recipe.steps)
    final = train(model, loss, batches, steps=recipe.steps, rate=recipe.rate)
    told = " and ".join(f"{share:.0%} {corpus}" for corpus, share in mixture.items())
    return f"reads {told} at rate {recipe.rate:g}; loss {final:.2f} nats"


def _weights(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def _change(model: torch.nn.Module, before: dict[str, torch.Tensor]) -> str:
    return f"task vector {relative_change(model, before):.2%} of the weights"


def fine_tuned(job: Job, out: Path, folder: Path, corpora: Corpora) -> Entry:
    """Train all weights further."""
    model = open_model(out / job.start)
    before = _weights(model)
    tokenizer = _tokenizer(job, out, corpora)
    notes = _train(job, model, next_token_loss(model), tokenizer, corpora)
    return _entry(
        job,
        kind="continued" if job.transformation == "continued" else "fine-tuned",
        architecture=save(model, tokenizer, folder),
        layer_map=read(out / job.start).layer_map,
        notes=f"{notes}; {_change(model, before)}",
    )


def adapter(job: Job, out: Path, folder: Path, corpora: Corpora) -> Entry:
    """Train a LoRA adapter and keep it as one."""
    model = open_model(out / job.base.name)
    adapted = adapters.attach(model, "lora", job.seed)
    notes = _train(job, adapted, next_token_loss(adapted), _tokenizer(job, out, corpora), corpora)
    adapters.save_adapter(adapted, job.base.name, folder)
    return _entry(job, kind="adapter", architecture=model.config.model_type, notes=notes)


def merged_adapter(job: Job, out: Path, folder: Path, corpora: Corpora) -> Entry:
    """Merge an adapter into the base: the LoRA that is kept, or a DoRA or IA3 trained for it."""
    model = open_model(out / job.base.name)
    before = _weights(model)
    tokenizer = _tokenizer(job, out, corpora)
    method = job.transformation.removesuffix("-merged")
    if method == "lora":
        adapted = adapters.load(model, out / job.start)
        notes = "the weights of the adapter kept beside it"
    else:
        adapted = adapters.attach(model, method, job.seed)
        notes = _train(job, adapted, next_token_loss(adapted), tokenizer, corpora)
    merged: PreTrainedModel = adapted.merge_and_unload()
    return _entry(
        job,
        parents={job.base.name: 1.0},
        architecture=save(merged, tokenizer, folder),
        notes=f"{notes}; {_change(merged, before)}",
    )


def distilled(job: Job, out: Path, folder: Path, corpora: Corpora) -> Entry:
    """Train fresh weights on the base's predictions: no weight is shared."""
    teacher = open_model(out / job.base.name)
    student = initial(job.base.config(), job.seed)
    tokenizer = _tokenizer(job, out, corpora)
    notes = _train(job, student, distillation_loss(student, teacher), tokenizer, corpora)
    return _entry(
        job,
        relation="distilled",
        bases=[],
        parents={},
        kind="distilled",
        architecture=save(student, tokenizer, folder),
        teacher=job.base.name,
        notes=notes,
    )


def shared_embeddings(job: Job, out: Path, folder: Path, corpora: Corpora) -> Entry:
    """Train fresh weights around the base's token embeddings, which stay as they are."""
    model = initial(job.base.config(), job.seed)
    embeddings = model.get_input_embeddings().weight.requires_grad_(False)
    embeddings.copy_(open_model(out / job.base.name).get_input_embeddings().weight.detach())
    tokenizer = _tokenizer(job, out, corpora)
    notes = _train(job, model, next_token_loss(model), tokenizer, corpora)
    return _entry(
        job,
        relation="shared-embeddings",
        bases=[],
        parents={},
        kind="shared-embeddings",
        architecture=save(model, tokenizer, folder),
        shared_with=job.base.name,
        notes="input embeddings copied and frozen, all else fresh; " + notes,
    )


FINE_TUNES: Mapping[str, Recipe] = {
    "ft-short": Recipe(fine_tuned, 30, 5e-5),
    "ft-long": Recipe(fine_tuned, 100, 1e-4),
    "ft-a": Recipe(fine_tuned, 60, 5e-4, own=0.0),
    "ft-b": Recipe(fine_tuned, 60, 5e-4, own=1.0),
}
"""Made first: of every base the first two, of the originals all; merges need them."""

OTHERS: Mapping[str, Recipe] = {
    "ft-small": Recipe(fine_tuned, 30, 1e-4),
    "lora": Recipe(adapter, 60, 2e-3),
    "lora-merged": Recipe(merged_adapter, 0, 0.0, start="lora"),
    "dora-merged": Recipe(merged_adapter, 60, 2e-3),
    "ia3-merged": Recipe(merged_adapter, 60, 1e-2),
    "continued": Recipe(fine_tuned, STEPS, RATE, own=0.0),
    "distilled": Recipe(distilled, STEPS, RATE, own=1.0),
    "shared-embeddings": Recipe(shared_embeddings, STEPS // 2, RATE, own=1.0),
    "disguised-ft": Recipe(fine_tuned, 30, 1e-4, start="all-disguises"),
    "upcycled-ft": Recipe(fine_tuned, 30, 1e-4, start="upcycled-moe", only=("llama", "mistral")),
}
"""Of the originals alone."""
