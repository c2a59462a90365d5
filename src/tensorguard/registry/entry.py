"""What a registry knows about a model."""

from dataclasses import dataclass, field
from typing import Literal

Origin = Literal["made", "imported"]


@dataclass(frozen=True, slots=True)
class Facts:
    """What people say of a model; it is shown and followed, and never evidence.

    Attributes:
        repository: `org/name` on a hub; empty if it has none.
        revision: Commit or tag; empty if unknown.
        family: Such as `Llama 3.1`.
        publisher: Who published it.
        licence: Licence id, see `licences`; empty if unknown.
        parents: Names or repositories of the models that it was made of, if known.
        relation: What it is of its parents: `finetune`, `merge`, `quantized`, `adapter`; empty if unknown.
        released: `YYYY-MM-DD` or `YYYY-MM`; empty if unknown.
    """

    repository: str = ""
    revision: str = ""
    family: str = ""
    publisher: str = ""
    licence: str = ""
    parents: tuple[str, ...] = ()
    relation: str = ""
    released: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One fingerprint of one known model. `name` and `key` together are unique in a registry.

    Attributes:
        name: What the model is called.
        key: Whose probes its sketches are of: `public`, or which secret key.
        facts: What people say of it.
        source_digest: Digest of all its tensors' names, shapes and values (`registry.vectors.source_digest`); hexadecimal.
        fingerprint: BLAKE3 of the bytes of its `.tgfp`, which names the file; hexadecimal.
        specification: What its 16 numbers were made with.
        origin: `made` here from the weights, or `imported` from somebody else's archive.
        verified: Whether the fingerprint was computed here from the weights; an imported one is a claim until `verify` does so.
        added: When, UTC, ISO 8601 to the second.
        tool: Version of TensorGuard that made the entry.
    """

    name: str
    key: str
    facts: Facts = field(default_factory=Facts)
    source_digest: str = ""
    fingerprint: str = ""
    specification: str = ""
    origin: Origin = "made"
    verified: bool = True
    added: str = ""
    tool: str = ""


@dataclass(frozen=True, slots=True)
class Hit:
    """An entry that a search found.

    Attributes:
        entry: The entry.
        similarity: Largest cosine of its search vectors with the model's, over the bases that both have; 0 where only digests agree.
        basis: In which that is: `fixed`, `words` or `ids`; `digests` where only these agree.
        digests: How many of the digests kept for search are equal.
    """

    entry: Entry
    similarity: float
    basis: str
    digests: int
