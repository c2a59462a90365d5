"""A command line, and small models to give it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.checkpoints import bert, gpt2, llama, phi3, save, save_gguf
from support.commands import Answer, CommandLine
from support.hub_server import Hub, serving
from support.kin import write
from support.kin_registry import make
from tensorguard.sources import hub as hubs
from tensorguard.sources import retries


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(capsys)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models: three of llama's shape, one in GGUF, one each of GPT-2's, BERT's and Phi-3's."""
    root = tmp_path_factory.mktemp("models")
    for seed, name in enumerate(("alpaca", "llama", "vicuna")):
        save(root / name, llama(seed))
    save_gguf(root / "guanaco" / "guanaco.gguf", llama(), "llama")
    save(root / "gpt2", gpt2(), "gpt2")
    save(root / "bert", bert(), "bert")
    save(root / "phi3", phi3(), "phi3")
    return root


@pytest.fixture
def hub(models: Path, kin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub that serves these models and the kin as `org/NAME`; the working directory is an empty one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(retries, "sleep", lambda _: None)
    monkeypatch.setenv("TENSORGUARD_ALLOW_PRIVATE", "1")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    hubs._listed.cache_clear()
    with serving({f"org/{folder.name}": folder for folder in (*models.iterdir(), *kin.iterdir()) if folder.is_dir()}) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        yield served


@pytest.fixture(scope="session")
def fingerprints(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Their fingerprints."""
    from tensorguard.api.many import fingerprint_many

    folder = tmp_path_factory.mktemp("fingerprints")
    assert all(outcome.error is None for outcome in fingerprint_many(sorted(models.iterdir()), folder, workers=1))
    return folder


@pytest.fixture(scope="session")
def kin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of related models and a stranger; see `support.kin`."""
    return write(tmp_path_factory.mktemp("kin"))


@pytest.fixture(scope="session")
def prints(kin: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Their fingerprints."""
    from tensorguard.api.many import fingerprint_many

    folder = tmp_path_factory.mktemp("prints")
    assert all(outcome.error is None for outcome in fingerprint_many(sorted(kin.iterdir()), folder, workers=1))
    return folder


@pytest.fixture(scope="session")
def registry(prints: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry that takes the base for Llama 3.2, its fine-tunes for somebody's, and a stranger for Mistral's; not to be changed."""
    return make(tmp_path_factory.mktemp("known") / "registry", prints)


@pytest.fixture
def scan(cli: CommandLine, registry: Path) -> Callable[..., Answer]:
    """The command, with this registry."""
    return lambda model, *more: cli("scan", model, "--registry", registry, *more)
