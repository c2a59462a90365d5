"""What every container is turned into: an ordered list of tensors, each a typed range of a source."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from tensorguard.sources.base import Source
from tensorguard.sources.remote import Location

DAMAGED = "the file is damaged or was not written completely: get it again from where it came from"
"""What to do about a container whose header contradicts itself."""


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One tensor as its file declares it.

    Attributes:
        name: The name in the file; untrusted text.
        dtype: Canonical upper-case name: F64, F32, F16, BF16, F8_E4M3, F8_E5M2, I64..I8, U64..U8, BOOL, or a GGUF type as `GGUF:Q4_1`.
        shape: Dimensions, slowest first (C order), whatever the container writes.
        source: The bytes it lies in.
        offset: First byte in the source.
        nbytes: Length in bytes.
        transposed: Whether the bytes hold the matrix (two dimensions) column by column; a view that files of torch.save may have.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    source: Source
    offset: int
    nbytes: int
    transposed: bool = False

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model as its files declare it, nothing of it read but headers.

    Attributes:
        name: What to call the model: the file's stem or the folder's name.
        location: Where it was opened.
        container: `safetensors`, `gguf`, `pytorch` or `onnx`.
        tensors: All tensors in file order, shards in their own order.
        config: The model's own configuration (config.json, params.json, or GGUF keys under their own names); may be empty. It is
            context, never evidence.
        metadata: The container's free-form metadata.
        notices: Things a user should know, one sentence each.
        vocabulary: Files that may list its tokens, best first; nothing of them has been read. Context like the configuration.
    """

    name: str
    location: str
    container: str
    tensors: tuple[TensorInfo, ...]
    config: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    notices: tuple[str, ...] = ()
    vocabulary: tuple[Location, ...] = ()


@dataclass(frozen=True, slots=True)
class Header:
    """What one file of a container declares; a checkpoint is one or several of them.

    Attributes:
        tensors: The file's tensors in the order its header lists them.
        config: The model's own configuration where the container holds one (GGUF keys); else empty.
        metadata: The container's free-form metadata.
        notices: Things a user should know about this file, one sentence each.
    """

    tensors: tuple[TensorInfo, ...]
    config: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    notices: tuple[str, ...] = ()


class Format(Protocol):
    """A container. Adding one is adding a file and naming it in `formats.detection.FORMATS`."""

    @property
    def container(self) -> str:
        """What it is called."""

    @property
    def suffixes(self) -> tuple[str, ...]:
        """What the names of its files end in, with the dot."""

    def recognises(self, head: bytes) -> bool:
        """Say whether a file with these first bytes (up to 512) is of this format."""

    def read_header(self, source: Source) -> Header:
        """Parse one file's header.

        Raises:
            InputError: The header is malformed, hostile or over a limit.
        """
