"""Tables of tensor names, kept as data: one JSON file per architecture in `data/architectures`.

A table maps templates to words. A template is the end of a tensor's name; `{layer}` and `{expert}` stand for numbers. The words are
the role (`tensors.roles`), and then, in any order:

- for `norm`: its place (attention_in, ffn_in, attention_out, ...);
- `grouped`: fused q, k, v in groups, one per key-value head; without it they lie one after the other;
- `interleaved`, `swapped`: fused gate, up that alternate row by row, or with up first; without it gate comes first;
- `linear`: fused q, k, v of linear attention, where v is as wide as what o reads;
- `scan`: all that enters a state space, fused (Mamba, Mamba 2, short convolutions: told apart by the shapes);
- `transposed`: stored as in x out; `stacked`: experts along the first of three dimensions;
- `rotary`: rows stored with the two rotary halves interleaved;
- `@NAME`: the stack, where it is not the table's own.

One table, `generic`, is not of an architecture: it knows the words that most of them use for the same thing (`words`: the table's own
word -> others), and places what no other table knows.

`extends` names a table to start from, in which `null` removes a template. A bias needs no template of its own. What names do not say
of the norms is said once for a table: `"norm": "layer"` where they are LayerNorms that may have no bias, `"gain": "1 + g"` where
safetensors hold g (`"gain": "g"` takes it back in a table that extends such a one).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

_FLAGS = frozenset({"grouped", "linear", "scan", "interleaved", "swapped", "transposed", "stacked", "rotary"})
_FIELDS = ("{layer}", "{expert}")


@dataclass(frozen=True, slots=True)
class Template:
    """What a name says about its tensor.

    Attributes:
        role: See `tensors.roles`.
        part: Of a norm, its place; of a bias, the role or place of what it is added to; else empty.
        flags: Layout words, see the module.
        stack: Which tower it belongs to.
        numbers: For each number in the template, `{layer}`, `{expert}`, or the literal that must stand there.
    """

    role: str
    part: str = ""
    flags: frozenset[str] = frozenset()
    stack: str = "decoder"
    numbers: tuple[str, ...] = ()

    @property
    def layered(self) -> bool:
        """Whether it names a tensor inside a block."""
        return "{layer}" in self.numbers


@dataclass(frozen=True)
class Architecture:
    """One table.

    Attributes:
        name: The file's stem.
        model_types: The values of `model_type` (of GGUF's `general.architecture`) that it is meant for; they only break ties.
        depth: How many tables it extends.
        templates: Normalised template (every number a `*`) -> the templates of that form.
        layer_norm: Whether its norms are LayerNorms even where they have no bias.
        gain_from_one: Whether its norms are stored as g in safetensors and multiply by 1 + g.
        words: Part of a name -> the word that the table has for it; only of `generic`.
    """

    name: str
    model_types: frozenset[str]
    depth: int
    templates: Mapping[str, tuple[Template, ...]]
    layer_norm: bool
    gain_from_one: bool
    words: Mapping[str, str]

    def longest_end(self, pattern: str) -> tuple[str, tuple[Template, ...]] | None:
        """Return what comes before the longest end of a name's pattern that the table knows, and the templates.

        Args:
            pattern: A name in which every number is a `*`.
        """
        components = pattern.split(".")
        own = [self.words.get(c, c) for c in components]
        said = (components, own) if own != components else (components,)
        for start in range(len(own)):
            for parts in said:
                templates = self.templates.get(".".join(parts[start:]))
                if templates is not None:
                    return ".".join(components[:start]), templates
        return None


def is_number(component: str) -> bool:
    """Say whether a part of a name is a layer or expert index: one to six ASCII digits."""
    return len(component) <= 6 and component.isascii() and component.isdigit()


def architectures() -> tuple[Architecture, ...]:
    """Return the tables of architectures, sorted by depth and name: of two that fit equally well the more general one comes first."""
    return tuple(table for table in _tables() if not table.words)


def generic() -> Architecture:
    """Return the table for what no other knows."""
    return next(table for table in _tables() if table.words)


@cache
def _tables() -> tuple[Architecture, ...]:
    folder = files("tensorguard.tensors") / "data" / "architectures"
    raw = {entry.name.removesuffix(".json"): json.loads(entry.read_text("utf-8")) for entry in folder.iterdir()}
    tables = (_table(name, raw) for name in raw if "model_types" in raw[name])
    return tuple(sorted(tables, key=lambda table: (table.depth, table.name)))


def _table(name: str, raw: Mapping[str, dict[str, Any]]) -> Architecture:
    chain = [name]
    while parent := raw[chain[-1]].get("extends"):
        chain.append(str(parent))
    words: dict[str, str | None] = {}
    for ancestor in reversed(chain):
        words.update(raw[ancestor]["tensors"])
    said = {key: str(value) for ancestor in reversed(chain) for key, value in raw[ancestor].items()}
    stack = said.get("stack", "decoder")
    templates: dict[str, list[Template]] = {}
    for text, value in words.items():
        if value is not None:
            key, template = _parse(text, value, stack)
            templates.setdefault(key, []).append(template)
    for key, same_key in list(templates.items()):
        bias = f"{key.removesuffix('.weight')}.bias" if key.endswith(".weight") else f"{key}_bias"
        templates.setdefault(bias, [_bias_of(template) for template in same_key])
    types = frozenset(raw[name]["model_types"])
    return Architecture(
        name,
        types,
        len(chain) - 1,
        {key: tuple(same) for key, same in templates.items()},
        layer_norm=said.get("norm") == "layer",
        gain_from_one=said.get("gain") == "1 + g",
        words={other: word for word, others in raw[name].get("words", {}).items() for other in others},
    )


@cache  # tables repeat what they extend
def _parse(text: str, value: str, stack: str) -> tuple[str, Template]:
    components = text.split(".")
    numbered = [c in _FIELDS or is_number(c) for c in components]
    role, *words = value.split()
    flags = frozenset(word for word in words if word in _FLAGS)
    stacks = [word[1:] for word in words if word.startswith("@")]
    parts = [word for word in words if word not in flags and not word.startswith("@")]
    template = Template(
        role,
        part=parts[0] if parts else "",
        flags=flags,
        stack=stacks[0] if stacks else stack,
        numbers=tuple(c for c, number in zip(components, numbered, strict=True) if number),
    )
    return ".".join("*" if number else c for c, number in zip(components, numbered, strict=True)), template


def _bias_of(template: Template) -> Template:
    return Template("bias", template.part or template.role, template.flags, template.stack, template.numbers)
