"""From tensor names to places: which table of `architectures` fits, and what it says of each tensor.

The table is chosen by the names, and by whether the shapes agree with what the names claim (a reader's input and a writer's output are
as wide as the residual stream); what the configuration says only breaks ties. What the chosen table does not know inside its blocks, and
models that no table fits, the words of the `generic` table place.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace

from tensorguard.tensors.architectures import Architecture, Template, architectures, generic, is_number
from tensorguard.tensors.base import Stored
from tensorguard.tensors.placing import Placed, matrix_shape
from tensorguard.tensors.roles import MATRIX_ROLES

READERS = frozenset({"q", "k", "v", "qkv", "q_a", "kv_a", "gate", "up", "gate_up", "fc_in", "ssm_in", "ssm_gates"})
WRITERS = frozenset({"o", "down", "fc_out", "ssm_out"})
_OTHER_STREAMS = ("cross", "shared")
"""Stacks whose matrices read something else, or more, than their blocks' stream: cross-attention, Zamba 2's shared blocks."""
_WRAPPERS = frozenset({"_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "base_layer"})
_OLD_NAMES = {"gamma": "weight", "beta": "bias"}
_MATCHED = 0.5
"""Least share of the matrices that a table must recognise, with shapes that agree."""
_AGREEING = 0.9
"""Least share of the recognised readers and writers whose shapes agree."""


@dataclass(frozen=True, slots=True)
class Naming:
    """What the best table says.

    Attributes:
        architecture: The table's name.
        container: What the names of its blocks have before their number.
        placed: One for each recognised tensor.
        unknown: The others.
    """

    architecture: str
    container: str
    placed: tuple[Placed, ...]
    unknown: tuple[Stored, ...]


@dataclass(frozen=True, slots=True)
class _Match:
    """One table against all name patterns: pattern -> templates, and what the names of blocks have before them."""

    architecture: Architecture
    prefix: str
    patterns: Mapping[str, tuple[Template, ...]]
    hidden: int
    agreeing: int
    checked: int
    matrices: int
    total: int

    def fits(self, everything: int) -> bool:
        """Say whether enough of all matrices are recognised, with shapes that agree."""
        return self.matrices >= _MATCHED * everything and self.agreeing >= _AGREEING * self.checked


def place_by_name(tensors: Sequence[Stored], model_types: Set[str]) -> Naming | None:
    """Return the places by the best fitting table, or None if none fits well enough.

    Args:
        tensors: Tensors of one tower, buffers taken out.
        model_types: What the configuration calls the architecture.
    """
    groups: dict[str, list[Stored]] = defaultdict(list)
    for stored in tensors:
        groups[_pattern(stored.name)].append(stored)
    shapes = {pattern: Counter(stored.shape for stored in group) for pattern, group in groups.items()}
    everything = sum(count for counter in shapes.values() for shape, count in counter.items() if len(shape) in (2, 3))
    fitting = [match for table in architectures() if (match := _match(table, shapes)) is not None and match.fits(everything)]
    if fitting:
        best = max(fitting, key=lambda match: (match.matrices, match.total, bool(match.architecture.model_types & model_types)))
        return _apply(best, groups)
    by_words = _match(generic(), shapes)
    return _apply(by_words, groups) if by_words is not None and by_words.fits(everything) else None


def _pattern(name: str) -> str:
    components = [c for c in name.split(".") if c not in _WRAPPERS]
    components[-1:] = [_OLD_NAMES.get(c, c) for c in components[-1:]]
    return ".".join("*" if is_number(c) else c for c in components)


def _match(architecture: Architecture, shapes: Mapping[str, Counter[tuple[int, ...]]]) -> _Match | None:
    found = {pattern: hit for pattern in shapes if (hit := architecture.longest_end(pattern)) is not None}
    prefixes = Counter[str]()
    for pattern, (prefix, templates) in found.items():
        if templates[0].layered:
            prefixes[prefix] += shapes[pattern].total()
    if not prefixes:
        return None
    prefix = min(prefixes, key=lambda prefix: (-prefixes[prefix], len(prefix), prefix))
    kept = {pattern: templates for pattern, (own, templates) in found.items() if _belongs(own, templates[0], prefix)}
    widths = Counter[int]()
    for pattern, templates in kept.items():
        for width, count in _stream_widths(templates[0], shapes[pattern]):
            widths[width] += count
    hidden, agreeing = max(widths.items(), key=lambda item: (item[1], item[0]), default=(0, 0))
    checked, total = widths.total(), sum(shapes[pattern].total() for pattern in kept)
    recognised = sum(n for pattern in kept for shape, n in shapes[pattern].items() if len(shape) in (2, 3))
    return _Match(architecture, prefix, kept, hidden, agreeing, checked, recognised - (checked - agreeing), total)


def _belongs(own: str, template: Template, prefix: str) -> bool:
    """A block has the prefix of all blocks; what lies outside blocks may have another, but not inside some other numbered thing."""
    return own == prefix if template.layered else own.count("*") <= prefix.count("*")


def _stream_widths(template: Template, shapes: Counter[tuple[int, ...]]) -> Iterator[tuple[int, int]]:
    if not template.layered or template.stack in _OTHER_STREAMS:
        return
    for shape, count in shapes.items():
        matrix = matrix_shape(shape, template.flags)
        if matrix is not None and template.role in READERS:
            yield matrix[1], count
        elif matrix is not None and template.role in WRITERS:
            yield matrix[0], count


def _apply(match: _Match, groups: Mapping[str, list[Stored]]) -> Naming:
    placed, unknown, containers = [], [], Counter[str]()
    for pattern, group in groups.items():
        templates = match.patterns.get(pattern) or _by_words(pattern, group, match)
        for stored in group:
            place = next((place for template in templates if (place := _place(stored, template)) is not None), None)
            if place is None:
                unknown.append(stored)
            else:
                placed.append(place)
                containers[pattern.partition(".*")[0]] += templates[0].layered
    return Naming(match.architecture.name, containers.most_common(1)[0][0], tuple(placed), tuple(unknown))


def _by_words(pattern: str, group: Sequence[Stored], match: _Match) -> tuple[Template, ...]:
    """Return what the generic table says of a name that the chosen one does not know; matrices in the same blocks only."""
    prefix, templates = generic().longest_end(pattern) or ("", ())
    if not templates or not templates[0].layered or prefix != match.prefix:
        return ()
    said = templates[0].part if templates[0].role == "bias" else templates[0].role
    widths = {width for width, _ in _stream_widths(templates[0], Counter(stored.shape for stored in group))}
    if said not in MATRIX_ROLES or not widths <= {match.hidden}:
        return ()
    stack = next(
        known[0].stack for known in match.patterns.values() if known[0].layered and known[0].stack not in _OTHER_STREAMS
    )
    return tuple(template if template.stack in _OTHER_STREAMS else replace(template, stack=stack) for template in templates)


def _place(stored: Stored, template: Template) -> Placed | None:
    """Read the numbers at the end of a name; None where a literal number differs."""
    numbers = [c for c in stored.name.split(".") if is_number(c)]
    fields: dict[str, int] = {}
    for expected, number in zip(template.numbers, numbers[len(numbers) - len(template.numbers) :], strict=True):
        if is_number(expected) and int(expected) != int(number):
            return None
        fields[expected] = int(number)
    return Placed(
        stored,
        template.role,
        template.part,
        fields.get("{layer}"),
        fields.get("{expert}"),
        template.stack,
        template.flags,
    )
