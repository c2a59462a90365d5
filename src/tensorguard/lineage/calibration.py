"""Constants that were measured, not derived, each with where it comes from. Everything else in the evidence follows from its null."""

from typing import Literal

Basis = Literal["fixed", "words", "ids"]
"""Fixed basis; token space by the tokens' strings; token space by their numbers."""

OPERATOR_EXCESS = 0.035
"""Largest excess of T in token space between independently trained models.

Measured, before this code: at most 0.020 between independent real models of all widths, depths and tokenizers; at most 0.023 between
twins and to a distilled student among small trained models (design of record, section 5). The rest is margin.
"""

EMBEDDING_EXCESS = 0.9
"""Largest excess of the cosine of centred token similarities between models with independent embeddings."""

HEAD_EXCESS = 0.9
"""The same of an output head."""

BLOCK_LEVEL = 1e-3
"""Chance, over all pairs of blocks, that one of two independent models passes for alike in a layer map."""

RIDGE = 3.0
"""Odds c / (1 - c) of the cosine of one block in two models over those of others in its row and column, at least.

Measured: at most 2.3 between all-MiniLM-L6-v2 and paraphrase-MiniLM-L3-v2, which share a residual basis and no block. Blocks of one
model have cosines of up to 0.4, so a copy that has drifted to a cosine of 0.3 still has odds about 5 times its neighbours'.
"""

ALARM = -6.0
"""log10 of the corrected p-value at which two models count as linked."""

SMALLEST_DERIVED = 0.13
"""Smallest excess of T, in the larger of both bases, that counts as derived.

Measured, before this code: at least 0.13 for 482 of 487 linked pairs of small trained models, at most 0.033 for 1,109 independent ones
(design of record, section 5).
"""

SHARED_BASIS = 0.1
"""Excess of T from which on models without common blocks are called related: their blocks act in one residual basis.

all-MiniLM-L6-v2 and paraphrase-MiniLM-L3-v2: 0.17.
"""
