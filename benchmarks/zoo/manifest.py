"""The zoo's ground truth: one `zoo.json` in every model's folder, read back as `Entry`."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from zlib import crc32

FILE = "zoo.json"


@dataclass(frozen=True)
class Entry:
    """What is known about one model of the zoo.

    Attributes:
        name: `BASE` or `BASE.TRANSFORMATION`; the folder's name.
        split: `development` or `evaluation`, by base.
        relation: `base`, `derived`, `shared-embeddings`, `shared-initialisation` or `distilled`.
        bases: Every base, trained from scratch, whose weights went in.
        parents: Direct parent -> its weight in the merge, 1.0 where there is one parent.
        base_column: Base of a merge of fine-tunes.
        kind: What was done, in one word.
        transformation: What was done, exactly; empty for a base.
        architecture: The `model_type` of the configuration.
        layer_map: [layer of this model, layer of the parent or None]; None where layers stayed in place.
        preserves_function: Whether the logits are the parent's.
        logit_difference: Largest absolute difference found, where the maker checked it.
        shared_with: The other base of a `shared-...` relation.
        teacher: The model a `distilled` one learnt from.
    """

    name: str
    split: str
    relation: str
    bases: list[str]
    parents: dict[str, float]
    kind: str
    transformation: str
    architecture: str
    base_column: str | None = None
    layer_map: list[list[int | None]] | None = None
    preserves_function: bool = False
    logit_difference: float | None = None
    shared_with: str | None = None
    teacher: str | None = None
    seed: int = 0
    steps: int = 0
    notes: str = ""


def default_out() -> Path:
    """Where the zoo lives: `$TENSORGUARD_CACHE/zoo`, else `~/.cache/tensorguard/zoo`."""
    root = os.environ.get("TENSORGUARD_CACHE")
    return (Path(root) if root else Path.home() / ".cache" / "tensorguard") / "zoo"


def seed_of(name: str) -> int:
    """The seed of everything random about the model `name`."""
    return crc32(name.encode())


def is_finished(out: Path, name: str) -> bool:
    return (out / name / FILE).is_file()


def write(entry: Entry, folder: Path) -> None:
    """Write `folder/zoo.json`: the last thing a maker does."""
    (folder / FILE).write_text(json.dumps(asdict(entry), indent=1) + "\n", "utf-8")


def read(folder: Path) -> Entry:
    return Entry(**json.loads((folder / FILE).read_text("utf-8")))


def load(out: Path) -> list[Entry]:
    """Every finished model of the zoo in `out`, by name."""
    return [read(path.parent) for path in sorted(out.glob(f"*/{FILE}")) if not path.parent.name.startswith(".")]
