"""The sizes that a model's weights show, to hold its configuration against."""

from collections import Counter
from dataclasses import dataclass

from tensorguard.tensors.view import View

_LANGUAGE = ("decoder", "encoder")
_PACKED = frozenset({"I64", "I32", "I16", "I8", "U64", "U32", "U16", "U8", "BOOL"})
"""What weights of a quantisation that was not decoded are stored as: their shapes are not the model's."""


@dataclass(frozen=True, slots=True)
class Shapes:
    """Sizes of a language model, each None where the weights do not tell it.

    Attributes:
        width: Of the residual stream.
        blocks: How many there are.
        vocabulary: Rows of the token embedding.
        neurons: Of an MLP; None if blocks differ, or there are experts.
        untied: Whether an output head lies beside the embedding that is no copy of it.
    """

    width: int | None = None
    blocks: int | None = None
    vocabulary: int | None = None
    neurons: int | None = None
    untied: bool = False


def shapes(view: View) -> Shapes:
    """Return the sizes of a model of one stack; nothing of encoder-decoders, whose configurations have two of each."""
    weights = [each for each in view.weights if each.stack in _LANGUAGE and each.stored.dtype not in _PACKED]
    if len({each.stack for each in weights}) != 1:
        return Shapes()
    embeds = [each.shape for each in weights if each.role == "embed" and each.layer is None]
    neurons = {each.shape[0] for each in weights if each.role in ("up", "fc_in")}
    experts = any(each.expert is not None for each in weights)
    widths = Counter(each.shape[1] for each in weights if each.role in ("q", "k", "v", "gate", "up", "fc_in"))
    embed = embeds[0] if len(embeds) == 1 else None
    return Shapes(
        width=widths.most_common(1)[0][0] if len(widths) == 1 else None,
        blocks=len({each.layer for each in weights if each.layer is not None}) or None,
        vocabulary=embed[0] if embed else None,
        neurons=neurons.pop() if len(neurons) == 1 and not experts else None,
        untied=any(each.role == "lm_head" for each in weights),
    )
