"""Prompt, prefix and P-tuning: vectors put before the input. The base's weights stay as they are."""

from collections.abc import Iterable, Sequence

from tensorguard.adapters.base import AdaptedTensor
from tensorguard.adapters.factors import Factors
from tensorguard.adapters.matching import BaseTensors
from tensorguard.adapters.settings import Settings


class SoftPrompt:
    """The kind; see `Kind`. It changes no tensor; `applying` says so in a notice."""

    title = "soft prompt"
    peft_types = frozenset({"PROMPT_TUNING", "PREFIX_TUNING", "P_TUNING", "MULTITASK_PROMPT_TUNING", "CPT"})
    factors = frozenset({"prompt_embeddings", "prompt_encoder", "prefix_task_cols", "prefix_task_rows", "past_key_values"})

    def adapt(self, settings: Settings, modules: Sequence[Factors], base: BaseTensors) -> Iterable[AdaptedTensor]:  # noqa: ARG002
        """Plan the adapter: nothing changes."""
        return ()
