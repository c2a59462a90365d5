"""Small models whose every number follows from its name and place by integer arithmetic: they can be remade for ever.

Each number is an integer from -128 to 127 over 128, so float16, bfloat16 and everything wider hold it exactly.
"""

import json
import re
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

Arrays = dict[str, NDArray[Any]]

WIDTH, HIDDEN, HEADS, KV_HEADS, WORDS, BLOCKS = 32, 48, 4, 2, 96, 4


def numbers(name: str, *shape: int, seed: int = 0) -> NDArray[np.float32]:
    """Scrambled bits (splitmix64) of name, seed and place as numbers in [-1, 1)."""
    start = np.uint64(zlib.crc32(name.encode()) + (seed << 32))
    with np.errstate(over="ignore"):
        z = start + np.arange(1, int(np.prod(shape)) + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    whole = ((z ^ (z >> np.uint64(31))) >> np.uint64(56)).astype(np.int64) - 128
    return (whole.astype(np.float32) / 128).reshape(shape)


def _filled(shapes: Mapping[str, tuple[int, ...]], seed: int) -> Arrays:
    return {name: numbers(name, *shape, seed=seed) for name, shape in shapes.items()}


def llama(seed: int = 0, *, tied: bool = False, width: int = WIDTH, blocks: int = BLOCKS) -> Arrays:
    kv = width * KV_HEADS // HEADS
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (WORDS, width), "model.norm.weight": (width,)}
    for i in range(blocks):
        block = f"model.layers.{i}"
        shapes |= {
            f"{block}.self_attn.q_proj.weight": (width, width),
            f"{block}.self_attn.k_proj.weight": (kv, width),
            f"{block}.self_attn.v_proj.weight": (kv, width),
            f"{block}.self_attn.o_proj.weight": (width, width),
            f"{block}.mlp.gate_proj.weight": (HIDDEN, width),
            f"{block}.mlp.up_proj.weight": (HIDDEN, width),
            f"{block}.mlp.down_proj.weight": (width, HIDDEN),
            f"{block}.input_layernorm.weight": (width,),
            f"{block}.post_attention_layernorm.weight": (width,),
        }
    made = _filled(shapes, seed)
    return made | ({} if tied else {"lm_head.weight": numbers("lm_head.weight", WORDS, width, seed=seed)})


def gpt2(seed: int = 0) -> Arrays:
    """Conv1D: the matrices of blocks are stored in x out; the head is tied."""
    shapes: dict[str, tuple[int, ...]] = {"transformer.wte.weight": (WORDS, WIDTH), "transformer.wpe.weight": (64, WIDTH)}
    for i in range(BLOCKS):
        block = f"transformer.h.{i}"
        shapes |= {f"{block}.{norm}.{part}": (WIDTH,) for norm in ("ln_1", "ln_2") for part in ("weight", "bias")}
        matrices = {"attn.c_attn": (WIDTH, 3 * WIDTH), "attn.c_proj": (WIDTH, WIDTH), "mlp.c_fc": (WIDTH, 128)}
        for name, (inputs, outputs) in (matrices | {"mlp.c_proj": (128, WIDTH)}).items():
            shapes |= {f"{block}.{name}.weight": (inputs, outputs), f"{block}.{name}.bias": (outputs,)}
    shapes |= {"transformer.ln_f.weight": (WIDTH,), "transformer.ln_f.bias": (WIDTH,)}
    return _filled(shapes, seed)


def bert(seed: int = 0) -> Arrays:
    words = "bert.embeddings"
    shapes: dict[str, tuple[int, ...]] = {
        f"{words}.word_embeddings.weight": (WORDS, WIDTH),
        f"{words}.position_embeddings.weight": (64, WIDTH),
        f"{words}.token_type_embeddings.weight": (2, WIDTH),
        f"{words}.LayerNorm.weight": (WIDTH,),
        f"{words}.LayerNorm.bias": (WIDTH,),
    }
    for i in range(BLOCKS):
        block = f"bert.encoder.layer.{i}"
        square = ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense")
        matrices = dict.fromkeys(square, (WIDTH, WIDTH))
        for name, shape in (matrices | {"intermediate.dense": (HIDDEN, WIDTH), "output.dense": (WIDTH, HIDDEN)}).items():
            shapes |= {f"{block}.{name}.weight": shape, f"{block}.{name}.bias": shape[:1]}
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            shapes |= {f"{block}.{name}.weight": (WIDTH,), f"{block}.{name}.bias": (WIDTH,)}
    return _filled(shapes, seed)


def phi3(seed: int = 0) -> Arrays:
    """Fused q, k, v and fused gate, up."""
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (WORDS, WIDTH), "model.norm.weight": (WIDTH,)}
    for i in range(BLOCKS):
        block = f"model.layers.{i}"
        shapes |= {
            f"{block}.self_attn.qkv_proj.weight": (3 * WIDTH, WIDTH),
            f"{block}.self_attn.o_proj.weight": (WIDTH, WIDTH),
            f"{block}.mlp.gate_up_proj.weight": (2 * HIDDEN, WIDTH),
            f"{block}.mlp.down_proj.weight": (WIDTH, HIDDEN),
            f"{block}.input_layernorm.weight": (WIDTH,),
            f"{block}.post_attention_layernorm.weight": (WIDTH,),
        }
    return _filled(shapes | {"lm_head.weight": (WORDS, WIDTH)}, seed)


MAKERS: dict[str, Callable[[int], Arrays]] = {"llama": llama, "gpt2": gpt2, "bert": bert, "phi3": phi3}

CONFIG = {"num_attention_heads": HEADS, "num_key_value_heads": KV_HEADS}


def config(architecture: str) -> dict[str, Any]:
    key_value = HEADS if architecture == "phi3" else KV_HEADS
    return {"model_type": architecture, **CONFIG, "num_key_value_heads": key_value}


def save(folder: Path, tensors: Arrays, architecture: str = "llama", metadata: dict[str, str] | None = None) -> Path:
    """Write a folder as `save_pretrained` does."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "model.safetensors", metadata)
    (folder / "config.json").write_text(json.dumps(config(architecture)))
    return folder


def save_gguf(path: Path, tensors: Arrays, architecture: str) -> Path:
    """Write GGUF F32 with the gguf package's writer and names, in the layouts of llama.cpp's converter."""
    path.parent.mkdir(parents=True, exist_ok=True)
    number = next(key for key, name in gguf.MODEL_ARCH_NAMES.items() if name == architecture)
    table = gguf.get_tensor_name_map(number, BLOCKS)
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(config(architecture)["num_key_value_heads"])
    for name, array in tensors.items():
        short = re.sub("^bert[.]", "", name)
        writer.add_tensor(table.get_name(short, try_suffixes=(".weight", ".bias")), converted(name, array, architecture))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def converted(name: str, array: NDArray[Any], architecture: str) -> NDArray[Any]:
    """What llama.cpp's converter does to a tensor: GPT-2's matrices transposed, llama's q and k rows interleaved."""
    if architecture == "gpt2" and name.endswith(("c_attn.weight", "c_proj.weight", "c_fc.weight")):
        return np.ascontiguousarray(array.T)
    if architecture == "llama" and name.endswith(("q_proj.weight", "k_proj.weight")):
        heads = HEADS if "q_proj" in name else KV_HEADS
        halves = array.reshape(heads, 2, array.shape[0] // heads // 2, array.shape[1])
        return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(array.shape))
    return array
