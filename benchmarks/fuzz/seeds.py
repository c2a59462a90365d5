"""Inputs to begin with: small files of every kind from the builders of the tests, and headers of real models where these are at hand."""

import io
import json
import struct
import sys
import tempfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from benchmarks.fuzz.harness import joined

sys.path.append(str(Path(__file__).parents[2] / "tests"))  # the builders of the tests' small files

CACHE = Path.home() / ".cache" / "tensorguard-fuzz"
"""Where corpora and findings are kept."""

REAL = CACHE / "real"
"""Headers of real models, cut from their files by `cut`; used if there are any."""

_LONGEST = 12_000


def real(*endings: str) -> Iterator[bytes]:
    """Yield headers of real models whose names end so."""
    for path in sorted(REAL.glob("*")):
        if path.name.endswith(endings):
            yield path.read_bytes()


def cut(folder: Path, to: Path) -> int:
    """Cut headers of real models: the first tensors of safetensors with no values, the first kilobytes of GGUF and ONNX, JSON, cards."""
    to.mkdir(parents=True, exist_ok=True)
    made = 0
    for path in sorted(folder.rglob("*")):
        raw = _cut(path) if path.is_file() else b""
        if raw:
            (to / f"{made:03d}-{path.name[-60:]}").write_bytes(raw)
            made += 1
    return made


def _cut(path: Path) -> bytes:
    with path.open("rb") as file:
        if path.suffix == ".safetensors":
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
            return _emptied(header)
        if path.suffix in (".gguf", ".onnx", ".md", ".txt") or path.stat().st_size < _LONGEST:
            return file.read(_LONGEST)
    return b""


def _emptied(header: dict[str, Any]) -> bytes:
    """Return a safetensors file of some of a header's tensors, each with its last dimension only, at most 4."""
    kept, at = {}, 0
    for name, entry in list(header.items())[:: max(1, len(header) // 24)]:
        if name != "__metadata__":
            shape = [min(4, extent) for extent in entry["shape"]]
            size = int(np.prod(shape)) * {"F32": 4, "I64": 8, "F16": 2, "BF16": 2}.get(entry["dtype"], 1)
            kept[name] = {"dtype": entry["dtype"], "shape": shape, "data_offsets": [at, at + size]}
            at += size
    text = json.dumps(kept).encode()
    return struct.pack("<Q", len(text)) + text + bytes(at)


def safetensors() -> Iterator[bytes]:
    """Yield small files of safetensors, sound and not."""
    from support.checkpoints import bert, gpt2, llama
    from support.hostile import SAFETENSORS

    yield from (raw for raw, _ in SAFETENSORS.values() if len(raw) < _LONGEST)
    for arrays in (llama(blocks=1), gpt2(), bert()):
        yield save({name: np.ascontiguousarray(array[..., :4]) for name, array in list(arrays.items())[:14]})
    for dtype in (np.float64, np.int8, np.uint16, np.bool_):
        yield save({"a.weight": np.ones((3, 5), dtype), "b.bias": np.ones(0, dtype)}, {"format": "pt"})
    yield from real(".safetensors")


def gguf() -> Iterator[bytes]:
    """Yield small GGUF files, sound and not, and one tensor of each type."""
    from gguf.constants import GGML_QUANT_SIZES

    from support.containers import ARRAY, BOOL, F32, STRING, U32, array, gguf_bytes, gguf_tensor, pair, text
    from support.hostile import GGUF

    yield from (raw for raw, _ in GGUF.values() if len(raw) < _LONGEST)
    pairs = [
        pair("general.architecture", STRING, text("llama")), pair("general.alignment", U32, struct.pack("<I", 32)),
        pair("llama.rope", F32, struct.pack("<f", 1.5)), pair("x.flag", BOOL, b"\1"),
        pair("tokenizer.ggml.tokens", ARRAY, array(STRING, 3, text("a") + text("Ġthe") + text("▁of"))),
        pair("nested", ARRAY, array(ARRAY, 2, array(U32, 1, bytes(4)) * 2)),
    ]  # fmt: skip
    yield gguf_bytes(pairs)
    for kind, (elements, size) in GGML_QUANT_SIZES.items():
        yield gguf_bytes(pairs[:2], [gguf_tensor("blk.0.attn_q.weight", (elements, 2), int(kind))], 2 * size)
    yield from real(".gguf")


@cache
def torch_files() -> tuple[bytes, ...]:
    """Return small files of torch.save by hand and by torch."""
    import torch

    from support.torch_files import archive_bytes, running, state, tensor, torch_bytes

    made = [archive_bytes(state(a=tensor(), b=tensor((4, 4), (1, 4))))]
    made.append(archive_bytes(state(a=tensor((2,), (1,), 3, "1", 8)), {"1": bytes(32)}))
    made += [archive_bytes(running(print, "x", protocol=n)) for n in (2, 4)]
    shared = torch.arange(12.0).reshape(3, 4)
    states: list[Any] = [
        {"model": {"w": shared, "t": shared.T, "b": shared[1]}, "epoch": 3},
        {"w": torch.nn.Parameter(shared.to(torch.bfloat16))},
        torch.nn.Linear(2, 3).state_dict(),
    ]
    return tuple(made + [torch_bytes(each) for each in states] + [torch_bytes(states[0], pickle_protocol=4)])


def pickles() -> Iterator[bytes]:
    """Yield the lists of tensors in these files."""
    import zipfile

    for raw in torch_files():
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            yield next(archive.read(name) for name in archive.namelist() if name.endswith("data.pkl"))


@cache
def onnx_files() -> tuple[dict[str, bytes], ...]:
    """Return small ONNX models as folders: weights within, beside, quantised and packed."""
    import onnx
    from onnx import TensorProto, helper

    from support.onnx_models import node, save_onnx

    weights: dict[str, Any] = {
        "layers.0.fc.weight": np.ones((4, 6), np.float32), "onnx::MatMul_7": np.ones((6, 4), np.float32),
        "q": np.ones((6, 4), np.int8), "q_scale": np.ones(4, np.float32), "q_zero": np.zeros(4, np.int8),
        "packed": np.ones((4, 1, 16), np.uint8), "packed_scale": np.ones(4, np.float32), "bias.bias": np.ones(4, np.float32),
    }  # fmt: skip
    nodes = [
        node("MatMul", ["x", "onnx::MatMul_7"], "y", "/model/layers.0/fc/MatMul"), node("Add", ["y", "bias.bias"], "z"),
        node("DequantizeLinear", ["q", "q_scale", "q_zero"], "d", axis=1), node("MatMul", ["z", "d"], "e", "/model/up/MatMul"),
        node("MatMulNBits", ["x", "packed", "packed_scale"], "n", "/model/down/MatMul", N=4, K=32, bits=4, block_size=32),
        node("Gather", ["layers.0.fc.weight", "x"], "g"),
    ]  # fmt: skip
    made: list[dict[str, bytes]] = []
    with tempfile.TemporaryDirectory() as name:
        path = save_onnx(Path(name) / "model.onnx", weights, nodes)
        made.append({"model.onnx": path.read_bytes()})
        typed = [
            helper.make_tensor(f"t{kind}", kind, [2, 2], [1, 0, 1, 0])
            for kind in (TensorProto.FLOAT, TensorProto.INT8, 16, 22, 7)
        ]
        made.append({"model.onnx": save_onnx(path, typed, nodes[:2]).read_bytes()})
        save_onnx(path, weights, nodes)
        options = {"location": "values.data", "size_threshold": 0, "convert_attribute": False}
        onnx.save_model(onnx.load(path), path, save_as_external_data=True, **options)
        made.append({"model.onnx": path.read_bytes(), "values.data": (Path(name) / "values.data").read_bytes()[:4000]})
    return tuple(made)


def sharded() -> Iterator[bytes]:
    """Yield models in several files, with and without an index."""
    one, two = (save({f"t{i}.a": np.ones((2, 3), np.float32), f"t{i}.b": np.ones(3, np.float32)}) for i in (0, 1))
    names = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
    both: dict[str, bytes] = dict(zip(names, (one, two), strict=True))
    index = {"metadata": {"total_size": 1}, "weight_map": {f"t{i}.{part}": names[i] for i in (0, 1) for part in "ab"}}
    config = json.dumps(
        {"model_type": "llama", "num_attention_heads": 2, "vocab_size": 8, "tie_word_embeddings": True}
    ).encode()
    yield joined(both)
    yield joined({**both, "model.safetensors.index.json": json.dumps(index).encode()})
    yield joined({**both, "model.safetensors.index.json": json.dumps(index).encode(), "config.json": config})
    yield joined({"model.safetensors": one, "pytorch_model.bin": torch_files()[0], "config.json": config})
    yield joined({"pytorch_model-1-of-1.bin": torch_files()[4], "params.json": config})
    yield joined({"model.gguf": next(gguf()), "a.onnx": onnx_files()[0]["model.onnx"]})


def configured(arrays: Mapping[str, np.ndarray[Any, Any]], config: Mapping[str, object]) -> bytes:
    """Return a model of any arrays (of ml_dtypes, too) and its configuration as one input."""
    from support.packed_files import write_model

    with tempfile.TemporaryDirectory() as folder:
        path = write_model(Path(folder), arrays, config)
        return joined({each.name: each.read_bytes() for each in sorted(path.iterdir())})
