"""The golden models, made once. These tests need a plain installation, pytest and jsonschema-rs, and so run in small environments."""

from pathlib import Path

import pytest

from golden.models import KEY, MODELS, save


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the golden models, and the golden key beside them as `key`."""
    folder = tmp_path_factory.mktemp("golden")
    for name in MODELS:
        save(folder / "models", name)
    (folder / "key").write_bytes(KEY)
    return folder / "models"
