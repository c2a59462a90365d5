"""PEFT adapters: attached, saved without what changes from run to run, loaded."""

import json
from pathlib import Path

import torch
from peft import IA3Config, LoraConfig, PeftConfig, PeftModel, get_peft_model
from transformers import PreTrainedModel

from benchmarks.checkpoint import write_json

_IA3: dict[str, tuple[list[str], list[str]]] = {
    "gpt2": (["c_attn", "mlp.c_proj"], ["mlp.c_proj"]),
    "phi3": (["qkv_proj", "down_proj"], ["down_proj"]),
    "mixtral": (["k_proj", "v_proj"], []),
}
"""Architecture -> what IA3 scales: outputs of the first modules, except inputs of the second."""


def attach(model: PreTrainedModel, method: str, seed: int) -> PeftModel:
    """Put a fresh adapter on a model: `lora`, `dora` or `ia3`."""
    torch.manual_seed(seed)
    return get_peft_model(model, _config(method, model.config.model_type))


def _config(method: str, architecture: str) -> PeftConfig:
    if method == "ia3":
        targets, feedforward = _IA3.get(architecture, (["k_proj", "v_proj", "down_proj"], ["down_proj"]))
        return IA3Config(task_type="CAUSAL_LM", target_modules=targets, feedforward_modules=feedforward)
    return LoraConfig(
        task_type="CAUSAL_LM",
        r=8,
        lora_alpha=16,
        # All linear modules; a Mixtral's experts are none, and PEFT cannot put DoRA on bare parameters.
        target_modules=["q_proj", "k_proj", "v_proj", "o_proj"] if architecture == "mixtral" else "all-linear",
        use_dora=method == "dora",
        fan_in_fan_out=architecture == "gpt2",
    )


def save_adapter(adapted: PeftModel, base: str, folder: Path) -> None:
    """Write the adapter with `base` as its base model's name."""
    adapted.peft_config["default"].base_model_name_or_path = base
    adapted.save_pretrained(folder, save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text("utf-8"))
    if isinstance(config["target_modules"], list):
        config["target_modules"].sort()  # it was a set, whose order changes from run to run
    write_json(path, config)


def load(model: PreTrainedModel, folder: Path) -> PeftModel:
    return PeftModel.from_pretrained(model, folder)
