"""GGUF models in several files, as the `gguf` package splits them."""

from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFWriter

from tensorguard.formats.opening import open_checkpoint
from tensorguard.tensors.storage import stored_tensors


@pytest.mark.parametrize("small_first", [False, True], ids=["tensors in all", "the first without tensors"])
def test_a_split_model_is_one_model(tmp_path: Path, small_first: bool) -> None:
    tensors = {f"blk.{n}.ffn_up.weight": np.full((4, 32), n, np.float32) for n in range(5)}
    writer = GGUFWriter(tmp_path / "x.Q8_0.gguf", "llama", split_max_tensors=2, small_first_shard=small_first)
    writer.add_block_count(5)
    for name, values in tensors.items():
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files[0] == f"x.Q8_0-00001-of-0000{len(files)}.gguf"
    for path in (tmp_path, tmp_path / files[0], tmp_path / files[-1]):
        checkpoint = open_checkpoint(path)
        assert checkpoint.config["llama.block_count"] == 5
        assert [info.name for info in checkpoint.tensors] == list(tensors)
        for stored in stored_tensors(checkpoint.tensors):
            assert np.array_equal(stored.read(slice(0, 4), slice(0, 32)), tensors[stored.name])
