"""Safetensors: what this parser accepts, the reference accepts and reads alike; what it refuses more is listed here."""

import json
import math
import tempfile
from pathlib import Path

import numpy as np
import safetensors
from hypothesis import given, settings
from hypothesis import strategies as st

from support.containers import entry, safetensors_bytes, write
from tensorguard.errors import InputError
from tensorguard.formats.safetensors import BITS, read_safetensors
from tensorguard.formats.writer import TensorHeader, write_safetensors

NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=12).filter(lambda name: name != "__metadata__")
SHAPES = st.lists(st.integers(0, 5), max_size=4).map(tuple)
DTYPES = st.sampled_from(sorted(name for name, bits in BITS.items() if bits % 8 == 0))


@st.composite
def layouts(draw):
    """A legal header with its tensors' data in one order and their names in another, and the number of data bytes."""
    names = draw(st.lists(NAMES, unique=True, max_size=6))
    reached, header = 0, {}
    for name in names:
        dtype, shape = draw(DTYPES), draw(SHAPES)
        size = BITS[dtype] // 8 * int(np.prod(shape, dtype=int))
        header[name] = entry(dtype, shape, reached, reached + size)
        reached += size
    ordered = {name: header[name] for name in draw(st.permutations(names))}
    if draw(st.booleans()):
        ordered["__metadata__"] = draw(st.dictionaries(NAMES, st.text(st.characters(exclude_categories=["Cs"]), max_size=5)))
    return ordered, reached


def ours(raw):
    """Name -> (dtype, shape, bytes) by this project, or None if it refuses and says of what file."""
    with tempfile.TemporaryDirectory() as folder:
        source = write(Path(folder) / "m", raw)
        try:
            infos = read_safetensors(source).tensors
        except InputError as error:
            return None if error.where == source.name else error
        return {i.name: (i.dtype, list(i.shape), source.read_at(i.offset, i.nbytes).tobytes()) for i in infos}


def theirs(raw):
    """The same by the reference."""
    try:
        found = safetensors.deserialize(raw)
    except safetensors.SafetensorError:
        return None
    return {name: (view["dtype"], view["shape"], bytes(view["data"])) for name, view in found}


@settings(deadline=None)
@given(layouts(), st.randoms())
def test_legal_files_are_read_alike(layout, random):
    header, size = layout
    raw = safetensors_bytes(header, random.randbytes(size))
    assert ours(raw) == theirs(raw) is not None
    assert list(ours(raw)) == [name for name in header if name != "__metadata__"]


VALUES = st.sampled_from(
    [0, 1, 2, 3, 4, 7, 8, 2**31, 2**32, 2**62, 2**64 - 1, 2**64, -1, 1.0, True, None, "F32", "U8", [], {}, [0, 4]]
)


def empty_and_huge(shape):
    """Say whether a shape has a zero beside dimensions whose product passes 2^63 - 1: sometimes legal to the reference alone."""
    return isinstance(shape, list) and 0 in shape and math.prod(n for n in shape if isinstance(n, int) and n > 0) >= 2**63


@settings(deadline=None)
@given(layouts(), st.data())
def test_one_changed_field_is_judged_alike(layout, data):
    header, size = layout
    names = [name for name in header if name != "__metadata__"]
    if names:
        fields = header[data.draw(st.sampled_from(names))]
        key = data.draw(st.sampled_from(sorted(fields)))
        value = data.draw(VALUES)
        place = data.draw(st.integers(0, max(0, len(fields[key]) - 1))) if isinstance(fields[key], list) else 0
        if isinstance(fields[key], list) and fields[key] and data.draw(st.booleans()):
            fields[key][place] = value
        else:
            fields[key] = value
    size = max(0, size + data.draw(st.sampled_from([0, 0, 0, -1, 1, 8])))
    raw = safetensors_bytes(header, bytes(size))
    if not any(empty_and_huge(fields.get("shape")) for fields in header.values()):
        assert ours(raw) == theirs(raw)


def repeats_or_seals(text):
    """Say whether a header repeats a name or describes a tensor by a list: legal to the reference alone."""
    repeated = False

    def pairs(items):
        nonlocal repeated
        repeated |= len({key for key, _ in items}) != len(items)
        return dict(items)

    header = json.loads(text, object_pairs_hook=pairs)
    return repeated or any(isinstance(value, list) for value in header.values())


@settings(max_examples=300, deadline=None)
@given(layouts(), st.data())
def test_changed_bytes_are_judged_alike(layout, data):
    header, size = layout
    text = bytearray(json.dumps(header).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(text)))
        text[place : place + data.draw(st.integers(0, 2))] = data.draw(
            st.sampled_from([b"", b"0", b"-", b"9", b" ", b'"', b",", b"}", b"e", b"\xff"])
        )
    raw = safetensors_bytes(bytes(text), bytes(size))
    mine, reference = ours(raw), theirs(raw)
    assert mine is None or mine == reference
    assert mine is not None or reference is None or repeats_or_seals(text)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_noise_is_refused_and_nothing_else_is_raised(noise):
    assert ours(noise) == theirs(noise)


@settings(deadline=None)
@given(st.lists(st.tuples(DTYPES, SHAPES), max_size=6), st.randoms())
def test_the_writer_and_both_readers_agree(tensors, random):
    headers = [TensorHeader(f"t{i}", dtype, shape) for i, (dtype, shape) in enumerate(tensors)]
    contents = [random.randbytes(header.nbytes) for header in headers]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m"
        write_safetensors(path, headers, ([raw[:3], raw[3:]] for raw in contents))
        raw = path.read_bytes()
    expected = {h.name: (h.dtype, list(h.shape), content) for h, content in zip(headers, contents, strict=True)}
    assert ours(raw) == theirs(raw) == expected
    assert list(ours(raw)) == list(expected)
