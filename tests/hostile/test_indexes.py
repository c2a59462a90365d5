"""Hostile indexes and folders: nothing outside the model's folder is opened because a file says so."""

import pytest

from support.containers import save_index, save_model, save_sharded, weight_map_of
from tensorguard.errors import InputError
from tensorguard.formats.opening import open_checkpoint

ESCAPES = [
    "../secret.safetensors",
    "sub/../../secret.safetensors",
    "..",
    "/etc/passwd",
    "//server/share",
    "..\\secret.safetensors",
    "C:\\secret.safetensors",
    "C:secret.safetensors",
    "sub\\x.safetensors",
    "x\0.safetensors",
    "x\n.safetensors",
    "x\u202e.safetensors",
    "",
    "n" * 300,
    "d/" * 4000 + "x",
]


@pytest.mark.parametrize("name", ESCAPES)
def test_an_index_cannot_lead_out_of_its_folder(tmp_path, name):
    save_model(tmp_path / "secret.safetensors", ["t"])
    save_model(tmp_path / "model" / "a.safetensors", ["a"])
    index = save_index(tmp_path / "model", {"a": "a.safetensors", "t": name})
    with pytest.raises(InputError, match="which is no plain path inside its folder") as caught:
        open_checkpoint(tmp_path / "model")
    assert caught.value.where == str(index)
    assert str(caught.value).isprintable()


def test_an_absolute_path_into_the_folder_is_refused_too(tmp_path):
    shard = save_model(tmp_path / "a.safetensors", ["a"])
    save_index(tmp_path, {"a": str(shard)})
    with pytest.raises(InputError, match="no plain path"):
        open_checkpoint(tmp_path)


def test_a_folder_that_is_a_link_cannot_lead_out_either(tmp_path):
    save_model(tmp_path / "elsewhere" / "t.safetensors", ["t"])
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "sub").symlink_to(tmp_path / "elsewhere")
    save_index(tmp_path / "model", {"t": "sub/t.safetensors"})
    with pytest.raises(InputError, match="a link leads out of its folder"):
        open_checkpoint(tmp_path / "model")


def test_a_shard_that_is_a_folder(tmp_path):
    (tmp_path / "a.safetensors").mkdir()
    save_index(tmp_path, {"a": "a.safetensors"})
    with pytest.raises(InputError, match="not a regular file"):
        open_checkpoint(tmp_path)


def test_a_shard_that_is_a_loop_of_links(tmp_path):
    (tmp_path / "a.safetensors").symlink_to("a.safetensors")
    with pytest.raises(InputError, match=r"a link to a file that is not there|cannot be read"):
        open_checkpoint(tmp_path)


def test_a_shard_that_is_a_pickle(tmp_path):
    (tmp_path / "a.safetensors").write_bytes(b"\x80\x04\x95")
    save_index(tmp_path, {"a": "a.safetensors"})
    with pytest.raises(InputError, match="a pickle"):
        open_checkpoint(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        "", "[]", "{}", "{", '{"weight_map": []}', '{"weight_map": {}}', '{"weight_map": {"a": 1}}', '{"weight_map": {"a": null}}',
        '{"weight_map": {"a": "x", "a": "y"}}', '{"weight_map": {"a": {"b": "x"}}}', '{"weight_map": ' + "[" * 10_000,
    ],
)  # fmt: skip
def test_malformed_indexes(tmp_path, content):
    save_sharded(tmp_path)
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(content)
    with pytest.raises(InputError) as caught:
        open_checkpoint(tmp_path)
    assert caught.value.where == str(index)


def test_an_index_of_more_shards_than_allowed(tmp_path, monkeypatch):
    monkeypatch.setattr("tensorguard.formats.index.MAX_SHARDS", 2)
    save_index(tmp_path, weight_map_of(save_sharded(tmp_path, 3)))
    with pytest.raises(InputError, match="2 shards"):
        open_checkpoint(tmp_path)


def test_an_index_over_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr("tensorguard.formats.index.MAX_JSON_BYTES", 20)
    save_index(tmp_path, weight_map_of(save_sharded(tmp_path)))
    with pytest.raises(InputError, match="more than the 20 allowed"):
        open_checkpoint(tmp_path)


def test_a_reference_of_the_cache_cannot_lead_out(tmp_path):
    save_model(tmp_path / "secret" / "model.safetensors", ["secret"])
    repository = tmp_path / "models--org--name"
    save_model(repository / "snapshots" / "abc" / "model.safetensors", ["right"])
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("../../secret")
    assert [info.name for info in open_checkpoint(repository).tensors] == ["right"]
