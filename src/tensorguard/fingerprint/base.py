"""What a fingerprint is."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tensorguard.fingerprint.sketches import Sketches

FEATURES = (
    "global_mean",
    "global_std",
    "global_norm",
    "global_skewness",
    "global_kurtosis",
    "attention_mean",
    "attention_std",
    "attention_norm",
    "ffn_mean",
    "ffn_std",
    "ffn_norm",
    "embedding_mean",
    "embedding_std",
    "embedding_norm",
    "total_params",
    "num_layers",
)
"""The paper's 16 numbers, in the order of the published files (paper, figure 2)."""


@dataclass(frozen=True, slots=True)
class LayerFeatures:
    """One analysed weight and the statistics of its gradient, each averaged over the repeats.

    Attributes:
        name: The stored tensor's own name; untrusted text.
        role: Its role in the canonical view.
        category: attention, ffn, embedding or unknown.
        layer: Block index, or None.
        shape: (out, in).
        mean: E[G].
        std: Standard deviation of G.
        norm: Frobenius norm of G, which is ||x||.
        skewness: Third standardised moment of G.
        kurtosis: Fourth standardised moment of G less 3.
        gain: ||W x|| / ||x||: unlike the norm, it depends on the weights.
        extended: Further numbers on request, by name; see `fingerprint.extended`.
    """

    name: str
    role: str
    category: str
    layer: int | None
    shape: tuple[int, int]
    mean: float
    std: float
    norm: float
    skewness: float
    kurtosis: float
    gain: float
    extended: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TensorDigest:
    """The digest of one tensor's values.

    Attributes:
        role: Its role in the canonical view; `norm:PLACE`, `bias:PLACE` or `vector:PLACE` for vectors.
        layer: Block index, or None.
        expert: Expert index, or None.
        stack: Which tower it belongs to.
        elements: How many numbers it holds.
        constant: Whether they are all the same; such a tensor is no evidence of anything.
        nan: How many are not a number.
        infinite: How many are infinite.
        digest: See `signals.digest`; hexadecimal.
    """

    role: str
    layer: int | None
    expert: int | None
    stack: str
    elements: int
    constant: bool
    nan: int
    infinite: int
    digest: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a model a sampled fingerprint rests on.

    Attributes:
        rows: Matrices of which the first rows were read.
        whole: Matrices that were read whole.
        matrices: How many there are.
        elements: Numbers read, rows of anchor tokens and norms not counted.
        of: How many the model holds.
        words: Whether the vocabulary was read.
    """

    rows: int
    whole: int
    matrices: int
    elements: int
    of: int
    words: bool


@dataclass(frozen=True, slots=True)
class StoredAs:
    """How many numbers are stored in one way.

    Attributes:
        dtype: The container's own word: `BF16`, `GGUF:Q4_K`, `GPTQ-4`.
        elements: How many.
    """

    dtype: str
    elements: int


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The fingerprint of one model: the paper's numbers, digests of all values, and the lineage fingerprint.

    Attributes:
        name: The model's name; for reading only.
        specification: What it was made with; see `Specification`.
        header_digest: Digest of the tensors' names, dtypes and shapes, to notice that a file is another one.
        features: The 16 numbers, by the keys of `FEATURES`.
        layers: What they were averaged from, in canonical order.
        architecture: The naming scheme that the tensors follow.
        elements_read: How many weights were read (each counted once).
        elements: How many weights there are in all.
        skipped: (name, reason) of each weight that was chosen but left out.
        notices: Things to know, a sentence each.
        extended: Further numbers on request, by category and name (`attention_band_low`); never part of the 16.
        digests: Digests of all tensors' values, weights and then vectors in canonical order; empty if they were not asked for.
        sketches: The lineage fingerprint; None if it was not asked for.
        coverage: How much was read of a model that was only sampled, which has none of the 16 numbers; None: all.
        stored: What the matrices of its blocks are stored as. A fact about the container, of which the verdict is no function: it only
            says which of two close models is the quantised one.
    """

    name: str
    specification: str
    features: Mapping[str, float]
    layers: tuple[LayerFeatures, ...]
    architecture: str
    elements_read: int
    elements: int
    header_digest: str = ""
    skipped: tuple[tuple[str, str], ...] = ()
    notices: tuple[str, ...] = ()
    extended: Mapping[str, float] = field(default_factory=dict)
    digests: tuple[TensorDigest, ...] = ()
    sketches: Sketches | None = field(default=None, repr=False, compare=False)
    coverage: Coverage | None = None
    stored: tuple[StoredAs, ...] = ()
