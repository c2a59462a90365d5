"""The head dimension of each layer's queries and keys: which rows of q share a key-value head."""

from collections.abc import Mapping
from typing import Any

from tensorguard.tensors.heads import Heads
from tensorguard.tensors.view import View


class HeadDimensions:
    """What the weights and the configuration say about the head dimension, layer by layer.

    Args:
        view: The model; norms on the queries and keys of each head (Qwen 3, Gemma 3, Cohere) are as long as a head.
        config: Its own configuration; a hint, checked against the shapes.
        container: `safetensors` or `gguf`.
    """

    def __init__(self, view: View, config: Mapping[str, Any], container: str) -> None:
        self._heads = Heads(config, container)
        self._norms = {
            (v.stack, v.layer, v.part): v.stored.shape[-1]
            for v in view.vectors
            if v.role == "norm" and v.part in ("q", "k") and v.stored.shape
        }

    def head_dimension(self, layer: int | None, q_rows: int, k_rows: int, stack: str = "decoder") -> int | None:
        """Return the head dimension of a layer with so many rows of q and k, or None where nothing that fits them says it.

        Returns:
            A divisor of both numbers of rows.
        """
        q_norm, k_norm = (self._norms.get((stack, layer, part)) for part in ("q", "k"))
        if q_norm and q_norm == k_norm and q_norm < q_rows and q_rows % q_norm == k_rows % q_norm == 0:
            return q_norm
        dimension = self._heads.dimension(q_rows, layer)
        return dimension if dimension is not None and k_rows % dimension == 0 else None
