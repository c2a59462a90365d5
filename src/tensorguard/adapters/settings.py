"""An adapter's configuration: untrusted JSON, asked for typed values."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from tensorguard.adapters.errors import refuse
from tensorguard.adapters.patterns import Patterns
from tensorguard.errors import quote
from tensorguard.limits import MAX_ADAPTER_RANK

MERGE_FIRST = "merge it with PEFT first (merge_and_unload, then save_pretrained) and give the merged model"

_MAX_SCALE = 1e30
"""Far beyond use, and small enough for float32."""


@dataclass(frozen=True)
class Settings:
    """Typed access to `adapter_config.json`; what is absent or null has PEFT's default.

    Attributes:
        config: The JSON object.
        where: The adapter, for messages.
    """

    config: Mapping[str, Any]
    where: str
    _patterns: dict[str, Patterns] = field(default_factory=dict, compare=False, repr=False)

    def flag(self, name: str, default: bool = False) -> bool:
        """Return a truth value."""
        value = self._value(name, default)
        if not isinstance(value, bool):
            self.refuse(f"its setting {name} is {quote(value)}, not true or false")
        return value

    def number(self, name: str, default: float) -> float:
        """Return a finite number."""
        return self._number(name, self._value(name, default))

    def names(self, name: str) -> tuple[str, ...]:
        """Return a list of names; empty unless the value is a list of text."""
        value = self._value(name, [])
        return tuple(v for v in value if isinstance(v, str)) if isinstance(value, list) else ()

    def scale(self, module: str, rank: int | None, alpha_name: str = "lora_alpha", root: bool = False) -> float:
        """Return alpha / r of a module, with the exceptions that `rank_pattern` and `alpha_pattern` make.

        Args:
            module: The module's path in the model.
            rank: The rank its factors have, or None if they do not show it.
            alpha_name: The setting that holds alpha.
            root: Divide by the square root of r (rank-stabilised LoRA, arXiv 2312.03732).

        Raises:
            InputError: A value is no number, the rank is not positive, or it is not the rank of the factors.
        """
        alpha = self._for_module("alpha_pattern", module, alpha_name)
        declared = self._for_module("rank_pattern", module, "r")
        if not 1 <= declared <= MAX_ADAPTER_RANK or declared != int(declared):
            self.refuse(f"its rank for {quote(module)} is {declared:g}, not a whole number from 1 to {MAX_ADAPTER_RANK}")
        if rank is not None and rank != declared:
            self.refuse(f"the factors of {quote(module)} have rank {rank}, but its configuration says {declared:g}")
        scale = alpha / (math.sqrt(declared) if root else declared)
        if abs(scale) > _MAX_SCALE:
            self.refuse(f"its scale for {quote(module)} is {scale:g}")
        return scale

    def refuse(self, reason: str, hint: str = "") -> NoReturn:
        """Raise an `InputError` about this adapter."""
        refuse(reason, self.where, hint)

    def refuse_unmergeable(self, reason: str) -> NoReturn:
        """Raise an `InputError` that names what cannot be done exactly here, and what to do instead."""
        self.refuse(f"{reason} is not supported", MERGE_FIRST)

    def refuse_if_set(self, settings: Mapping[str, str]) -> None:
        """Refuse by name the settings (setting -> what it is) that ask for what cannot be done exactly."""
        for name, meaning in settings.items():
            if self._value(name, None):
                self.refuse_unmergeable(f"{meaning} ({name})")

    def _for_module(self, table: str, module: str, name: str) -> float:
        """Return what a pattern table says about a module, or else the setting `name` (PEFT's default for r and alpha is 8)."""
        if table not in self._patterns:
            self._patterns[table] = Patterns(self._value(table, {}), table, self.where)
        found = self._patterns[table].get(module, None)
        return self.number(name, 8) if found is None else self._number(table, found)

    def _number(self, name: str, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            self.refuse(f"its setting {name} is {quote(value)}, not a number")
        return float(value)

    def _value(self, name: str, default: Any) -> Any:
        value = self.config.get(name)
        return default if value is None else value
