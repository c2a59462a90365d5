"""Every kind of adapter, merged by us and by PEFT."""

from pathlib import Path

import peft
import pytest
import torch

from support.peft_models import load, merged_by_peft, save_adapter, save_gpt2, save_llama
from tensorguard.merge.write import merge

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")

ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]
EVERY = [*ATTENTION, "gate_proj", "up_proj", "down_proj"]
CONV1D = ["c_attn", "c_proj", "c_fc"]
RANDOM = {"init_lora_weights": False}

ON_LLAMA = {
    "lora": peft.LoraConfig(r=4, lora_alpha=6, target_modules=EVERY, **RANDOM),
    "lora-rslora": peft.LoraConfig(r=4, lora_alpha=6, use_rslora=True, target_modules=EVERY, **RANDOM),
    "lora-patterns": peft.LoraConfig(
        r=4,
        lora_alpha=6,
        target_modules=EVERY,
        rank_pattern={"q_proj": 3, r"layers\.1\.mlp\.(up_proj|down_proj)": 5, "^model.layers.0.self_attn.k_proj": 2},
        alpha_pattern={"model.layers.0.self_attn.q_proj": 9, r".*\.[gu].*_proj": 1, r"layers.\d+.self_attn.v_proj": 2},
        **RANDOM,
    ),
    "lora-everything": peft.LoraConfig(r=4, target_modules=[*EVERY, "lm_head", "embed_tokens"], **RANDOM),
    "lora-biases": peft.LoraConfig(r=4, target_modules=ATTENTION, bias="all", **RANDOM),
    "lora-only-biases": peft.LoraConfig(r=4, target_modules=["q_proj"], bias="lora_only", **RANDOM),
    "lora-bias-of-b": peft.LoraConfig(r=4, lora_alpha=3, target_modules=["q_proj", "v_proj"], lora_bias=True, **RANDOM),
    "lora-whole-modules": peft.LoraConfig(
        r=4, target_modules=["q_proj"], modules_to_save=["lm_head", "embed_tokens", "norm"], **RANDOM
    ),
    "lora-ignored-orientation": peft.LoraConfig(r=4, target_modules=EVERY, fan_in_fan_out=True, **RANDOM),
    "dora": peft.LoraConfig(r=4, lora_alpha=6, use_dora=True, target_modules=EVERY, **RANDOM),
    "dora-embedding": peft.LoraConfig(r=4, use_dora=True, target_modules=["embed_tokens", "q_proj"], **RANDOM),
    "ia3": peft.IA3Config(target_modules=["k_proj", "v_proj", "down_proj"], feedforward_modules=["down_proj"]),
    "ia3-square": peft.IA3Config(target_modules=["q_proj", "o_proj"], feedforward_modules=["o_proj"]),
    "loha": peft.LoHaConfig(r=3, alpha=5, target_modules=EVERY, rank_pattern={"q_proj": 2}, init_weights=False),
    "lokr": peft.LoKrConfig(r=2, alpha=5, target_modules=EVERY, init_weights=False),
    "lokr-both": peft.LoKrConfig(
        r=2, alpha=5, decompose_both=True, decompose_factor=8, target_modules=EVERY, init_weights=False
    ),
    "lokr-full": peft.LoKrConfig(r=32, alpha=5, target_modules=EVERY, init_weights=False),
    "oft": peft.OFTConfig(r=0, oft_block_size=8, target_modules=EVERY, init_weights=False),
    "oft-exact": peft.OFTConfig(r=4, oft_block_size=0, use_cayley_neumann=False, target_modules=EVERY, init_weights=False),
    "oft-terms": peft.OFTConfig(r=0, oft_block_size=4, num_cayley_neumann_terms=3, target_modules=EVERY, init_weights=False),
    "oft-shared": peft.OFTConfig(r=0, oft_block_size=8, block_share=True, target_modules=EVERY, init_weights=False),
    "oft-bounded": peft.OFTConfig(r=0, oft_block_size=8, coft=True, eps=0.05, target_modules=EVERY, init_weights=False),
    "oft-embedding": peft.OFTConfig(r=0, oft_block_size=8, target_modules=["embed_tokens"], init_weights=False),
    "vera": peft.VeraConfig(r=6, target_modules=["q_proj", "v_proj"], init_weights=False),
    "prompt": peft.PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=5),
    "prefix": peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=5),
    "p-tuning": peft.PromptEncoderConfig(task_type="CAUSAL_LM", num_virtual_tokens=5),
}
ON_GPT2 = {
    "lora": peft.LoraConfig(r=4, lora_alpha=6, target_modules=CONV1D, fan_in_fan_out=True, **RANDOM),
    "lora-mixed": peft.LoraConfig(r=4, target_modules=[*CONV1D, "wte"], **RANDOM),
    "lora-square-alone": peft.LoraConfig(r=4, target_modules=r".*\.attn\.c_proj", **RANDOM),
    "dora": peft.LoraConfig(r=4, use_dora=True, target_modules=CONV1D, fan_in_fan_out=True, **RANDOM),
    "ia3": peft.IA3Config(target_modules=["c_attn", "c_proj"], feedforward_modules=["c_proj"], fan_in_fan_out=True),
    "ia3-outputs": peft.IA3Config(target_modules=["c_attn", "c_proj"], feedforward_modules=[], fan_in_fan_out=True),
    "vera": peft.VeraConfig(r=6, target_modules=["c_attn"], fan_in_fan_out=True, init_weights=False),
}


@pytest.fixture(scope="session")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, torch.dtype], Path]:
    """Tiny bases of two architectures."""
    made = {}
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        made["llama", dtype] = save_llama(tmp_path_factory.mktemp("llama"), dtype)
        made["gpt2", dtype] = save_gpt2(tmp_path_factory.mktemp("gpt2"), dtype)
    return made


def check(base: Path, config: peft.PeftConfig, folder: Path) -> None:
    """Compare each tensor: to 1e-6 of the largest value in float32, to about one unit in the last place in shorter types."""
    adapter = save_adapter(base, folder / "adapter", config)
    merge(adapter, folder / "ours.safetensors", base=base)
    ours, theirs, before = load(folder / "ours.safetensors"), merged_by_peft(base, adapter), load(base / "model.safetensors")
    assert list(ours) == list(before)
    unlike = 0
    for name, mine in ours.items():
        expected = theirs[name]
        assert (mine.dtype, mine.shape) == (expected.dtype, expected.shape), name
        unlike += not torch.equal(mine, before[name])
        wide, other = mine.double(), expected.double()
        if mine.dtype == torch.float32:
            assert (wide - other).abs().max() <= 1e-6 * other.abs().max(), name
        else:
            size = torch.maximum(other.abs(), before[name].double().abs())
            step = torch.finfo(mine.dtype).eps * size + torch.finfo(mine.dtype).smallest_normal
            assert ((wide - other).abs() <= step).all(), name
    assert (unlike == 0) == config.is_prompt_learning


@pytest.mark.parametrize("kind", ON_LLAMA)
def test_equals_peft_on_linear_layers(kind: str, bases: dict[tuple[str, torch.dtype], Path], tmp_path: Path) -> None:
    check(bases["llama", torch.float32], ON_LLAMA[kind], tmp_path)


@pytest.mark.parametrize("kind", ON_GPT2)
def test_equals_peft_on_conv1d_layers(kind: str, bases: dict[tuple[str, torch.dtype], Path], tmp_path: Path) -> None:
    check(bases["gpt2", torch.float32], ON_GPT2[kind], tmp_path)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=["bf16", "f16"])
@pytest.mark.parametrize(
    "kind", ["lora", "lora-everything", "lora-whole-modules", "dora", "ia3", "loha", "lokr", "oft", "vera"]
)
def test_equals_peft_in_short_types(
    kind: str, dtype: torch.dtype, bases: dict[tuple[str, torch.dtype], Path], tmp_path: Path
) -> None:
    check(bases["llama", dtype], ON_LLAMA[kind], tmp_path)
