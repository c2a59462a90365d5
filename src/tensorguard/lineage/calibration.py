"""Constants that were measured, not derived, each with where it comes from. Everything else in the evidence follows from its null."""

from collections.abc import Mapping
from typing import Literal

Basis = Literal["fixed", "words", "ids"]
"""Fixed basis; token space by the tokens' strings; token space by their numbers."""

OPERATOR_EXCESS: Mapping[str, float] = {"all": 0.1, "attention": 0.08, "mlp": 0.16}
"""Largest excess of T in token space between independently trained models, by component.

Measured on the development zoo (1,135 pairs of twins and of different architectures, derivatives among them): at most 0.069, 0.059 and
0.114. The largest are twins with tied embeddings, whose MLPs hold a table of which token follows which, and derivatives with blocks
dropped. The rest is margin.
"""

EMBEDDING_EXCESS = 0.95
"""Largest excess of the cosine of centred token similarities between models with independent embeddings.

Measured on the development zoo: 0.93 between twins with tied embeddings, 0.55 with untied ones. So no p-value of this test can be
small: in token space embeddings alone prove nothing, and their cosine is an effect size.
"""

HEAD_EXCESS = EMBEDDING_EXCESS
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

all-MiniLM-L6-v2 and paraphrase-MiniLM-L3-v2: 0.29.
"""

OWN_BLOCKS = 0.4
"""Excess of T from which on a ridge alone shows common blocks although the models share embeddings.

A new body trained on frozen embeddings learns some of the same blocks in the same basis: up to 0.21 in the development zoo (tied
embeddings).
"""
