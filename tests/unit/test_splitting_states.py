"""What enters a state space is cut where transformers' own modules cut it: without its part, nothing or something comes out."""

from typing import Any

import pytest
import torch

from support.models import tiny, view_of
from tensorguard.tensors.weight import Weight

MAMBA_2 = {"num_heads": 4, "head_dim": 16, "n_groups": 2, "state_size": 8, "expand": 2}
ENOUGH = {
    "mamba": {"ssm_in", "ssm_gates"},
    "mamba2": {"ssm_in", "ssm_gates"},
    "lfm2": {"ssm_in", "ssm_b", "ssm_c"},
}
"""Parts without which nothing comes out, where the convolution has no bias."""
SIZES = {
    "mamba": {"ssm_gates": 48, "ssm_in": 48},
    "mamba2": {"ssm_gates": 64, "ssm_in": 64, "ssm_b": 16, "ssm_c": 16, "ssm_step": 4},
    "lfm2": {"ssm_b": 32, "ssm_c": 32, "ssm_in": 32},
}
SETTINGS: dict[str, dict[str, Any]] = {"mamba": {}, "mamba2": MAMBA_2, "lfm2": {"layer_types": ["conv", "full_attention"]}}


def mixer_of(model: torch.nn.Module, model_type: str) -> Any:
    layers: Any = model.model.layers if model_type == "lfm2" else model.backbone.layers
    return layers[0].conv if model_type == "lfm2" else layers[0].mixer


def output(mixer: Any, part: Weight | None) -> torch.Tensor:
    """What the module writes when the rows of a part are zero."""
    kept = mixer.in_proj.weight.detach().clone()
    with torch.no_grad():
        if part is not None:
            mixer.in_proj.weight[part.order.offset : part.order.offset + part.shape[0]] = 0
        found = mixer(torch.randn(1, 7, 32, generator=torch.Generator().manual_seed(1)))
        mixer.in_proj.weight.copy_(kept)
    result: torch.Tensor = found[0] if isinstance(found, tuple) else found
    return result


@pytest.mark.parametrize("model_type", sorted(SIZES))
def test_cut_as_the_module_cuts(model_type: str) -> None:
    model = tiny(model_type, **SETTINGS[model_type]).eval()
    parts = {w.role: w for w in view_of(model).weights if w.layer == 0 and w.name.endswith(".in_proj.weight")}
    assert {role: part.shape[0] for role, part in parts.items()} == SIZES[model_type]
    mixer = mixer_of(model, model_type)
    for name, each in mixer.named_parameters():
        if "conv" in name and name.endswith("bias"):
            torch.nn.init.zeros_(each)
    assert output(mixer, None).abs().max() > 0
    assert {role for role, part in parts.items() if output(mixer, part).abs().max() == 0} == ENOUGH[model_type]
