"""A command line, and small models to give it."""

from pathlib import Path

import pytest

from support.checkpoints import bert, gpt2, llama, phi3, save, save_gguf
from support.commands import CommandLine
from support.kin import write


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


@pytest.fixture(scope="session")
def fingerprints(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Their fingerprints."""
    from tensorguard.api.fingerprints import fingerprint_many

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
    from tensorguard.api.fingerprints import fingerprint_many

    folder = tmp_path_factory.mktemp("prints")
    assert all(outcome.error is None for outcome in fingerprint_many(sorted(kin.iterdir()), folder, workers=1))
    return folder
