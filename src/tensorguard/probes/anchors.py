"""Anchor tokens: the model's own embeddings of tokens that nearly every vocabulary has, as inputs.

What a block does between anchors does not change when the residual stream is rotated or permuted, and can be compared across
widths, depths and architectures.
"""

from collections.abc import Sequence

import numpy as np

from tensorguard.probes.rademacher import Key

ANCHOR_WORDS = (
    "the", "of", "and", "to", "in", "is", "for", "that", "on", "with", "as", "by", "at", "from", "it", "be",
    "are", "or", "not", "this", "have", "which", "they", "one", "all", "when", "can", "more", "time", "first", "two", "number",
)  # fmt: skip
"""32 words, found as word-start tokens by their string."""

ANCHOR_IDS = (
    265, 271, 277, 283, 293, 307, 313, 331, 347, 359, 373, 389, 401, 433, 467, 499,
    557, 613, 691, 773, 859, 953, 1109, 1301,
)  # fmt: skip
"""24 token numbers: past the bytes and special tokens that vocabularies begin with, and low, where tokens are common."""

_DRAWN = (260, 30_000)
"""Token numbers that a secret key draws from, uniform in their logarithm."""


def anchor_tokens(key: Key, words: Sequence[int | None]) -> list[int | None]:
    """Return the token numbers of all anchors, None for those that the vocabulary lacks: 32 words, then 24 by number.

    Under a secret key all 56 are numbers that the key draws, lower ones more often: whoever knew the anchors could change a model in
    their span alone.

    Args:
        key: Whose anchors.
        words: The number of each anchor word in the vocabulary; empty without one.
    """
    count = len(ANCHOR_WORDS) + len(ANCHOR_IDS)
    if not key.secret:
        return [*(words or [None] * len(ANCHOR_WORDS)), *ANCHOR_IDS]
    low, high = _DRAWN
    shares = (key.words("lineage/anchors", 8 * count) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    drawn: dict[int | None, None] = dict.fromkeys(int(low * (high / low) ** share) for share in shares)
    return [*drawn][:count]
