"""What is told of a model from headers alone, against what other readers say of the same files."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from support import packing
from support.adapters import write_adapter
from support.checkpoints import llama, save, save_gguf
from support.containers import save_index
from support.models import arrays, tiny
from support.onnx_models import node, save_onnx
from support.packed_files import write_model
from tensorguard.api.inspecting import inspect
from tensorguard.errors import NotFoundError
from tensorguard.inspection.base import Inspection
from tensorguard.sources.local import LocalFile

CONFIG = {"model_type": "llama", "num_attention_heads": 4, "num_key_value_heads": 2}


def found_of(folder: Path) -> Inspection:
    return inspect(folder).found


def part(found: Inspection, group: str, tower: str = "decoder") -> tuple[int, int]:
    return next((each.parameters, each.bytes) for each in found.parts if (each.tower, each.group) == (tower, group))


def test_a_plain_model_is_the_sum_of_its_arrays(tmp_path: Path) -> None:
    tensors = llama()
    found = found_of(save(tmp_path / "m", tensors))
    size = sum(array.size for array in tensors.values())
    assert found.inventory is not None
    assert found.inventory.parameters == sum(each.parameters for each in found.parts) == size
    assert found.storage.tensors == found.storage.parameters == sum(each.bytes for each in found.parts) == 4 * size
    assert found.storage.files == (tmp_path / "m" / "model.safetensors").stat().st_size
    assert (found.storage.copies, found.storage.aside, found.traffic, found.adapter) == (0, 0, None, None)
    attention = sum(array.size for name, array in tensors.items() if "self_attn" in name)
    assert part(found, "attention") == (attention, 4 * attention)
    assert sum(count for block in found.blocks for _, count in block.groups) == 4 * size
    (kind,) = found.kinds
    assert (kind.layers, kind.bytes[0]) == ((0, 1, 2, 3), 4 * kind.parameters)
    (language,) = found.recognition
    assert (language.table, language.known, language.tensors) == ("llama", len(tensors), len(tensors))
    dims = found.dimensions
    assert dims is not None
    assert (dims.width, dims.vocabulary, dims.feed_forward, dims.head) == (32, 96, (48,), 8)
    assert dims.output == "its own"
    assert [each.bytes for each in found.reading if each.name == "full"] == [4 * size]


def test_shards_are_listed_with_their_sizes(tmp_path: Path) -> None:
    tensors, folder = llama(), tmp_path / "m"
    folder.mkdir()
    names = [f"model-{number:05}-of-00003.safetensors" for number in (1, 2, 3)]
    for number, name in enumerate(names):
        save_file({each: tensors[each] for each in list(tensors)[number::3]}, folder / name)
    save_index(folder, {each: names[place % 3] for place, each in enumerate(tensors)})
    found = found_of(folder)
    assert [(each.name, each.bytes) for each in found.files] == [(name, (folder / name).stat().st_size) for name in names]
    for each in found.files:
        with safe_open(folder / each.name, "np") as opened:
            inside = [opened.get_tensor(name) for name in opened.keys()]  # noqa: SIM118 - not a mapping
        assert (each.tensors, each.tensor_bytes) == (len(inside), sum(array.nbytes for array in inside))


@pytest.mark.parametrize("kind", packing.PACKERS)
def test_packed_weights_count_with_all_that_they_are_packed_in(kind: str, tmp_path: Path) -> None:
    packed: dict[str, Any] = {}
    for name, values in llama(width=128).items():
        if ".layers." in name and values.ndim == 2:
            rows = np.concatenate([values, values])[: values.shape[0] // 32 * 32]
            wide = np.resize(rows, (rows.shape[0], -(-rows.shape[1] // 128) * 128))
            parts, _ = packing.PACKERS[kind](wide)
            packed |= {name.removesuffix(".weight") + end: each for end, each in parts.items()}
        else:
            packed[name] = values
    found = found_of(write_model(tmp_path / "m", packed, CONFIG | packing.CONFIGS[kind]))
    inside = [array for name, array in packed.items() if "self_attn" in name]
    _, taken = part(found, "attention")
    described = sum(array.nbytes for array in inside if array.nbytes <= 256)  # shapes and states, which are no numbers
    assert sum(array.nbytes for array in inside) - described <= taken <= sum(array.nbytes for array in inside)
    assert found.storage.aside == 0
    assert all(each.decoded for each in found.encodings)
    bits = next(8 * each.bytes / each.parameters for each in found.encodings if each.dtype != "F32")
    assert (4 < bits < 6.5) if kind not in ("int8", "fp8") else (8 < bits < 9)


def test_gguf_has_the_bits_of_its_types(tmp_path: Path) -> None:
    save_gguf(tmp_path / "m.gguf", llama(width=64), "llama")
    found = found_of(tmp_path / "m.gguf")
    bits = {each.dtype: 8 * each.bytes / each.parameters for each in found.encodings}
    known = {"GGUF:Q8_0": 8.5, "F32": 32.0, "F16": 16.0, "GGUF:Q4_0": 4.5, "BF16": 16.0}
    assert bits == {dtype: known[dtype] for dtype in bits}
    assert ("architecture", "llama") in found.claims


def test_onnx_is_measured(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    named = {
        f"m.layers.{i}.mlp.fc{j}.weight": rng.standard_normal((16, 16)).astype(np.float32) for i in range(4) for j in (1, 2)
    }
    quantised = {name: np.round(40 * values).astype(np.int8) for name, values in named.items()}
    scales = {f"{name}_scale": np.float32(0.025).reshape(()) for name in named}
    nodes = [node("DequantizeLinear", [name, f"{name}_scale"], f"{name}_dq") for name in named]
    found = found_of(save_onnx(tmp_path / "m.onnx", quantised | scales, nodes))
    (encoding,) = found.encodings
    assert (encoding.dtype, encoding.parameters, encoding.bytes, encoding.decoded) == ("ONNX-8", 8 * 256, 8 * 260, True)


def test_a_head_that_is_stored_twice_is_a_copy(tmp_path: Path) -> None:
    tensors = llama(tied=True)
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].copy()
    found = found_of(save(tmp_path / "m", tensors))
    assert found.storage.copies == tensors["lm_head.weight"].nbytes
    assert found.storage.tensors == found.storage.parameters + found.storage.copies
    assert found.dimensions is not None
    assert found.dimensions.output == "equal to the embedding, stored twice"


def test_experts_that_are_used_are_counted(tmp_path: Path) -> None:
    settings = {"mlp_only_layers": [0], "num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 24}
    model = tiny("qwen3_moe", num_hidden_layers=3, **settings)
    named = arrays(model)
    found = found_of(write_model(tmp_path / "m", named, model.config.to_dict()))
    stacked = sum(array.size for name, array in named.items() if ".experts." in name)
    total = sum(array.size for array in named.values())
    dims = found.dimensions
    assert dims is not None
    assert (dims.experts, dims.used, dims.active) == (8, 2, total - stacked * 6 // 8)
    assert [kind.layers for kind in found.kinds] == [(0,), (1, 2)]
    assert part(found, "experts")[0] == stacked + sum(array.size for name, array in named.items() if "mlp.gate.weight" in name)


def test_more_experts_used_than_there_are_is_no_claim_to_follow(tmp_path: Path) -> None:
    found = found_of(save(tmp_path / "m", llama()))
    assert found.dimensions is not None
    config = json.loads((tmp_path / "m" / "config.json").read_text()) | {"num_experts_per_tok": 10**30, "dtype": ["x", None]}
    (tmp_path / "m" / "config.json").write_text(json.dumps(config))
    claimed = found_of(tmp_path / "m")
    assert claimed.dimensions == found.dimensions
    assert dict(claimed.claims).get("dtype") == "x"


def test_towers_are_apart(tmp_path: Path) -> None:
    eye = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 3, "num_attention_heads": 2, "image_size": 28}
    text = {"vocab_size": 96, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
    model = tiny(
        "llava",
        "ImageTextToText",
        text_config={**text, "model_type": "llama"},
        vision_config={**eye, "patch_size": 14, "model_type": "clip_vision_model"},
    )
    named = arrays(model)
    found = found_of(write_model(tmp_path / "m", named, model.config.to_dict()))
    assert {each.tower: each.table for each in found.recognition} == {"language": "llama", "vision": "clip", "projector": ""}
    seen = sum(array.size for name, array in named.items() if "vision_tower" in name)
    assert sum(each.parameters for each in found.parts if each.tower == "vision") == seen
    assert sum(each.parameters for each in found.parts) == sum(array.size for array in named.values())
    patches = next(array for name, array in named.items() if "patch_embedding" in name)
    assert part(found, "convolutions", "vision") == (patches.size, patches.nbytes)
    assert [each.bytes for each in found.reading if each.name == "full"] == [found.storage.tensors - patches.nbytes]
    assert {each.tower: len(each.layers) for each in found.kinds} == {"decoder": 2, "vision": 3}


def test_what_is_not_decoded_is_no_parameter(tmp_path: Path) -> None:
    tensors: dict[str, Any] = llama()
    name = "model.layers.0.mlp.down_proj"
    del tensors[f"{name}.weight"]
    tensors[f"{name}.q_weight"] = np.zeros((64, 64), np.int32)
    tensors[f"{name}.q_scale"] = np.zeros((4, 8), np.int32)
    tensors[f"{name}.q_perm"] = np.zeros(48, np.int16)
    looked = inspect(save(tmp_path / "m", tensors))
    assert looked.found.storage.aside >= tensors[f"{name}.q_weight"].nbytes
    assert any("EXL2" in notice for notice in looked.notices)


def test_an_adapter_is_told_without_its_base_and_without_its_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng, tensors = np.random.default_rng(0), dict[str, Any]()
    for layer in range(3):
        for module, out in (("self_attn.q_proj", 32), ("self_attn.v_proj", 16)):
            key = f"base_model.model.model.layers.{layer}.{module}"
            tensors |= {f"{key}.lora_A.weight": rng.standard_normal((4, 32)).astype(np.float32)}
            tensors |= {f"{key}.lora_B.weight": rng.standard_normal((out, 4)).astype(np.float32)}
    tensors["base_model.model.lm_head.weight"] = np.zeros((96, 32), np.float32)
    folder = write_adapter(tmp_path / "tuned", {"r": 4, "base_model_name_or_path": "org/base"}, tensors)
    furthest, read = [0], LocalFile.read_at

    def watched(file: LocalFile, offset: int, length: int) -> Any:
        furthest.append(offset + length)
        return read(file, offset, length)

    monkeypatch.setattr(LocalFile, "read_at", watched)
    found = found_of(folder)
    header = 8 + int.from_bytes((folder / "adapter_model.safetensors").read_bytes()[:8], "little")
    assert max(furthest) <= max(header, 512)
    adapter = found.adapter
    assert adapter is not None
    assert (found.inventory, found.dimensions, found.parts) == (None, None, ())
    assert (adapter.kind, adapter.base, adapter.rank, adapter.whole) == ("LORA", "org/base", (4, 4), ("lm_head.weight",))
    assert [(each.target, each.modules, each.layers) for each in adapter.modules] == [("q_proj", 3, 3), ("v_proj", 3, 3)]
    assert adapter.parameters == sum(array.size for array in load_file(folder / "adapter_model.safetensors").values())


def test_an_adapter_of_a_kind_that_is_not_known_is_told_as_well(tmp_path: Path) -> None:
    key = "base_model.model.model.layers.0.self_attn.q_proj"
    tensors = {f"{key}.boft_R": np.ones((1, 8, 4, 4), np.float32), f"{key}.boft_s": np.ones((32, 1), np.float32)}
    adapter = found_of(write_adapter(tmp_path / "tuned", {"peft_type": "BOFT"}, tensors)).adapter
    assert adapter is not None
    assert (adapter.kind, adapter.known, adapter.rank, adapter.whole) == ("BOFT", False, None, ())
    (module,) = adapter.modules
    assert (module.target, dict(module.factors)) == ("q_proj", {"boft_R": (1, 8, 4, 4), "boft_s": (32, 1)})


def test_an_adapter_is_shown_on_its_base(tmp_path: Path) -> None:
    base = save(tmp_path / "base", llama())
    key = "base_model.model.model.layers.1.self_attn.q_proj"
    factors = {f"{key}.lora_A.weight": np.ones((2, 32), np.float32), f"{key}.lora_B.weight": np.ones((32, 2), np.float32)}
    folder = write_adapter(tmp_path / "tuned", {"base_model_name_or_path": "base"}, factors)
    found = inspect(folder, base=base).found
    assert found.inventory is not None
    (q,) = [each for each in found.inventory.components if each.role == "q"]
    assert q.dtypes == ("F32", "F32 + adapter")
    assert q.bytes == 4 * 4 * 32 * 32 + sum(array.nbytes for array in factors.values())
    assert found.adapter is not None
    assert [each.name for each in found.files] == ["model.safetensors", "adapter_model.safetensors"]
    with pytest.raises(NotFoundError):
        inspect(folder, search=[tmp_path / "tuned"])
