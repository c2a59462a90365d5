import pytest

from support.containers import save_index, save_model, save_sharded, weight_map_of
from tensorguard.errors import InputError
from tensorguard.formats.opening import open_checkpoint
from tensorguard.formats.sharded import ShardName, group_shards, parse_shard_name

IN_ORDER = ["t0.a", "t0.b", "t1.a", "t1.b", "t2.a", "t2.b"]


def names(checkpoint):
    return [info.name for info in checkpoint.tensors]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("model-00001-of-00003.safetensors", ShardName("model", 1, 3, ".safetensors")),
        ("x-1-of-3.safetensors", ShardName("x", 1, 3, ".safetensors")),
        ("x_00001-of-00003.safetensors", ShardName("x", 1, 3, ".safetensors")),
        ("Llama-3.1-8B.Q4_K-00002-of-00002.gguf", ShardName("Llama-3.1-8B.Q4_K", 2, 2, ".gguf")),
        ("00001-of-00002.safetensors", ShardName("", 1, 2, ".safetensors")),
        ("model.safetensors", None),
        ("best-of-3.safetensors", None),
        ("model-٣-of-٥.safetensors", None),
    ],
)
def test_shard_names(name, expected):
    assert parse_shard_name(name) == expected


@pytest.mark.parametrize(
    "pattern", ["model-{:05d}-of-{:05d}.safetensors", "x-{}-of-{}.safetensors", "x_{:05d}-of-{:05d}.safetensors"]
)
def test_shards_are_found_by_name_alone(tmp_path, pattern):
    shards = save_sharded(tmp_path, 3, pattern)
    assert names(open_checkpoint(tmp_path)) == IN_ORDER
    assert names(open_checkpoint(shards[1])) == IN_ORDER


def test_shards_are_ordered_by_number_not_by_text(tmp_path):
    save_sharded(tmp_path, 12, "x-{}-of-{}.safetensors")
    assert names(open_checkpoint(tmp_path)) == [f"t{i}.{part}" for i in range(12) for part in "ab"]


def test_shards_numbered_from_zero(tmp_path):
    for i in range(2):
        save_model(tmp_path / f"m-0000{i}-of-00002.safetensors", [f"t{i}"])
    assert names(open_checkpoint(tmp_path)) == ["t0", "t1"]


@pytest.mark.parametrize("opened", [".", "model-00003-of-00004.safetensors"])
def test_missing_shards_are_named(tmp_path, opened):
    shards = save_sharded(tmp_path, 4)
    shards[0].unlink()
    shards[3].unlink()
    with pytest.raises(InputError, match=r"2 are missing: 1, 4") as caught:
        open_checkpoint(tmp_path / opened)
    assert caught.value.hint


def test_a_shard_alone_says_what_to_do(tmp_path):
    shard = save_model(tmp_path / "model-00002-of-00002.safetensors")
    with pytest.raises(InputError, match="1 is missing: 1") as caught:
        open_checkpoint(shard)
    assert "all shards" in caught.value.hint


def test_a_shard_number_that_is_there_twice(tmp_path):
    save_sharded(tmp_path, 2)
    save_model(tmp_path / "model-2-of-2.safetensors", ["z"])
    with pytest.raises(InputError, match="shard 2 is there twice"):
        open_checkpoint(tmp_path)


def test_a_shard_number_beyond_the_count(tmp_path):
    save_sharded(tmp_path, 2)
    save_model(tmp_path / "model-00007-of-00002.safetensors", ["z"])
    with pytest.raises(InputError, match="numbered 7"):
        open_checkpoint(tmp_path)


def test_different_stems_are_different_models(tmp_path):
    save_sharded(tmp_path, 2, "one-{}-of-{}.safetensors")
    other = save_sharded(tmp_path, 2, "two-{}-of-{}.safetensors")
    with pytest.raises(InputError, match=r"2 models in one folder: 'one-1-of-2.safetensors', 'two-1-of-2.safetensors'"):
        open_checkpoint(tmp_path)
    assert len(open_checkpoint(other[0]).tensors) == 4
    assert len(group_shards(tmp_path.iterdir())) == 2


def test_a_tensor_in_two_shards(tmp_path):
    save_model(tmp_path / "x-1-of-2.safetensors", ["a", "b"])
    save_model(tmp_path / "x-2-of-2.safetensors", ["b", "c"])
    with pytest.raises(InputError, match=r"tensor 'b' is also in 'x-1-of-2.safetensors'") as caught:
        open_checkpoint(tmp_path)
    assert caught.value.where.endswith("x-2-of-2.safetensors")


def test_an_index_gives_the_same_as_the_names(tmp_path):
    shards = save_sharded(tmp_path)
    index = save_index(tmp_path, dict(reversed(weight_map_of(shards).items())))
    for path in (tmp_path, index, shards[2]):
        checkpoint = open_checkpoint(path)
        assert names(checkpoint) == IN_ORDER
        assert checkpoint.notices == ()


def test_an_index_of_files_with_names_of_their_own(tmp_path):
    save_model(tmp_path / "first.safetensors", ["a"])
    save_model(tmp_path / "sub" / "second.safetensors", ["b"])
    save_index(tmp_path, {"a": "first.safetensors", "b": "sub/second.safetensors"})
    assert names(open_checkpoint(tmp_path)) == ["a", "b"]


def test_an_index_is_preferred_to_a_stray_file(tmp_path):
    save_index(tmp_path, weight_map_of(save_sharded(tmp_path)))
    save_model(tmp_path / "consolidated.safetensors", ["tok_embeddings.weight"])
    assert names(open_checkpoint(tmp_path)) == IN_ORDER


def test_an_index_whose_shard_is_missing_names_it(tmp_path):
    shards = save_sharded(tmp_path)
    save_index(tmp_path, weight_map_of(shards))
    shards[1].unlink()
    with pytest.raises(InputError, match=r"1 of its 3 shards not there: 'model-00002-of-00003.safetensors'"):
        open_checkpoint(tmp_path)


def test_an_index_that_names_a_tensor_its_shard_lacks(tmp_path):
    shards = save_sharded(tmp_path)
    save_index(tmp_path, weight_map_of(shards) | {"ghost": shards[0].name})
    with pytest.raises(InputError, match="places tensor 'ghost' in"):
        open_checkpoint(tmp_path)


def test_an_index_that_swaps_two_shards(tmp_path):
    shards = save_sharded(tmp_path, 2)
    save_index(tmp_path, weight_map_of(shards[::-1]))
    with pytest.raises(InputError, match="where it is not"):
        open_checkpoint(tmp_path)


def test_tensors_that_an_index_forgets_are_kept_and_said(tmp_path):
    weight_map = weight_map_of(save_sharded(tmp_path))
    del weight_map["t1.b"]
    save_index(tmp_path, weight_map)
    checkpoint = open_checkpoint(tmp_path)
    assert names(checkpoint) == IN_ORDER
    assert checkpoint.notices == ("1 tensors are in the shards but not in the index: 't1.b'.",)


def test_several_indexes_need_a_choice(tmp_path):
    shards = save_sharded(tmp_path, 2, "one-{:05d}-of-{:05d}.safetensors")
    index = save_index(tmp_path, weight_map_of(shards), "one.safetensors.index.json")
    save_index(tmp_path, {"z": "z.safetensors"}, "two.safetensors.index.json")
    with pytest.raises(InputError, match="2 models in one folder"):
        open_checkpoint(tmp_path)
    assert len(open_checkpoint(index).tensors) == 4


def test_metadata_is_that_of_the_first_shard(tmp_path):
    save_model(tmp_path / "x-1-of-2.safetensors", ["a"], format="pt")
    save_model(tmp_path / "x-2-of-2.safetensors", ["b"], format="np")
    assert open_checkpoint(tmp_path).metadata == {"format": "pt"}


def test_a_shard_of_another_container(tmp_path):
    save_sharded(tmp_path, 2)
    (tmp_path / "model-00002-of-00002.safetensors").write_bytes(b"GGUF\x03" + bytes(19))
    with pytest.raises(InputError, match="is gguf, but the model's other shards are safetensors"):
        open_checkpoint(tmp_path)
