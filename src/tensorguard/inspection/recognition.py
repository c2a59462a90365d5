"""How a model's tensors were told apart: tower by tower, which table of names fits, and how much of it."""

from collections.abc import Mapping, Sequence
from typing import Any

from tensorguard.inspection.base import Recognition
from tensorguard.inspection.composition import Member
from tensorguard.tensors.base import Stored
from tensorguard.tensors.heads import model_types
from tensorguard.tensors.locating import BY_STRUCTURE
from tensorguard.tensors.naming import place_by_name
from tensorguard.tensors.ordering import LANGUAGE_STACKS
from tensorguard.tensors.view import View

_LANGUAGE = frozenset({*LANGUAGE_STACKS, ""})


def recognition(view: View, found: Sequence[Member], config: Mapping[str, Any]) -> tuple[Recognition, ...]:
    """Say of the language model what the view found, and ask the tables again of every other tower.

    Args:
        view: The canonical view.
        found: All its parameters, measured.
        config: The model's own configuration; it breaks ties.
    """
    towers: dict[str, dict[str, Stored]] = {"language": {}}
    for each in found:
        towers.setdefault("language" if each.tower in _LANGUAGE else each.tower, {})[each.stored.name] = each.stored
    told = [_language(view, towers.pop("language"))]
    types = model_types(config)
    return (*told, *(_tower(name, list(members.values()), types) for name, members in towers.items()))


def _language(view: View, members: Mapping[str, Stored]) -> Recognition:
    if view.architecture == BY_STRUCTURE:
        return Recognition("language", "", 0, len(members))
    unknown = sum(name in members for name in view.unknown)
    return Recognition("language", view.architecture, len(members) - unknown, len(members))


def _tower(name: str, members: Sequence[Stored], types: frozenset[str]) -> Recognition:
    naming = place_by_name(members, types)
    if naming is None:
        return Recognition(name, "", 0, len(members))
    return Recognition(name, naming.architecture, len(naming.placed), len(members))
