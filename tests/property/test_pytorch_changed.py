"""Files of torch.save changed at random: read, or refused with one InputError."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from support.torch_files import F32_STORAGE, integer, numbers, tensor, text, torch_bytes
from tensorguard.errors import InputError
from tensorguard.formats.opening import open_checkpoint
from tensorguard.formats.pickle_machine import read_records

REAL = torch_bytes(
    {"a.weight": torch.ones(3, 4), "b": torch.ones(4).half(), "tied": torch.ones(2, 2).t(), "c": torch.tensor(1)}
)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, len(REAL) - 1), st.integers(0, 255)), min_size=1, max_size=8), st.integers(0, len(REAL))
)
def test_a_changed_file_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]], cut: int
) -> None:
    raw = bytearray(REAL)
    for at, value in changes:
        raw[at] = value
    path = tmp_path_factory.getbasetemp() / "changed.bin"
    path.write_bytes(raw if cut % 2 else raw[:cut])
    try:
        checkpoint = open_checkpoint(path)
    except InputError:
        return
    for info in checkpoint.tensors:
        assert 0 <= info.offset <= info.offset + info.nbytes <= len(raw)
        assert info.source.read_at(info.offset, info.nbytes).nbytes == info.nbytes


_OPCODES = [
    *(bytes([code]) for code in b"}])(02N\x88useatRbQ\x85\x86\x87\x94ld"), b"q\x00", b"h\x00", b"K\x05", integer(4), numbers(4, 4),
    text("storage"), text("model"), F32_STORAGE, tensor(), b"ctorch._tensor\n_rebuild_from_type_v2\n", b"ctorch\nTensor\n",
    b"ccollections\nOrderedDict\n", b"ctorch._utils\n_rebuild_parameter\n", b"ctorch\nSize\n", b"ctorch\nfloat32\n",
]  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(_OPCODES), max_size=40))
def test_any_program_is_read_or_refused(program: list[bytes]) -> None:
    try:
        value = read_records(b"\x80\x02" + b"".join(program) + b".", "x")
    except InputError as error:
        where = error.where
    else:
        where = "x" if type(value).__module__ in ("builtins", "tensorguard.formats.pickle_records") else ""
    assert where == "x"
