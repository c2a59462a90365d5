"""Where the registry is, and models named as its entries."""

from pathlib import Path

import pytest

from support.known import known
from tensorguard.api import families, lineage
from tensorguard.api.fingerprints import Settings
from tensorguard.api.models import open_model
from tensorguard.api.registered import registered_fingerprint
from tensorguard.api.registry_folder import registered_name, registry_folder
from tensorguard.errors import NotFoundError, UsageError
from tensorguard.registry.entry import Facts
from tensorguard.registry.registry import Registry


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with Registry(tmp_path / "known", create=True) as registry:
        registry.add(known(1, "one"), Facts(repository="org/one"), name="mine")
        registry.add(known(1, "child", tuning=0.1), Facts())
        registry.add(known(1, key="0123456789abcdef"), Facts(), name="mine")
    return tmp_path / "known"


def test_the_user_s_own_folder_follows_the_platform(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("TENSORGUARD_REGISTRY", "XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    end = Path("tensorguard/registry")
    for platform, before in (
        ("linux", ".local/share"),
        ("darwin", "Library/Application Support"),
        ("win32", "AppData/Local"),
    ):
        monkeypatch.setattr("sys.platform", platform)
        assert registry_folder() == tmp_path / before / end
    monkeypatch.setenv("LOCALAPPDATA", "/local")
    assert registry_folder() == Path("/local") / end
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert registry_folder() == Path("/data") / end


def test_the_environment_names_another_and_an_argument_goes_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENSORGUARD_REGISTRY", "/there")
    assert registry_folder() == Path("/there")
    assert registry_folder("/here") == Path("/here")


def test_only_the_prefix_names_an_entry() -> None:
    assert registered_name("registry:org/name") == registered_name(Path("registry:org/name")) == "org/name"
    assert registered_name(Path("/models/registry:org")) is None
    assert registered_name("models/registry") is None


def test_an_entry_is_found_by_name_and_by_repository_and_called_as_the_entry(folder: Path) -> None:
    for name in ("mine", "org/one"):
        found = registered_fingerprint(name, folder)
        assert (found.name, found.digests) == ("mine", known(1, "one").digests)
    keyed = registered_fingerprint("mine", folder, "0123456789abcdef")
    assert keyed.sketches is not None
    assert keyed.sketches.key == "0123456789abcdef"


def test_entries_go_where_fingerprints_go(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(registry=folder)
    (pair,) = lineage.compare_models(["registry:mine", "registry:child"], settings=settings)
    assert (pair.first, pair.second, pair.lineage.verdict) == ("mine", "child", "derived")
    monkeypatch.setenv("TENSORGUARD_REGISTRY", str(folder))
    assert families.compare(["registry:mine", "registry:child"]).pairs == (pair,)
    assert [numbers.name for numbers in families.load_vectors(["registry:child"])] == ["child"]


def test_what_is_not_there_is_not_found(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no entry 'mime'") as missing:
        registered_fingerprint("mime", folder)
    assert "'mine'" in missing.value.hint
    with pytest.raises(NotFoundError, match="no entry 'child' under the key 'ff'"):
        registered_fingerprint("child", folder, "ff")
    with pytest.raises(NotFoundError, match="no registry"):
        registered_fingerprint("mine", tmp_path / "none")


def test_an_entry_has_no_weights(folder: Path) -> None:
    with pytest.raises(UsageError, match="reads weights"):
        open_model("registry:mine")
    with pytest.raises(UsageError, match="reads weights"):
        lineage.compare_models(["registry:mine", "registry:child"], deep=True, settings=Settings(registry=folder))
