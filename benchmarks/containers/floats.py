"""Containers of plain numbers: the same values in other files, and values rounded to 16 bits."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from safetensors.torch import save_file

from benchmarks.containers.base import Container, Original, Tensors
from benchmarks.containers.libraries import named

_SHARDS = 3


def containers() -> Iterator[Container]:
    """Yield every container of plain numbers but GGUF's and ONNX's."""
    safetensors, torch_save = named("safetensors"), named("torch")
    yield Container("safetensors F32", safetensors, _single(torch.float32))
    yield Container("safetensors BF16", safetensors, _single(torch.bfloat16))
    yield Container("safetensors F16", safetensors, _single(torch.float16))
    yield Container("safetensors F64", safetensors, _single(torch.float64))
    yield Container("safetensors, shards", safetensors, _sharded("safetensors"))
    yield Container("torch.save F32", torch_save, _saved(torch.float32))
    yield Container("torch.save BF16", torch_save, _saved(torch.bfloat16))
    yield Container("torch.save, shards", torch_save, _sharded("bin"))
    yield Container("torch.save, trainer's checkpoint", torch_save, _checkpoint)


def _exact(model: Original, dtype: torch.dtype) -> Tensors | None:
    """Return what a cast makes of the values, None if it leaves them as they are."""
    cast = {name: value.to(dtype).float() for name, value in model.tensors.items()}
    return None if all(torch.equal(cast[name], value) for name, value in model.tensors.items()) else cast


def _single(dtype: torch.dtype) -> Callable[[Original, Path], Tensors | None]:
    def write(model: Original, folder: Path) -> Tensors | None:
        save_file({name: value.to(dtype) for name, value in model.tensors.items()}, folder / "model.safetensors")
        return _exact(model, dtype)

    return write


def _saved(dtype: torch.dtype) -> Callable[[Original, Path], Tensors | None]:
    def write(model: Original, folder: Path) -> Tensors | None:
        torch.save({name: value.to(dtype) for name, value in model.tensors.items()}, folder / "pytorch_model.bin")
        return _exact(model, dtype)

    return write


def _sharded(end: str) -> Callable[[Original, Path], None]:
    stem, store = {"safetensors": ("model", save_file), "bin": ("pytorch_model", torch.save)}[end]

    def write(model: Original, folder: Path) -> None:
        names = sorted(model.tensors)
        places = {}
        for number in range(_SHARDS):
            file = f"{stem}-{number + 1:05d}-of-{_SHARDS:05d}.{end}"
            part = {name: model.tensors[name].to(model.short or torch.float32) for name in names[number::_SHARDS]}
            store(part, folder / file)
            places |= dict.fromkeys(part, file)
        (folder / f"{stem}.{end}.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))

    return write


def _checkpoint(model: Original, folder: Path) -> None:
    """As trainers write it: under other keys, with an optimiser's state, matrices that are views."""
    state = {f"model.{name}": value.T.contiguous().T if value.ndim == 2 else value for name, value in model.tensors.items()}
    torch.save(
        {"state_dict": state, "optimizer": {"state": {0: {"exp_avg": torch.zeros(3)}}}, "epoch": 3}, folder / "checkpoint.pt"
    )
