"""Latent attention, experts, state spaces, encoder-decoders, models that see or hear, embedding models: what each matrix does.

The hub's names are those that transformers writes: often not the ones that its own classes use.
"""

from typing import Any

import pytest
from transformers.core_model_loading import revert_weight_conversion

from support.families import FAMILIES, Family
from support.models import arrays, matrix, places, stored, tiny
from tensorguard.tensors.view import View, canonical_view


def described(view: View) -> list[tuple[Any, ...]]:
    return [(w.stack, w.layer, w.role, w.expert, w.shape, matrix(w).tobytes()) for w in view.weights]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.model_type)
def test_family(family: Family) -> None:
    model = tiny(family.model_type, family.kind, **family.settings)
    config = model.config.to_dict()
    view = canonical_view(stored(arrays(model)), config, "safetensors")
    assert view.unknown == ()
    assert view.architecture == family.table
    assert {w.role for w in view.weights if w.stack in ("decoder", "encoder") and w.layer is not None} == {
        *family.roles.split()
    }
    assert {w.stack for w in view.weights} == {*family.stacks.split()}

    written = revert_weight_conversion(model, dict(model.state_dict()))
    hub = canonical_view(stored({name: tensor.detach().numpy() for name, tensor in written.items()}), config, "safetensors")
    assert hub.unknown == ()
    assert described(hub) == described(view)
    assert family.blends or places(hub) == places(view)
