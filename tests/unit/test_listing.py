"""Lists of models, and how large they are."""

from pathlib import Path

import pytest

from support.checkpoints import llama, save, save_gguf
from tensorguard.api.listing import Listed, below, distinct, read_list, write_list
from tensorguard.api.weighing import longest_first, weigh
from tensorguard.errors import UsageError


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    models = [Listed(" a b "), Listed("#c", "of it"), Listed("/d/\udcff"), Listed("s3://e/f"), Listed("j\x85\u2028k")]
    hostile = [Listed("g\n/etc/passwd"), Listed("h\ti"), Listed("l\r"), Listed("m", "n\no")]
    write_list(tmp_path / "list", [(each, "because\n/etc/shadow") for each in (*models, *hostile)])
    assert read_list(str(tmp_path / "list")) == [Listed(" a b "), Listed("./#c", "of it"), *models[2:]]


def test_a_list_may_begin_with_a_mark_of_utf8(tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(b"\xef\xbb\xbf# ours\r\na\r\n")
    assert read_list(str(tmp_path / "list")) == [Listed("a")]


def test_several_models_in_one_folder_are_told_apart(tmp_path: Path) -> None:
    for name in ("q4", "q8"):
        save_gguf(tmp_path / "org" / "many" / f"{name}.gguf", llama(), "llama")
    save(tmp_path / "org" / "one", llama())
    found = {each.name: Path(each.place).relative_to(tmp_path).as_posix() for each in below(tmp_path)}
    assert found == {"org/many/q4": "org/many/q4.gguf", "org/many/q8": "org/many/q8.gguf", "org/one": "org/one"}
    assert [each.name for each in below(tmp_path / "org" / "many")] == ["q4", "q8"]


def test_the_largest_come_first_with_their_share_of_what_is_left(tmp_path: Path) -> None:
    for name, size in (("a", 10), ("b", 60), ("c", 30)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_bytes(bytes(size))
        (tmp_path / name / "README.md").write_bytes(bytes(1000))
    models = [Listed(tmp_path / name) for name in "abc"] + [Listed("org/model")]
    sizes = weigh(models)
    assert sizes == [10, 60, 30, 0]
    tasks = longest_first(models, sizes)
    assert [sizes[models.index(task.item)] for task in tasks] == [60, 30, 10, 0]
    assert [task.share for task in tasks] == [0.6, 0.75, 1.0, 0.0]
    assert [task.threads(16) for task in tasks] == [10, 12, 16, 1]
    assert [task.threads(1) for task in tasks] == [1, 1, 1, 1]


def test_none_is_too_few() -> None:
    with pytest.raises(UsageError):
        distinct([])
    assert distinct(["a", Listed("a"), "b"]) == [Listed("a"), Listed("b")]


def test_a_model_without_a_name_is_the_one_that_a_list_names(tmp_path: Path) -> None:
    place = tmp_path / "x"
    assert distinct([place, Listed(place, "org/x")]) == [Listed(place, "org/x")]
    assert distinct([Listed(place, "a"), place, Listed(place, "b")]) == [Listed(place, "a"), Listed(place, "b")]
