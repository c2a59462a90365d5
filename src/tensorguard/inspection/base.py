"""What an inspection finds, as plain data. Texts that come from files are untrusted."""

from dataclasses import dataclass

from tensorguard.inspection.adapter import AdapterContents


@dataclass(frozen=True, slots=True)
class Recognition:
    """How the tensors of one tower were told apart.

    Attributes:
        tower: `language`, or vision, audio, projector.
        table: The table of names that fits best; empty where none does, so that shapes and repetition decided.
        known: How many of its tensors the table knows.
        tensors: How many it has, without buffers and the scales of packed weights.
    """

    tower: str
    table: str
    known: int
    tensors: int


@dataclass(frozen=True, slots=True)
class Component:
    """All weights of one role in one tower.

    Attributes:
        stack: decoder, encoder, vision, ...
        role: What they do.
        category: The paper's category.
        weights: How many there are.
        parameters: How many numbers they hold.
        bytes: What they take in the files, scales and zero points included.
        shapes: The commonest shapes, (out, in), at most three.
        dtypes: How they are stored.
    """

    stack: str
    role: str
    category: str
    weights: int
    parameters: int
    bytes: int
    shapes: tuple[tuple[int, int], ...]
    dtypes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Inventory:
    """What a model holds.

    Attributes:
        architecture: The naming scheme that fits, or `unknown`.
        parameters: Unique parameters.
        blocks: How many blocks the language model has.
        components: Weights by tower and role, in canonical order.
        vectors: Numbers in norms, biases and other vectors.
        chosen: Names of the weights that the paper's fingerprint would read.
        unknown: Names that no table knows.
        excluded: (name, reason) of what is no parameter.
    """

    architecture: str
    parameters: int
    blocks: int
    components: tuple[Component, ...]
    vectors: int
    chosen: tuple[str, ...]
    unknown: tuple[str, ...]
    excluded: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a model, as people speak of it.

    Attributes:
        tower: decoder, encoder, vision, ...; empty for what belongs to none.
        group: One of `composition.GROUPS`.
        parameters: How many numbers it holds.
        bytes: What it takes in the files.
        dtypes: How it is stored, what takes most bytes first.
    """

    tower: str
    group: str
    parameters: int
    bytes: int
    dtypes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BlockBytes:
    """What one block takes.

    Attributes:
        tower: decoder, encoder, vision, ...
        layer: Its index from 0; None for all that lies outside blocks.
        groups: (group, bytes), in the order of `composition.GROUPS`.
    """

    tower: str
    layer: int | None
    groups: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class BlockKind:
    """Blocks that hold the same: equal roles and shapes.

    Attributes:
        tower: decoder, encoder, vision, ...
        layers: Their indices.
        holds: (role, how many, shape as out x in), in canonical order; experts of one shape count together.
        parameters: Of each.
        bytes: Of the smallest and of the largest.
    """

    tower: str
    layers: tuple[int, ...]
    holds: tuple[tuple[str, int, tuple[int, int]], ...]
    parameters: int
    bytes: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Encoding:
    """A way in which parameters are stored.

    Attributes:
        dtype: BF16, GGUF:Q4_K, GPTQ-4, ...
        tensors: How many.
        parameters: How many numbers they mean.
        bytes: What they take, scales and zero points included.
        decoded: Whether their numbers can be read here.
    """

    dtype: str
    tensors: int
    parameters: int
    bytes: int
    decoded: bool


@dataclass(frozen=True, slots=True)
class File:
    """One of the files.

    Attributes:
        name: Its name without folders.
        bytes: Its size.
        tensors: How many tensors it holds.
        tensor_bytes: What these take; the rest is headers, vocabulary, alignment.
    """

    name: str
    bytes: int
    tensors: int
    tensor_bytes: int


@dataclass(frozen=True, slots=True)
class Storage:
    """Bytes in all. What `tensors` has beyond the other three describes packed weights: shapes, states.

    Attributes:
        files: Of the files.
        tensors: Of all tensors in them.
        parameters: Of those that are parameters, with the scales of packed ones.
        copies: Of tensors that repeat another (tied embeddings).
        aside: Of what is no parameter: buffers, quantisations that are not decoded, ...
    """

    files: int
    tensors: int
    parameters: int
    copies: int
    aside: int


@dataclass(frozen=True, slots=True)
class Dimensions:
    """What shapes say of the language model; None where nothing says it.

    Attributes:
        width: Of the residual stream.
        vocabulary: Rows of the embedding.
        feed_forward: Inner widths of its feed-forward blocks, the commonest first, at most three.
        query: Rows of the query matrix.
        key: Rows of the key matrix.
        head: Rows of one head, by norms on heads, else by the configuration.
        latent: Rows of the matrix through which keys and values are made in latent attention (MLA).
        experts: Experts in a block, of the block that has most; 0 for none.
        used: Experts that each token goes through, by the configuration.
        active: Parameters that a token goes through, where that is known.
        output: `its own`, `equal to the embedding, stored twice`, or `none stored` (the embedding, or a model without one).
    """

    width: int | None
    vocabulary: int | None
    feed_forward: tuple[int, ...]
    query: int | None
    key: int | None
    head: int | None
    latent: int | None
    experts: int
    used: int | None
    active: int | None
    output: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What one way to compare the model reads of it.

    Attributes:
        name: `full` or `quick`.
        bytes: Of tensors; of `quick` the first step, about.
        most: At most, about: as far as a sample may grow.
    """

    name: str
    bytes: int
    most: int


@dataclass(frozen=True, slots=True)
class Traffic:
    """What looking cost.

    Attributes:
        read: Bytes that came over the network.
        offered: Bytes of the files that they are of.
    """

    read: int
    offered: int


@dataclass(frozen=True, slots=True)
class Inspection:
    """Everything that was found.

    Attributes:
        name: What to call the model.
        container: safetensors, gguf, pytorch or onnx.
        recognition: How each tower was recognised.
        claims: (what, value) that the model's own configuration says; never evidence.
        dimensions: What shapes say; None of an adapter without its base.
        inventory: Weights by role, unknown names, what is left out; None of an adapter without its base.
        parts: Where parameters and bytes are.
        blocks: Bytes block by block.
        kinds: Which blocks are alike.
        encodings: How parameters are stored, what takes most bytes first.
        files: Its files.
        storage: Bytes in all.
        reading: What comparing it would read.
        adapter: What an adapter's own files hold; None of a whole model.
        traffic: What looking cost over the network; None where nothing was read there.
    """

    name: str
    container: str
    recognition: tuple[Recognition, ...]
    claims: tuple[tuple[str, str], ...]
    dimensions: Dimensions | None
    inventory: Inventory | None
    parts: tuple[Part, ...]
    blocks: tuple[BlockBytes, ...]
    kinds: tuple[BlockKind, ...]
    encodings: tuple[Encoding, ...]
    files: tuple[File, ...]
    storage: Storage
    reading: tuple[Reading, ...]
    adapter: AdapterContents | None
    traffic: Traffic | None
