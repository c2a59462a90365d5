"""Every hostile file gives one InputError that names the file, at once and within a few megabytes."""

import pytest
import safetensors

from support.hostile import GGUF, SAFETENSORS
from support.refusing import refusal

_STRICTER = {"tensor twice", "tensor is a list", "nine dimensions", "name of 5000 bytes", "name of 2000 astral letters"}
"""What the reference parser of safetensors lets pass, and this project does not."""


def refused(path, message):
    error = refusal(path, message)
    assert error.where == str(path)
    return error


@pytest.mark.parametrize("name", SAFETENSORS)
def test_safetensors(tmp_path, name):
    raw, message = SAFETENSORS[name]
    (tmp_path / "model.safetensors").write_bytes(raw)
    assert refused(tmp_path / "model.safetensors", message).hint
    if name in _STRICTER:
        assert safetensors.deserialize(raw)
    else:
        with pytest.raises(safetensors.SafetensorError):
            safetensors.deserialize(raw)


@pytest.mark.parametrize("name", GGUF)
def test_gguf(tmp_path, name):
    raw, message = GGUF[name]
    (tmp_path / "model.gguf").write_bytes(raw)
    assert refused(tmp_path / "model.gguf", message).hint
