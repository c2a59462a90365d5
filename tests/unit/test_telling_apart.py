"""Models that are called alike get names that tell them apart."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.checkpoints import llama, save
from tensorguard.api.families import compare
from tensorguard.api.lineage import tree
from tensorguard.api.models import file_stem
from tensorguard.api.telling_apart import told_apart
from tensorguard.errors import UsageError

PARTS = st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map(tuple)


def test_as_many_folders_as_needed() -> None:
    assert told_apart([("m", Path("/a/m")), ("m", Path("/b/m")), ("n", Path("/a/n"))]) == ["a/m", "b/m", "n"]
    assert told_apart([("m", Path("/x/1/m")), ("m", Path("/y/1/m"))]) == ["x/1/m", "y/1/m"]
    assert told_apart([("m", "s3://one/m"), ("m", "s3://two/m")]) == ["one/m", "two/m"]
    assert told_apart([("m", Path("/a/m/model.gguf")), ("m", Path("/b/m/model.gguf"))]) == ["a/m", "b/m"]


def test_what_is_given_twice_keeps_its_name() -> None:
    assert told_apart([("m", Path("/a/m")), ("m", Path("/a/m"))]) == ["m", "m"]


@given(st.lists(PARTS, min_size=1, max_size=6, unique=True))
def test_places_that_differ_get_names_that_differ(places: list[tuple[str, ...]]) -> None:
    named = [(parts[-1], Path("/", "top", *parts)) for parts in places]
    found = told_apart(named)
    assert len(set(found)) == len(found)
    assert all(each.endswith(name) for each, (name, _) in zip(found, named, strict=True))


def test_two_runs_of_one_name_are_compared_and_make_a_tree(tmp_path: Path) -> None:
    models = [save(tmp_path / run / "checkpoint-500", llama(seed)) for seed, run in enumerate(("run1", "run2"))]
    names = ("run1/checkpoint-500", "run2/checkpoint-500")
    found = compare(models)
    assert found.similarity is not None
    assert found.similarity.names == names
    assert [(pair.first, pair.second) for pair in found.pairs] == [names]
    _, pairs = tree(models)
    assert [(pair.first, pair.second) for pair in pairs] == [names]
    with pytest.raises(UsageError, match="two models are called 'checkpoint-500'"):
        compare([models[0], models[0]])


def test_files_are_called_as_models_are_in_any_script() -> None:
    assert [file_stem(name) for name in ("模型", "Qwen/Qwen2.5", "..", "a b\n", "é" * 200)] == [
        "模型",
        "Qwen_Qwen2.5",
        "model",
        "a_b_",
        "é" * 75,
    ]
