"""Anchor tokens: the model's own embeddings of tokens that nearly every vocabulary has, as inputs.

What a block does between anchors does not change when the residual stream is rotated or permuted, and can be compared across
widths, depths and architectures.
"""

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
