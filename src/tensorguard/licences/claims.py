"""What a model claims of itself: card, configuration, adapter and merge configuration, GGUF keys. All of it untrusted."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Claim:
    """One thing that a file says.

    Attributes:
        field: `licence`, `licence_name`, `licence_link`, `base_model`, `relation`, `name`, `architecture`, `merge_method` ...
        value: What it says; untrusted text.
        source: Where: file and key, such as `README.md: base_model`.
    """

    field: str
    value: str
    source: str


@dataclass(frozen=True, slots=True)
class Claims:
    """All that a model claims.

    Attributes:
        claims: In the order of the files that were read.
        card: Text of the model card below its front matter; empty without one.
        files: Names of the files beside the weights that licences ask for (LICENSE, NOTICE, USE_POLICY.md ...), as they are spelt.
        texts: Beginning of each licence or notice file, by name.
        notices: Things to know: malformed front matter, what was not read and why.
    """

    claims: tuple[Claim, ...] = ()
    card: str = ""
    files: tuple[str, ...] = ()
    texts: tuple[tuple[str, str], ...] = ()
    notices: tuple[str, ...] = ()

    def values(self, field: str) -> tuple[str, ...]:
        """Return what is claimed of one field, without repeats, in order."""
        return tuple(dict.fromkeys(each.value for each in self.claims if each.field == field))


def read_claims(model: Path) -> Claims:
    """Read what a model's own files claim.

    Args:
        model: A folder, a file (its folder's files count where they belong to it), an adapter, or a `.tgfp` (which claims nothing).

    Raises:
        NotFoundError: There is no such model.
    """
    raise NotImplementedError
