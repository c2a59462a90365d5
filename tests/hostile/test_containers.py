"""Every hostile file gives one InputError that names the file, at once and within a few megabytes."""

import pickle
import tracemalloc

import pytest
import safetensors

from support.hostile import GGUF, SAFETENSORS
from tensorguard.errors import InputError
from tensorguard.formats.opening import open_checkpoint

_FEW_MEGABYTES = 16 << 20
_STRICTER = {"tensor twice", "tensor is a list", "nine dimensions", "name of 5000 bytes", "name of 2000 astral letters"}
"""What the reference parser of safetensors lets pass, and this project does not."""


def refused(path, message):
    tracemalloc.start()
    try:
        with pytest.raises(InputError) as caught:
            open_checkpoint(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert message in caught.value.message
    assert caught.value.where == str(path)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1000
    assert peak < _FEW_MEGABYTES
    assert repr(pickle.loads(pickle.dumps(caught.value))) == repr(caught.value)
    return caught.value


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
