"""What an adapter adds, read without its base: against PEFT's own merge, place by place."""

from pathlib import Path

import numpy as np
import peft
import pytest

from support.adapters import KEY, numbers, write_adapter
from support.peft_models import merged_by_peft, save_adapter, save_gpt2, save_llama
from tensorguard.adapters.deltas import read_deltas
from tensorguard.api.models import open_model
from tensorguard.errors import InputError
from tensorguard.formats.adapter import read_adapter

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")

EVERY = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
LLAMA = {
    "all": peft.LoraConfig(r=4, lora_alpha=6, target_modules=EVERY, init_lora_weights=False),
    "two": peft.LoraConfig(r=3, target_modules=["q_proj", "v_proj"], use_rslora=True, init_lora_weights=False),
    "tables": peft.LoraConfig(r=4, target_modules=["q_proj", "lm_head", "embed_tokens"], init_lora_weights=False),
    "patterns": peft.LoraConfig(
        r=4, target_modules=EVERY, rank_pattern={"q_proj": 3}, alpha_pattern={"k_proj": 2}, init_lora_weights=False
    ),
    "wrong-flag": peft.LoraConfig(r=4, target_modules=EVERY, fan_in_fan_out=True, init_lora_weights=False),
}


def changes(base: Path, adapter: Path, folder: Path) -> dict[object, np.ndarray]:
    """(stack, role, layer, expert) -> PEFT's merged weight less the base's."""
    from safetensors.torch import save_file

    merged = {name: value.clone().contiguous() for name, value in merged_by_peft(base, adapter).items()}
    folder.mkdir()
    save_file(merged, folder / "model.safetensors")
    (folder / "config.json").write_text((base / "config.json").read_text())
    old, new = (
        {(w.stack, w.role, w.layer, w.expert): w.rows(0, w.shape[0]) for w in open_model(path).view().weights}
        for path in (base, folder)
    )
    return {place: new[place] - old[place] for place in old if not np.array_equal(new[place], old[place])}


@pytest.mark.parametrize("name", LLAMA)
def test_llama(tmp_path: Path, name: str) -> None:
    base = save_llama(tmp_path / "base")
    adapter = save_adapter(base, tmp_path / "adapter", LLAMA[name])
    check(base, adapter, tmp_path / "merged")


def test_fused_and_turned_matrices(tmp_path: Path) -> None:
    base = save_gpt2(tmp_path / "base")
    config = peft.LoraConfig(r=4, target_modules=["c_attn", "c_proj", "c_fc"], fan_in_fan_out=True, init_lora_weights=False)
    check(base, save_adapter(base, tmp_path / "adapter", config), tmp_path / "merged")


def check(base: Path, adapter: Path, folder: Path) -> None:
    expected = changes(base, adapter, folder)
    deltas = {delta.place: delta for delta in read_deltas(read_adapter(adapter))}
    assert set(deltas) == set(expected)
    for place, delta in deltas.items():
        assert delta.scale * delta.up @ delta.down == pytest.approx(expected[place], abs=2e-4)
        assert delta.norm == pytest.approx(np.linalg.norm(expected[place]), rel=1e-3)


def test_names_that_no_table_knows_have_no_role(tmp_path: Path) -> None:
    strange = {"thing.zork.lora_A.weight": numbers(2, 4), "thing.zork.lora_B.weight": numbers(6, 2)}
    (delta,) = read_deltas(read_adapter(write_adapter(tmp_path / "a", tensors=strange)))
    assert (delta.module, delta.role, delta.shape, delta.rank) == ("thing.zork", "other", (6, 4), 2)


@pytest.mark.parametrize(
    ("config", "tensors", "says"),
    [
        ({"peft_type": "IA3"}, {f"{KEY}.ia3_l": numbers(6, 1)}, "depends on its base"),
        ({}, {}, "holds no factors"),
        ({}, {f"{KEY}.lora_A.weight": numbers(2, 4), f"{KEY}.lora_B.weight": numbers(6, 3)}, "do not multiply"),
        ({}, {f"{KEY}.lora_A.weight": numbers(2, 4)}, "has no lora_B"),
        ({"r": 4096}, {f"{KEY}.lora_A.weight": numbers(4096, 1), f"{KEY}.lora_B.weight": numbers(1, 4096)}, "has rank 4096"),
    ],
)
def test_refused(tmp_path: Path, config: dict[str, object], tensors: dict[str, np.ndarray], says: str) -> None:
    folder = write_adapter(tmp_path / "a", config, tensors)
    with pytest.raises(InputError, match=says):
        read_deltas(read_adapter(folder))
