"""Models are found by the name of their repository, and by nothing that could lead elsewhere."""

import shutil
from pathlib import Path

import pytest

from support.checkpoints import llama, save
from tensorguard.api.at_hand import find_model, hub_folder, repository_of

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("model") / "model", llama(blocks=1))


@pytest.mark.parametrize("way", [f"models--org--name/snapshots/{COMMIT}", "org/name", "org--name", "name"])
def test_every_way_to_keep_a_model(model: Path, tmp_path: Path, way: str) -> None:
    shutil.copytree(model, tmp_path / way)
    found = find_model("org/name", [tmp_path / "elsewhere", tmp_path])
    assert found == tmp_path / way.split("/snapshots")[0]
    assert find_model("other/thing", [tmp_path]) is None


def test_a_better_fit_goes_before_an_earlier_folder(model: Path, tmp_path: Path) -> None:
    shutil.copytree(model, tmp_path / "a" / "name")
    shutil.copytree(model, tmp_path / "b" / "org" / "name")
    assert find_model("org/name", [tmp_path / "a", tmp_path / "b"]) == tmp_path / "b" / "org" / "name"


def test_a_folder_without_weights_is_no_model(model: Path, tmp_path: Path) -> None:
    (tmp_path / "org" / "name").mkdir(parents=True)
    (tmp_path / "org" / "name" / "config.json").write_text("{}")
    (tmp_path / "models--org--name" / "snapshots").mkdir(parents=True)
    assert find_model("org/name", [tmp_path]) is None
    shutil.copytree(model, tmp_path / "name")
    assert find_model("org/name", [tmp_path]) == tmp_path / "name"


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../model", "a/../model", "/model", "a/b/c", "a\\b", "a\nb", "~", "-x", "a" * 200]
)
def test_what_is_no_plain_name_is_not_looked_for(model: Path, name: str) -> None:
    assert find_model(name, [model.parent, model]) is None


def test_the_hub_s_folder_is_where_its_own_tools_say(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HF_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert hub_folder() == tmp_path / ".cache" / "huggingface" / "hub"
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert hub_folder() == Path("/x/huggingface/hub")
    monkeypatch.setenv("HF_HOME", "/h")
    assert hub_folder() == Path("/h/hub")
    monkeypatch.setenv("HF_HUB_CACHE", "~/c")
    assert hub_folder() == tmp_path / "c"


def test_what_a_folder_s_name_says(model: Path, tmp_path: Path) -> None:
    cached = tmp_path / "models--org--name" / "snapshots" / COMMIT
    shutil.copytree(model, cached)
    for path in (cached, cached.parents[1], cached / "model.safetensors"):
        assert repository_of(path) == ("org/name", COMMIT)
    cached.rename(cached.with_name("main"))
    assert repository_of(cached.with_name("main")) == ("org/name", "")
    for name, repository in {"org--name": "org/name", "name": "", "a--b--c": "", "--name": "", "..--..": ""}.items():
        shutil.copytree(model, tmp_path / name)
        assert repository_of(tmp_path / name) == (repository, "")
