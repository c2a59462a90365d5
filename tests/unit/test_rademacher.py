"""Probes of signs: the same numbers for ever, whatever the width, and nothing told of a secret."""

import hashlib

import numpy as np
import pytest
import scipy.linalg

from tensorguard.probes.bits import raw
from tensorguard.probes.rademacher import FIXED, PUBLIC, RESPONSE, Key, fixed_basis, response_inputs, response_rows, signs

SECRET = Key(b"sixteen secret bytes")

GOLDEN_WORDS = ["0xdf2b51872c25db2a", "0x17ec0cd7e65f6014", "0x5587bdfb3553edac"]
GOLDEN_SECRET_WORDS = ["0xeb273fc00c14f2e6", "0x17fae34bc72bf24a", "0x48432e924e26b6da"]
GOLDEN_INPUTS = "+-+-+--+-+------"
GOLDEN_ROW = "+++----+---+-+-+---+-+++----+-++-+++---+---+-++---++--+-+--+----"
GOLDEN_BASIS = [-0.072025076, -0.030558944, 0.097973928, -0.070124641]
GOLDEN_SECRET_BASIS = [0.015094595, -0.015271884, 0.013949193, -0.015313028]


def test_golden_words_and_signs() -> None:
    assert [hex(word) for word in PUBLIC.words("lineage/basis", 3)] == GOLDEN_WORDS
    assert [hex(word) for word in SECRET.words("lineage/basis", 3)] == GOLDEN_SECRET_WORDS
    assert "".join("-+"[int(sign > 0)] for sign in response_inputs(PUBLIC, 8)[7]) == GOLDEN_INPUTS
    assert "".join("-+"[int(sign > 0)] for sign in response_rows(PUBLIC, 1000, 1001)[0]) == GOLDEN_ROW


def test_golden_basis() -> None:
    assert fixed_basis(PUBLIC, 128)[5, :4].tolist() == pytest.approx(GOLDEN_BASIS, abs=1e-7)
    assert fixed_basis(SECRET, 4096)[4095, :4].tolist() == pytest.approx(GOLDEN_SECRET_BASIS, abs=1e-7)


def test_bit_c_of_a_word_is_column_c() -> None:
    words = PUBLIC.words("lineage/basis", 50)
    expected = [[1.0 if int(word) >> (3 + c) & 1 else -1.0 for c in range(20)] for word in words]
    found = signs(words, 3, 20)
    assert found.dtype == np.float32
    assert found.tolist() == expected


def test_a_wider_layer_keeps_its_prefix() -> None:
    for key in (PUBLIC, SECRET):
        assert np.array_equal(response_inputs(key, 300)[:77], response_inputs(key, 77))
        everything = response_rows(key, 0, 200)
        assert everything.shape == (200, RESPONSE[0])
        for start, stop in ((0, 200), (1, 2), (3, 61), (199, 200), (50, 50)):
            assert np.array_equal(response_rows(key, start, stop), everything[start:stop])


@pytest.mark.parametrize("width", [33, 34, 100, 2048])
def test_the_basis_is_orthonormal_and_spans_the_centred_signs(width: int) -> None:
    basis = fixed_basis(PUBLIC, width).astype(np.float64)
    assert np.abs(basis.T @ basis - np.eye(FIXED)).max() < 2e-6
    assert np.abs(basis.sum(0)).max() < 1e-4
    X = signs(PUBLIC.words("lineage/basis", width), 0, FIXED).astype(np.float64)
    X -= X.mean(0)
    if width > 2 * FIXED:  # X^T X is well conditioned
        assert np.abs(basis - X @ np.linalg.inv(scipy.linalg.sqrtm(X.T @ X).real)).max() < 1e-6
    assert np.abs(basis @ (basis.T @ X) - X).max() < 1e-3


def test_a_narrow_layer_has_a_basis_of_its_own_rank() -> None:
    basis = fixed_basis(PUBLIC, 8).astype(np.float64)
    assert np.abs(basis @ basis.T - (np.eye(8) - 1 / 8)).max() < 1e-5
    assert fixed_basis(PUBLIC, 0).shape == (0, FIXED)


def test_cached_probes_cannot_be_changed() -> None:
    for array in (fixed_basis(PUBLIC, 40), response_inputs(PUBLIC, 40)):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 2


def test_columns_and_keys_are_uncorrelated() -> None:
    inputs, rows, other = response_inputs(PUBLIC, 4096), response_rows(PUBLIC, 0, 4096), response_inputs(SECRET, 4096)
    joint = np.hstack([signs(PUBLIC.words("lineage/basis", 4096), 0, FIXED), inputs, rows, other])
    assert set(np.unique(joint)) == {-1.0, 1.0}
    cosines = joint.T @ joint / 4096 - np.eye(joint.shape[1])
    assert np.abs(cosines).max() < 6 / 64


def test_a_secret_key_is_blake2_of_the_stream() -> None:
    digest = hashlib.blake2b(b"lineage/rows", key=hashlib.blake2b(SECRET.secret).digest(), digest_size=16).digest()
    expected = raw(int.from_bytes(digest[:8], "little"), digest[8:].hex(), 0, 9)
    assert np.array_equal(SECRET.words("lineage/rows", 6, 3), expected[3:])


def test_the_identity_tells_keys_apart_and_shows_neither() -> None:
    other = Key(b"sixteen secret bytez")
    assert PUBLIC.identity() == "public"
    assert len({PUBLIC.identity(), SECRET.identity(), other.identity()}) == 3
    assert SECRET.identity() == Key(b"sixteen secret bytes").identity()
    assert set(SECRET.identity()) <= set("0123456789abcdef")
    assert "secret" not in f"{SECRET!r}{SECRET}{SECRET.identity()}"
    assert not np.array_equal(fixed_basis(SECRET, 64), fixed_basis(other, 64))
