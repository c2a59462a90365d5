"""Files of torch.save, read without unpickling, against what torch.load makes of them."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from support.containers import save_model
from tensorguard.errors import InputError
from tensorguard.formats.base import Checkpoint
from tensorguard.formats.opening import open_checkpoint
from tensorguard.merge.write import merge
from tensorguard.tensors.decoding import PLAIN
from tensorguard.tensors.storage import stored_tensors

DTYPES = [
    torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2, torch.int64, torch.int32,
    torch.int16, torch.int8, torch.uint8, torch.uint16, torch.uint32, torch.uint64, torch.bool,
]  # fmt: skip


def same_as_torch(path: Path, state: dict[str, torch.Tensor] | None = None) -> Checkpoint:
    """Compare every tensor, bit by bit, with torch's own reading."""
    expected = torch.load(path, weights_only=True, map_location="cpu") if state is None else state
    checkpoint = open_checkpoint(path)
    assert [info.name for info in checkpoint.tensors] == list(expected)
    for stored in stored_tensors(checkpoint.tensors):
        tensor = expected[stored.name]
        assert stored.shape == tuple(tensor.shape)
        rows, columns = (int(np.prod(stored.shape[:-1])), stored.shape[-1]) if stored.shape else (1, 1)
        raw = stored.plain_bytes(slice(0, rows), slice(0, columns))
        assert raw.tobytes() == tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes(), stored.name
        assert PLAIN[stored.dtype].itemsize == tensor.element_size()
    return checkpoint


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_dtype_and_protocol(tmp_path: Path, dtype: torch.dtype, protocol: int) -> None:
    values = torch.arange(35).reshape(5, 7).to(torch.float32).to(dtype)
    state = {"matrix": values, "vector": values[0].clone()}
    torch.save(state, tmp_path / "m.pt", pickle_protocol=protocol)
    same_as_torch(tmp_path / "m.pt", state if protocol > 3 else None)  # torch's own safe reader knows 2 and 3


def test_a_module_with_buffers_and_metadata(tmp_path: Path) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.BatchNorm1d(4), torch.nn.Embedding(9, 6))
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    checkpoint = same_as_torch(tmp_path / "pytorch_model.bin")
    assert checkpoint.container == "pytorch"
    assert checkpoint.name == tmp_path.name


def test_shapes_at_the_edge(tmp_path: Path) -> None:
    state = {
        "scalar": torch.tensor(3.5),
        "empty": torch.zeros(0, 4),
        "one": torch.ones(1, 1, 1),
        "row": torch.arange(5.0).reshape(1, 5),
        "column": torch.arange(5.0).reshape(5, 1).t().t(),
        "cube": torch.arange(24.0).reshape(2, 3, 4),
        "parameter": torch.nn.Parameter(torch.ones(2, 2)),
    }
    torch.save(state, tmp_path / "m.bin")
    same_as_torch(tmp_path / "m.bin")


def test_views_and_shared_storages(tmp_path: Path) -> None:
    table = torch.arange(60.0).reshape(10, 6)
    state = {
        "embed": table,
        "head": table,
        "rows": table[3:7],
        "transposed": table.t(),
        "part": table[2:5].t(),
        "flat": table.view(-1)[6:],
    }
    torch.save(state, tmp_path / "m.pth")
    checkpoint = same_as_torch(tmp_path / "m.pth")
    by_name = {info.name: info for info in checkpoint.tensors}
    assert by_name["embed"].offset == by_name["head"].offset == by_name["transposed"].offset
    assert [name for name, info in by_name.items() if info.transposed] == ["transposed", "part"]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float8_e4m3fn], ids=str)
def test_blocks_of_a_transposed_matrix(tmp_path: Path, dtype: torch.dtype) -> None:
    values = torch.randn(9, 14).to(dtype).t()
    torch.save({"w": values}, tmp_path / "m.pt")
    (stored,) = stored_tensors(open_checkpoint(tmp_path / "m.pt").tensors)
    for rows, columns in [
        (slice(0, 14), slice(0, 9)),
        (slice(3, 8), slice(0, 9)),
        (slice(0, 14), slice(2, 4)),
        (slice(5, 6), slice(1, 7)),
    ]:
        block = stored.read(rows, columns)
        assert block.flags.c_contiguous
        assert np.array_equal(block, values[rows, columns].float().numpy())


@pytest.mark.parametrize(
    ("view", "said"),
    [
        (torch.zeros(3, 1).expand(3, 5), "expanded"),
        (torch.zeros(6, 4)[:, :2], "skips elements"),
        (torch.zeros(6, 4)[::2], "skips elements"),
        (torch.zeros(2, 3, 4).permute(2, 0, 1), "skips elements"),
    ],
)
def test_other_views_are_refused(tmp_path: Path, view: torch.Tensor, said: str) -> None:
    torch.save({"w": view}, tmp_path / "m.pt")
    with pytest.raises(InputError, match=said) as caught:
        open_checkpoint(tmp_path / "m.pt")
    assert "contiguous" in caught.value.hint


def test_a_transposed_matrix_is_written_as_it_reads(tmp_path: Path) -> None:
    matrix = torch.arange(6.0).reshape(2, 3).t()
    torch.save({"w": matrix}, tmp_path / "m.pt")
    merge(tmp_path / "m.pt", tmp_path / "out.safetensors")
    assert torch.equal(load_file(tmp_path / "out.safetensors")["w"], matrix)


@pytest.mark.parametrize("keys", [["state_dict"], ["model"], ["module"], ["model", "state_dict"]], ids="-".join)
def test_a_trainers_checkpoint(tmp_path: Path, keys: list[str]) -> None:
    weight = torch.nn.Linear(3, 2)
    optimiser = torch.optim.AdamW(weight.parameters())
    weight(torch.ones(1, 3)).sum().backward()
    optimiser.step()
    value: object = weight.state_dict()
    for key in reversed(keys):
        value = {key: value, "optimizer": optimiser.state_dict(), "epoch": 3, "best": 0.5, "name": "run"}
    torch.save(value, tmp_path / "last.ckpt")
    checkpoint = same_as_torch(tmp_path / "last.ckpt", weight.state_dict())
    assert any("'optimizer', 'epoch'" in notice for notice in checkpoint.notices)


def test_what_is_no_tensor_is_left_aside(tmp_path: Path) -> None:
    torch.save({"w": torch.ones(2, 2), "_extra_state": None, "step": 3, 7: "seven"}, tmp_path / "m.pt")
    checkpoint = open_checkpoint(tmp_path / "m.pt")
    assert [info.name for info in checkpoint.tensors] == ["w"]
    assert "3 entries of the model are no tensors" in checkpoint.notices[0]


def sharded(folder: Path, suffix: str = ".bin", index: bool = True) -> dict[str, torch.Tensor]:
    state = {f"layer.{n}.weight": torch.randn(4, 3) for n in range(6)}
    weight_map = {}
    for number in (1, 2, 3):
        name = f"pytorch_model-{number:05}-of-00003{suffix}"
        part = {key: state[key] for key in list(state)[2 * number - 2 : 2 * number]}
        torch.save(part, folder / name)
        weight_map |= dict.fromkeys(part, name)
    if index:
        (folder / f"pytorch_model{suffix}.index.json").write_text(json.dumps({"weight_map": weight_map}))
    return state


@pytest.mark.parametrize("index", [True, False])
def test_shards(tmp_path: Path, index: bool) -> None:
    state = sharded(tmp_path, index=index)
    for path in (tmp_path, tmp_path / "pytorch_model-00002-of-00003.bin"):
        checkpoint = open_checkpoint(path)
        assert [info.name for info in checkpoint.tensors] == list(state)
        for stored in stored_tensors(checkpoint.tensors):
            assert np.array_equal(stored.read(slice(0, 4), slice(0, 3)), state[stored.name].numpy())


def test_safetensors_are_preferred(tmp_path: Path) -> None:
    sharded(tmp_path)
    torch.save({"w": torch.ones(2, 2)}, tmp_path / "pytorch_model.bin")
    save_model(tmp_path / "model.safetensors")
    checkpoint = open_checkpoint(tmp_path)
    assert checkpoint.container == "safetensors"
    assert "other containers" in checkpoint.notices[0]


def test_what_a_trainer_leaves_beside_is_no_model(tmp_path: Path) -> None:
    for name in ("pytorch_model.bin", "optimizer.pt", "scheduler.pt", "rng_state_0.pth", "training_args.bin"):
        torch.save({"w": torch.ones(2, 2)}, tmp_path / name)
    checkpoint = open_checkpoint(tmp_path)
    assert (checkpoint.container, checkpoint.notices) == ("pytorch", ())


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: torch.save({"w": torch.ones(2)}, path, _use_new_zipfile_serialization=False), "a pickle, which can run code"),
        (lambda path: torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), path), "TorchScript|not as torch.save"),
        (lambda path: torch.save(torch.nn.Linear(2, 2), path), "would run 'torch.nn.modules.linear.Linear'"),
        (lambda path: torch.save({"w": torch.ones(2, 2).to_sparse()}, path), "sparse|_get_layout"),
        (lambda path: torch.save({"w": torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)}, path), "quantised|per_tensor"),
        (lambda path: torch.save({"w": torch.ones(2, device="meta")}, path), "meta device"),
        (lambda path: torch.save([torch.ones(2)], path), "no dict of tensors"),
        (lambda path: torch.save(torch.ones(2), path), "no dict of tensors"),
        (lambda path: torch.save({}, path), "holds no tensors"),
        (lambda path: torch.save({"w": np.ones(3)}, path), "numpy"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore")
def test_what_is_refused_by_name(tmp_path: Path, make: object, said: str) -> None:
    make(tmp_path / "model.pt")  # type: ignore[operator]
    with pytest.raises(InputError, match=said) as caught:
        open_checkpoint(tmp_path / "model.pt")
    assert caught.value.hint
