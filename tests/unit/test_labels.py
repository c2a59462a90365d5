import json
from pathlib import Path

import pytest

from support.paper import published_labels
from tensorguard.errors import InputError, UsageError
from tensorguard.family.labels import load_labels, require_known


def test_the_published_labels_load() -> None:
    labels = published_labels()
    assert len(labels.bases) == 8
    assert len(labels.labels) == 58
    assert labels.labels["DNA-R1"] == "phi-4"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"bases": [], "labels": {}}, "names 0 bases"),
        ({"bases": ["a", "a"], "labels": {}}, "a base twice"),
        ({"bases": ["a"], "labels": {"m": "b"}}, "'b', which is not among"),
        ({"bases": ["a", "b"], "labels": {"a": "b"}}, "labels the base 'a'"),
        ({"bases": "a", "labels": {}}, "is not a labels file"),
        ({"bases": ["a"], "labels": {"m": 3}}, "is not a labels file"),
        ({"labels": {}}, "is not a labels file"),
        ([], "is not a JSON object"),
    ],
)
def test_malformed_labels_are_refused(tmp_path: Path, content: object, message: str) -> None:
    path = tmp_path / "labels.json"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=message):
        load_labels(path)


def test_an_unknown_base_gets_close_names() -> None:
    with pytest.raises(UsageError) as caught:
        require_known(["Qwen2.5-3b"], ["Qwen2.5-3B", "phi-4"])
    assert caught.value.hint == "did you mean 'Qwen2.5-3B'?"
    with pytest.raises(UsageError, match="twice"):
        require_known(["a", "a"], ["a"])
    with pytest.raises(UsageError, match="no base models"):
        require_known([], ["a"])
