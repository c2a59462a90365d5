"""What every hostile file deserves."""

import pickle
import tracemalloc
from pathlib import Path

import pytest

from tensorguard.errors import InputError
from tensorguard.formats.opening import open_checkpoint


def refusal(path: Path, said: str, most: int = 16 << 20) -> InputError:
    """The one error of a hostile file: short, printable, picklable, with these words, and raised within `most` bytes of memory."""
    tracemalloc.start()
    try:
        with pytest.raises(InputError) as caught:
            open_checkpoint(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert said in caught.value.message
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1000
    assert peak < most
    assert repr(pickle.loads(pickle.dumps(caught.value))) == repr(caught.value)
    return caught.value
