"""One file from shards, or from a base and its adapter."""

import errno
import os
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType, GGUFWriter, dequantize, quantize
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from support.adapters import LAYER, numbers, write_adapter, write_base
from support.containers import safetensors_bytes, save_sharded
from tensorguard.adapters.base import AddedTensor
from tensorguard.errors import InputError, ResourceError, UsageError
from tensorguard.formats.base import Checkpoint
from tensorguard.formats.opening import open_checkpoint
from tensorguard.formats.safetensors import read_safetensors
from tensorguard.merge import plan as planning
from tensorguard.merge import write as writing
from tensorguard.merge.write import merge
from tensorguard.sources.local import LocalFile
from tensorguard.tensors.encoding import encode

WEIGHT = f"{LAYER}.weight"
EVERY_DTYPE = ("F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2", "I64", "I32", "I16", "I8", "U64", "U32", "U16", "U8", "BOOL")


class Listener:
    def __init__(self) -> None:
        self.events: list[tuple[object, ...]] = []

    def start(self, task: str, total: int, unit: str) -> None:
        self.events.append(("start", task, total, unit))

    def advance(self, task: str, amount: int) -> None:
        self.events.append(("advance", task, amount))

    def finish(self, task: str) -> None:
        self.events.append(("finish", task))

    def event(self, name: str, **facts: object) -> None:
        self.events.append(("event", name))


def names(path: Path) -> list[str]:
    return [info.name for info in read_safetensors(LocalFile(path)).tensors]


def test_shards_become_one_file_in_order(tmp_path: Path) -> None:
    shards = save_sharded(tmp_path / "model")
    result = merge(tmp_path / "model", tmp_path / "one.safetensors")
    assert names(tmp_path / "one.safetensors") == [info.name for info in open_checkpoint(tmp_path / "model").tensors]
    expected = {name: value for shard in shards for name, value in load_file(shard).items()}
    got = load_file(tmp_path / "one.safetensors")
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(got[name], value)
    assert (result.tensors, result.changed, result.skipped, result.nbytes) == (6, 0, False, 6 * 24)


def test_every_dtype_is_copied_byte_for_byte(tmp_path: Path) -> None:
    bits = np.random.default_rng(0).integers(0, 2, 64, np.uint8)
    header, data = {}, b""
    for dtype in EVERY_DTYPE:
        raw = bits.tobytes() if dtype == "BOOL" else np.random.default_rng(1).bytes(64)
        size = 1 if dtype == "BOOL" else planning.BITS[dtype] // 8
        header[dtype] = {"dtype": dtype, "shape": [64 // size], "data_offsets": [len(data), len(data) + 64]}
        data += raw
    (tmp_path / "in.safetensors").write_bytes(safetensors_bytes(header, data))
    merge(tmp_path / "in.safetensors", tmp_path / "out.safetensors")
    before = {i.name: i for i in open_checkpoint(tmp_path / "in.safetensors").tensors}
    after = {i.name: i for i in open_checkpoint(tmp_path / "out.safetensors").tensors}
    assert list(after) == list(EVERY_DTYPE)
    for name, info in after.items():
        was = before[name]
        assert (info.dtype, info.shape) == (was.dtype, was.shape)
        assert bytes(info.source.read_at(info.offset, info.nbytes)) == bytes(was.source.read_at(was.offset, was.nbytes))


def test_metadata_is_kept_and_says_pt(tmp_path: Path) -> None:
    save_file({"a": numbers(2, 2)}, tmp_path / "in.safetensors", {"licence": "mit"})
    merge(tmp_path / "in.safetensors", tmp_path / "out.safetensors")
    with safe_open(tmp_path / "out.safetensors", "np") as opened:
        metadata = opened.metadata()
    assert metadata["format"] == "pt"
    assert metadata["licence"] == "mit"


def test_complete_output_is_skipped_unless_forced(tmp_path: Path) -> None:
    base = write_base(tmp_path / "base")
    output = tmp_path / "out.safetensors"
    merge(base, output)
    written = output.stat()
    assert merge(base, output).skipped
    assert output.stat().st_mtime_ns == written.st_mtime_ns
    assert output.stat().st_ino == written.st_ino
    assert not merge(base, output, force=True).skipped
    assert output.stat().st_ino != written.st_ino


@pytest.mark.parametrize("change", ["truncated", "other weights", "other adapter", "no adapter", "something else"])
def test_output_that_is_something_else_is_not_taken_for_the_result(change: str, tmp_path: Path) -> None:
    base, adapter = write_base(tmp_path / "base"), write_adapter(tmp_path / "adapter")
    output = tmp_path / "out.safetensors"
    merge(adapter, output, base=base)
    if change == "truncated":
        os.truncate(output, output.stat().st_size - 1)
    if change == "other weights":
        write_base(base, {WEIGHT: numbers(6, 4, seed=1)})
    if change == "other adapter":
        write_adapter(adapter, {"lora_alpha": 5})
    if change == "something else":
        output.write_text("notes")
    before = output.read_bytes()
    with pytest.raises(UsageError, match="not the result of this merge"):
        merge(base if change == "no adapter" else adapter, output, base=None if change == "no adapter" else base)
    assert output.read_bytes() == before


def test_adapter_on_its_base(tmp_path: Path) -> None:
    tensors = {"a": numbers(5), WEIGHT: numbers(6, 4).astype(ml_dtypes.bfloat16), "z": numbers(2, 3)}
    base, adapter = write_base(tmp_path / "base", tensors), write_adapter(tmp_path / "adapter")
    result = merge(adapter, tmp_path / "out.safetensors", base=base)
    assert (result.tensors, result.changed) == (3, 1)
    assert names(tmp_path / "out.safetensors") == names(base / "model.safetensors")
    exact = tensors[WEIGHT].astype(np.float32) + 2 * numbers(6, 2) @ numbers(2, 4)
    np.testing.assert_array_equal(load_file(tmp_path / "out.safetensors")[WEIGHT], exact.astype(ml_dtypes.bfloat16))


def test_base_is_found_in_the_search_folders(tmp_path: Path) -> None:
    write_base(tmp_path / "models" / "base")
    adapter = write_adapter(tmp_path / "adapter", {"base_model_name_or_path": "org/base"})
    assert merge(adapter, tmp_path / "out.safetensors", search=[tmp_path / "models"]).changed == 1


def test_small_blocks_give_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base, adapter = write_base(tmp_path / "base"), write_adapter(tmp_path / "adapter")
    merge(adapter, tmp_path / "large.safetensors", base=base)
    reads: list[int] = []
    read = AddedTensor.read

    def counting(self: AddedTensor, rows: slice, columns: slice) -> object:
        reads.append((rows.stop - rows.start) * (columns.stop - columns.start))
        return read(self, rows, columns)

    monkeypatch.setattr(AddedTensor, "read", counting)
    monkeypatch.setattr(writing, "_COMPUTED_ELEMENTS", 3)
    monkeypatch.setattr(writing, "_COPIED_BYTES", 5)
    merge(adapter, tmp_path / "small.safetensors", base=base)
    assert max(reads) <= 3
    assert sum(reads) == 24
    small, large = load_file(tmp_path / "small.safetensors"), load_file(tmp_path / "large.safetensors")
    np.testing.assert_allclose(small[WEIGHT], large[WEIGHT], rtol=1e-6)


def test_progress_adds_up(tmp_path: Path) -> None:
    base, adapter, listener = write_base(tmp_path / "base"), write_adapter(tmp_path / "adapter"), Listener()
    merge(adapter, tmp_path / "out.safetensors", base=base, progress=listener)
    assert listener.events[0] == ("start", "adapter", 96, "bytes")
    assert listener.events[-1] == ("finish", "adapter")
    assert sum(event[2] for event in listener.events if event[0] == "advance") == 96  # type: ignore[misc]


def test_empty_and_scalar_tensors(tmp_path: Path) -> None:
    save_file({"none": np.zeros((0, 4), np.float32), "one": np.array(7, np.int32)}, tmp_path / "in.safetensors")
    merge(tmp_path / "in.safetensors", tmp_path / "out.safetensors")
    got = load_file(tmp_path / "out.safetensors")
    assert got["none"].shape == (0, 4)
    assert got["one"] == 7


@pytest.mark.parametrize(
    "place", ["base/model.safetensors", "base/new.safetensors", "adapter/out.safetensors", "base/deep/x.safetensors"]
)
def test_output_among_the_inputs(place: str, tmp_path: Path) -> None:
    base, adapter = write_base(tmp_path / "base"), write_adapter(tmp_path / "adapter")
    before = (base / "model.safetensors").read_bytes()
    with pytest.raises(UsageError, match="among the inputs"):
        merge(adapter, tmp_path / place, base=base, force=True)
    assert (base / "model.safetensors").read_bytes() == before


def test_output_that_is_an_input_by_another_name(tmp_path: Path) -> None:
    base = write_base(tmp_path / "base") / "model.safetensors"
    (tmp_path / "link.safetensors").symlink_to(base)
    with pytest.raises(UsageError, match="among the inputs"):
        merge(base, tmp_path / "link.safetensors", force=True)


@pytest.mark.parametrize("name", ["out.bin", "out", "folder.safetensors"])
def test_output_of_another_kind(name: str, tmp_path: Path) -> None:
    (tmp_path / "folder.safetensors").mkdir()
    with pytest.raises(UsageError):
        merge(write_base(tmp_path / "base"), tmp_path / name)


def test_base_for_a_whole_model(tmp_path: Path) -> None:
    base = write_base(tmp_path / "base")
    with pytest.raises(UsageError, match="whole model"):
        merge(base, tmp_path / "out.safetensors", base=base)


def test_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = write_base(tmp_path / "base")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ResourceError, match="the disk is full"):
        merge(base, tmp_path / "out.safetensors")
    assert {path.name for path in tmp_path.iterdir()} == {"base"}


def test_source_that_fails_midway_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base, adapter, listener = write_base(tmp_path / "base"), write_adapter(tmp_path / "adapter"), Listener()

    def broken(*_: object) -> None:
        raise InputError("ended early", where="x")

    monkeypatch.setattr(AddedTensor, "read", broken)
    with pytest.raises(InputError):
        merge(adapter, tmp_path / "out.safetensors", base=base, progress=listener)
    assert {path.name for path in tmp_path.iterdir()} == {"base", "adapter"}
    assert listener.events[-1] == ("finish", "adapter")


@pytest.fixture
def gguf_file(tmp_path: Path) -> Path:
    writer = GGUFWriter(tmp_path / "in.gguf", "llama")
    writer.add_tensor(
        "blk.0.attn_q.weight", quantize(numbers(4, 32), GGMLQuantizationType.Q8_0), raw_dtype=GGMLQuantizationType.Q8_0
    )
    writer.add_tensor("output_norm.weight", numbers(32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return tmp_path / "in.gguf"


def test_quantised_tensors_are_refused_without_a_dtype(gguf_file: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="quantised") as caught:
        merge(gguf_file, tmp_path / "out.safetensors")
    assert "--dtype" in caught.value.hint
    assert not (tmp_path / "out.safetensors").exists()


@pytest.mark.parametrize(("dtype", "numpy_type"), [("F32", np.float32), ("F16", np.float16), ("BF16", ml_dtypes.bfloat16)])
def test_quantised_tensors_are_decoded_to_a_dtype(dtype: str, numpy_type: type, gguf_file: Path, tmp_path: Path) -> None:
    result = merge(gguf_file, tmp_path / "out.safetensors", dtype=dtype)
    got = load_file(tmp_path / "out.safetensors")
    exact = dequantize(quantize(numbers(4, 32), GGMLQuantizationType.Q8_0), GGMLQuantizationType.Q8_0)
    np.testing.assert_array_equal(got["blk.0.attn_q.weight"], exact.astype(numpy_type))
    np.testing.assert_array_equal(got["output_norm.weight"], numbers(32))
    assert result.changed == 1


def test_unknown_dtype_to_decode_to(gguf_file: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'Q4_0'"):
        merge(gguf_file, tmp_path / "out.safetensors", dtype="Q4_0")


def test_digest_depends_on_all_shards_and_not_on_their_place(tmp_path: Path) -> None:
    def digest(checkpoint: Checkpoint) -> str:
        return planning.plan_merge(checkpoint).metadata[planning.SOURCES]

    save_sharded(tmp_path / "a")
    save_sharded(tmp_path / "b")
    assert digest(open_checkpoint(tmp_path / "a")) == digest(open_checkpoint(tmp_path / "b"))
    last = tmp_path / "b" / "model-00003-of-00003.safetensors"
    last.write_bytes(last.read_bytes()[:-1] + b"\x01")
    assert digest(open_checkpoint(tmp_path / "a")) != digest(open_checkpoint(tmp_path / "b"))


@given(st.lists(st.floats(width=32), min_size=1, max_size=20))
def test_encoding_rounds_to_nearest_even(values: list[float]) -> None:
    array = np.array(values, np.float32)
    for dtype, kind in (("BF16", torch.bfloat16), ("F16", torch.float16), ("F32", torch.float32), ("F64", torch.float64)):
        expected = torch.from_numpy(array.copy()).to(kind).double().numpy()
        np.testing.assert_array_equal(encode(array, dtype).astype(np.float64), expected)
