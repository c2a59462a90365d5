"""Whether the configuration describes these weights, and every file could be read: TG401 and TG402."""

from collections.abc import Iterator

from tensorguard.errors import quote
from tensorguard.licences.audit import Finding
from tensorguard.licences.claims import Claims
from tensorguard.licences.rules import broken
from tensorguard.licences.shapes import Shapes

_SIZES = {
    "width": "a residual stream of {}",
    "blocks": "{} blocks",
    "vocabulary": "{} tokens",
    "neurons": "{} neurons in an MLP",
}

_PADDING = 1024
"""Embeddings are padded to a multiple of up to so many rows."""


def configuration(claims: Claims, shapes: Shapes | None) -> Iterator[Finding]:
    """Yield what the configuration says against the weights, and the files that are damaged."""
    for file, wrong in claims.damaged:
        yield broken("TG402", f"{quote(file)[1:-1]}: {wrong}", where=file)
    if shapes is None:
        return
    for field, words in _SIZES.items():
        shown = getattr(shapes, field)
        for claim in claims.of(field):
            if shown is not None and not _fits(field, claim.value, shown):
                message = f"the configuration speaks of {words.format(quote(claim.value)[1:-1])}, and the weights have {shown}"
                claimed = f"{claim.source}: {quote(claim.value)}"
                yield broken("TG401", message, shown=words.format(shown), claimed=claimed, where=claim.file)
    for claim in claims.of("tied"):
        if claim.value == "true" and shapes.untied:
            message = "the configuration ties the output head to the embedding, and the weights hold a head of its own"
            yield broken("TG401", message, claimed=f"{claim.source}: {quote(claim.value)}", where=claim.file)


def _fits(field: str, said: str, shown: int) -> bool:
    if not said.isdecimal():
        return False
    claimed = int(said)
    return claimed <= shown <= claimed + _PADDING if field == "vocabulary" else claimed == shown
