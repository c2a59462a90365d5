"""GGUF in all its types: names by the gguf package, rows and norms as llama.cpp's convert_hf_to_gguf.py turns them, packing by ggml.

ggml itself comes from a wheel that carries it (pywhispercpp): its `ggml_quantize_chunk` is what llama.cpp's quantize calls.
"""

import ctypes
import importlib.util
import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

from benchmarks.containers.base import Container, Original, Tensors, UnfitError
from benchmarks.containers.libraries import named

_PLAIN = ("F32", "F16", "BF16")
_BLOCKS_OF_32 = ("Q8_0", "Q5_1", "Q5_0", "Q4_1", "Q4_0", "IQ4_NL", "MXFP4", "NVFP4")
_BLOCKS_OF_256 = ("Q6_K", "Q5_K", "Q4_K", "Q3_K", "Q2_K", "IQ4_XS", "IQ3_S", "IQ3_XXS", "IQ2_S", "IQ2_XS", "IQ2_XXS", "IQ1_M", "IQ1_S",
                  "TQ2_0", "TQ1_0")  # fmt: skip
_BY_GGUF = ("Q8_0", "Q5_1", "Q5_0", "Q4_1", "Q4_0")
"""What the gguf package packs too."""
_GGML = ("pywhispercpp",) if importlib.util.find_spec("pywhispercpp") else ()
_INSTEAD = {"Q4_K": "Q5_0", "Q5_K": "Q5_1", "Q6_K": "Q8_0"}
"""What llama.cpp takes for a matrix whose width no 256 divides; IQ4_NL for all others."""

_ARCHITECTURES = {"mistral": "llama", "mixtral": "llama"}
_PERMUTED = ("llama", "mistral", "mixtral")


def containers() -> Iterator[Container]:
    """Yield one container for each type that ggml packs, and a split file."""
    for kind in _PLAIN:
        yield Container(f"GGUF {kind}", named("gguf"), _writing(kind))
    yield Container("GGUF F32, split", named("gguf"), _writing("F32", split=True))
    for kind in (*_BLOCKS_OF_32, *_BLOCKS_OF_256):
        if _GGML or kind in _BY_GGUF:
            yield Container(f"GGUF {kind}", named("gguf", *_GGML), _writing(kind))


def _writing(kind: str, *, split: bool = False) -> Callable[[Original, Path], Tensors | None]:
    def write(model: Original, folder: Path) -> Tensors | None:
        writer, names = _writer(model, folder, split=split)
        meant = dict(model.tensors)
        kinds = set()
        for name, value in _gathered(model):
            array = _turned(model, name, value).numpy()
            chosen = _type(kind, array)
            kinds.add(chosen.name)
            data = packed(array, chosen)
            decoded = torch.from_numpy(np.ascontiguousarray(gguf.dequantize(data, chosen))).reshape(array.shape)
            meant |= dict(_scattered(model, name, _turned(model, name, decoded, back=True)))
            writer.add_tensor(names(name), data, raw_shape=data.shape, raw_dtype=chosen)
        if kind not in kinds:
            raise UnfitError("no matrix has a width that its blocks divide")
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        same = all(torch.equal(meant[name], value) for name, value in model.tensors.items())
        return None if same else meant

    return write


def _writer(model: Original, folder: Path, *, split: bool) -> tuple[gguf.GGUFWriter, Callable[[str], str]]:
    config = model.config
    architecture = _ARCHITECTURES.get(config["model_type"], config["model_type"])
    blocks = config.get("num_hidden_layers", config.get("n_layer"))
    heads = config.get("num_attention_heads", config.get("n_head"))
    writer = gguf.GGUFWriter(folder / "model.gguf", architecture, split_max_tensors=20 if split else 0)
    writer.add_block_count(blocks)
    writer.add_embedding_length(config.get("hidden_size", config.get("n_embd")))
    writer.add_head_count(heads)
    writer.add_head_count_kv(config.get("num_key_value_heads", heads))
    if "num_local_experts" in config:
        writer.add_expert_count(config["num_local_experts"])
    _vocabulary(model.folder / "tokenizer.json", writer)
    kind = next(key for key, name in gguf.MODEL_ARCH_NAMES.items() if name == architecture)
    table = gguf.get_tensor_name_map(kind, blocks)

    def name(ours: str) -> str:
        found = table.get_name(ours, try_suffixes=(".weight", ".bias"))
        if found is None:
            raise UnfitError(f"the gguf package has no name for {ours}")
        return found

    return writer, name


def _vocabulary(tokenizer: Path, writer: gguf.GGUFWriter) -> None:
    if not tokenizer.exists():
        return
    words: dict[str, Any] = json.loads(tokenizer.read_text())["model"]["vocab"]
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(sorted(words, key=words.__getitem__))


def _gathered(model: Original) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the tensors, a layer's experts stacked, under the name the converter gives them."""
    experts: dict[str, list[torch.Tensor]] = {}
    for name, value in sorted(model.tensors.items()):
        if ".experts." in name:
            before, _, after = name.partition(".experts.")
            experts.setdefault(f"{before}.experts.{after.split('.', 1)[1]}", []).append(value)
        else:
            yield name, value
    for name, values in experts.items():
        yield name, torch.stack(values)


def _scattered(model: Original, name: str, value: torch.Tensor) -> Iterator[tuple[str, torch.Tensor]]:
    if name in model.tensors:
        yield name, value
        return
    for number, part in enumerate(value):
        yield name.replace(".experts.", f".experts.{number}."), part.contiguous()


def _turned(model: Original, name: str, value: torch.Tensor, *, back: bool = False) -> torch.Tensor:
    """Apply what the converter does to a tensor, or take it back."""
    kind = model.config["model_type"]
    if kind in _PERMUTED and (".q_proj." in name or ".k_proj." in name):
        heads = model.config["num_attention_heads" if ".q_proj." in name else "num_key_value_heads"]
        pairs = (heads, -1, 2) if back else (heads, 2, value.shape[0] // heads // 2)
        return value.reshape(*pairs, *value.shape[1:]).transpose(1, 2).reshape(value.shape).contiguous()
    if model.turned(name):
        return value.T.contiguous()
    if kind.startswith("gemma") and name.endswith("norm.weight"):
        return value - 1 if back else value + 1
    return value


def _type(kind: str, array: np.ndarray) -> GGMLQuantizationType:
    if array.ndim < 2 or (array.ndim == 2 and len(array) < 16):  # norms, biases, and routers
        return GGMLQuantizationType.F32
    for each in (kind, _INSTEAD.get(kind, "IQ4_NL"), "F16"):
        if array.shape[-1] % GGML_QUANT_SIZES[GGMLQuantizationType[each]][0] == 0:
            return GGMLQuantizationType[each]
    raise UnfitError(kind)


def packed(array: np.ndarray, kind: GGMLQuantizationType) -> np.ndarray:
    """Return an array's bytes in a type, (..., bytes of a row): by ggml, plain numbers by the gguf package."""
    if kind.name in _PLAIN or not _GGML:
        return gguf.quantize(array, kind)
    values = np.ascontiguousarray(array, np.float32)
    width = values.shape[-1]
    block, size = GGML_QUANT_SIZES[kind]
    rows = values.size // width
    made = np.empty((*values.shape[:-1], width // block * size), np.uint8)
    weights = np.ones(width, np.float32)  # of an importance matrix; the smallest types ask for one
    written = _ggml().ggml_quantize_chunk(kind.value, _at(values), _at(made), 0, rows, width, _at(weights))
    if written != made.nbytes:
        raise RuntimeError(f"ggml wrote {written} bytes of {kind.name} where {made.nbytes} were expected")
    return made


def _at(array: np.ndarray) -> ctypes.c_void_p:
    return array.ctypes.data_as(ctypes.c_void_p)


@cache
def _ggml() -> ctypes.CDLL:
    found = importlib.util.find_spec("pywhispercpp")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("pywhispercpp")
    folder = Path(found.origin).parents[1] / "pywhispercpp.libs"
    library = ctypes.CDLL(str(next(folder.glob("libggml-base*"))))
    library.ggml_quantize_chunk.restype = ctypes.c_size_t
    whole = ctypes.c_int64
    library.ggml_quantize_chunk.argtypes = [ctypes.c_int, *(ctypes.c_void_p,) * 2, whole, whole, whole, ctypes.c_void_p]
    return library
