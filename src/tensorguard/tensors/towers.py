"""Which tower of a model of several kinds of input a tensor belongs to, by the well-known parts of names."""

from collections import defaultdict
from collections.abc import Sequence

from tensorguard.tensors.architectures import is_number
from tensorguard.tensors.base import Stored

LANGUAGE = ""
OTHER = "other"
"""A tower of which the names do not say what it is for."""

_TOWERS = {
    **dict.fromkeys(
        ("vision_tower", "vision_model", "visual", "vision_encoder", "vision", "image_encoder", "vision_backbone", "image_tower",
         "video_tower", "vision_tower_high", "high_res_vision_model", "sam_model", "vqmodel", "vit", "image_newline"),
        "vision",
    ),
    **dict.fromkeys(("audio_tower", "audio_model", "audio_encoder", "speech_encoder", "audio", "speech_tower"), "audio"),
    **dict.fromkeys(
        ("multi_modal_projector", "mm_projector", "vision_projector", "connector", "embed_vision", "embed_audio", "mlp1", "qformer",
         "audio_projector", "projector", "aligner", "perceiver_resampler", "resampler", "language_projection",
         "gated_cross_attn_layers"),
        "projector",
    ),
    **dict.fromkeys(("mtp", "mtp_layers", "nextn"), "mtp"),
}  # fmt: skip
_LANGUAGE = frozenset({"language_model", "text_model", "llm", "language"})
_SIDES = ("encoder", "decoder")


def by_tower(tensors: Sequence[Stored]) -> dict[str, list[Stored]]:
    """Return tower -> its tensors in the given order; the language model is `LANGUAGE`.

    Where names say which part is the language model, blocks elsewhere are no part of it. A model of one tower alone is that model: it
    is not set apart.
    """
    names = {id(stored): stored.name.split(".") for stored in tensors}
    said = any(not _LANGUAGE.isdisjoint(parts) for parts in names.values())
    towers: dict[str, list[Stored]] = defaultdict(list)
    for stored in tensors:
        towers[next((_TOWERS[part] for part in names[id(stored)] if part in _TOWERS), LANGUAGE)].append(stored)
    if said and LANGUAGE in towers:
        rest = towers.pop(LANGUAGE)
        blocks = {_owner(names[id(s)]) for s in rest if _LANGUAGE.isdisjoint(names[id(s)])} - {""}
        for stored in rest:
            parts = names[id(stored)]
            elsewhere = _LANGUAGE.isdisjoint(parts) and any(".".join(parts[:n]) in blocks for n in range(len(parts)))
            towers[OTHER if elsewhere else LANGUAGE].append(stored)
    return dict(towers) if LANGUAGE in towers else {LANGUAGE: list(tensors)}


def _owner(parts: Sequence[str]) -> str:
    """Return the name of what owns the blocks in which a tensor lies: what comes before `layers.0`; empty outside blocks."""
    place = next((place for place, part in enumerate(parts) if is_number(part)), 0)
    return ".".join(parts[: place - 1]) if place > 1 else ".".join(parts[:place])


def beside(container: str, taken: str) -> str:
    """Return what to call blocks that lie beside those of the language model: its other side, or another tower.

    Args:
        container: The name before their number.
        taken: What the language model's own blocks are called.
    """
    parts = container.split(".")
    if taken not in _SIDES:
        return OTHER
    return next((part for part in parts if part in _SIDES and part != taken), OTHER)
