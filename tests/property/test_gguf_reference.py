"""GGUF: legal files are read as the `gguf` package reads them, and no change of bytes raises anything but InputError."""

import tempfile
from pathlib import Path

import gguf
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from support.containers import write
from tensorguard.errors import InputError
from tensorguard.formats.gguf import read_gguf

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
SHAPES = st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple)
DTYPES = st.sampled_from([np.float32, np.float16, np.float64, np.int8, np.int16, np.int32, np.int64])
PAIRS = st.dictionaries(
    NAMES.filter(lambda name: not name.startswith("general.")),
    st.one_of(st.integers(0, 2**32 - 1), st.booleans(), NAMES, st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=5)),
    max_size=5,
)


def build(path, pairs, tensors):
    writer = gguf.GGUFWriter(path, "llama")
    for key, value in pairs.items():
        if isinstance(value, bool):
            writer.add_bool(key, value)
        elif isinstance(value, int):
            writer.add_uint32(key, value)
        elif isinstance(value, str):
            writer.add_string(key, value)
        else:
            writer.add_array(key, value)
    for name, (dtype, shape) in tensors.items():
        writer.add_tensor(name, np.ones(shape, dtype))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@settings(max_examples=50, deadline=None)
@given(PAIRS, st.dictionaries(NAMES, st.tuples(DTYPES, SHAPES), max_size=4))
def test_legal_files_are_read_alike(pairs, tensors):
    with tempfile.TemporaryDirectory() as folder:
        path = build(Path(folder) / "m.gguf", pairs, tensors)
        header, reference = read_gguf(write(path, path.read_bytes())), gguf.GGUFReader(path)
        assert pairs.items() <= header.config.items()
        assert [(i.name, i.offset, i.nbytes) for i in header.tensors] == [
            (t.name, t.data_offset, t.n_bytes) for t in reference.tensors
        ]
        for info, tensor in zip(header.tensors, reference.tensors, strict=True):
            assert info.shape == tensors[info.name][1]
            assert info.source.read_at(info.offset, info.nbytes).tobytes() == tensor.data.tobytes()


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_changed_bytes_are_read_or_refused(data):
    with tempfile.TemporaryDirectory() as folder:
        path = build(
            Path(folder) / "m.gguf", {"k": 7, "s": "text", "a": [1, 2, 3]}, {"t": (np.float32, (2, 3)), "u": (np.int8, (5,))}
        )
        raw = bytearray(path.read_bytes())
        for _ in range(data.draw(st.integers(1, 4))):
            raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
        raw = raw[: data.draw(st.integers(len(raw) - 40, len(raw)))] if data.draw(st.booleans()) else raw
        source = write(path, bytes(raw))
        try:
            tensors, where = read_gguf(source).tensors, source.name
        except InputError as error:
            tensors, where = (), error.where
        assert where == source.name
        assert all(0 <= info.offset <= info.offset + info.nbytes <= source.size for info in tensors)
        assert len({info.name for info in tensors}) == len(tensors)
