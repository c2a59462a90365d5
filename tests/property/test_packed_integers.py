"""Integers of variable length, decoded piece by piece, are those that were written, whatever the pieces."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.packed_files import Memory
from support.protobuf import varint
from tensorguard.formats import onnx_tensors
from tensorguard.formats.onnx_tensors import PackedIntegers


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(-200, 200), max_size=60), piece=st.integers(10, 200))
def test_they_come_back(monkeypatch: pytest.MonkeyPatch, values: list[int], piece: int) -> None:
    monkeypatch.setattr(onnx_tensors, "_PIECE", piece)
    raw = b"".join(varint(value % 2**64) for value in values)
    for width in (1, 2, 4, 8):
        found = PackedIntegers(Memory(raw), 0, len(raw), len(values), width).read_at(0, len(values) * width)
        meant = np.array(values, np.int64).view(np.uint8).reshape(-1, 8)[:, :width].reshape(-1)
        assert np.array_equal(found, meant)
