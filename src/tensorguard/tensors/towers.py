"""Which tower of a model of several kinds of input a tensor belongs to, by the well-known parts of names."""

from collections import defaultdict
from collections.abc import Sequence

from tensorguard.tensors.base import Stored

LANGUAGE = ""
_TOWERS = {
    **dict.fromkeys(("vision_tower", "vision_model", "visual", "vision_encoder", "vision", "image_encoder"), "vision"),
    **dict.fromkeys(("audio_tower", "audio_model", "audio_encoder", "speech_encoder", "audio"), "audio"),
    **dict.fromkeys(
        ("multi_modal_projector", "mm_projector", "vision_projector", "connector", "embed_vision", "embed_audio", "mlp1"),
        "projector",
    ),
}


def by_tower(tensors: Sequence[Stored]) -> dict[str, list[Stored]]:
    """Return tower -> its tensors in the given order; the language model is `LANGUAGE`.

    A model of one tower alone is that model: it is not set apart.
    """
    towers: dict[str, list[Stored]] = defaultdict(list)
    for stored in tensors:
        towers[next((_TOWERS[c] for c in stored.name.split(".") if c in _TOWERS), LANGUAGE)].append(stored)
    return dict(towers) if LANGUAGE in towers else {LANGUAGE: list(tensors)}
