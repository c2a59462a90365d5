import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tensorguard.probes.bits import choices, normals, raw

GOLDEN_RAW = [7951284130760318610, 13399064729517445968, 2845679973846463478]
GOLDEN_NORMALS = [-0.19195464377187926, -1.2830675335357387, -1.567882167147668, 1.1313342488130254]


def test_golden_vectors_never_change() -> None:
    assert raw(0, "paper/base", 0, 3).tolist() == GOLDEN_RAW
    np.testing.assert_allclose(normals(0, "paper/base", 0, 4), GOLDEN_NORMALS, rtol=1e-12)


def test_raw_is_philox_4x64_10_itself() -> None:
    """The published known-answer vector of Random123 for philox4x64-10 with counter and key zero."""
    generator = np.random.Philox(key=np.zeros(2, np.uint64), counter=np.array([2**64 - 1] * 4, np.uint64))
    assert [f"{word:016x}" for word in generator.random_raw(4)] == [
        "16554d9eca36314c",
        "db20fe9d672d0fdc",
        "d7e772cee186176b",
        "7e68b68aec7ba23b",
    ]


@given(st.integers(0, 2**64 - 1), st.integers(0, 1000), st.integers(1, 200), st.integers(0, 100))
def test_longer_vectors_keep_their_prefix(seed: int, row: int, count: int, more: int) -> None:
    short, long = normals(seed, "s", row, count), normals(seed, "s", row, count + more)
    np.testing.assert_array_equal(short, long[:count])


def test_normals_are_normal_and_rows_and_streams_differ() -> None:
    first = normals(1, "a", 0, 100_000)
    assert stats.kstest(first, "norm").pvalue > 1e-4
    for other in (normals(1, "a", 1, 100_000), normals(1, "b", 0, 100_000), normals(2, "a", 0, 100_000)):
        assert abs(np.corrcoef(first, other)[0, 1]) < 0.02


def test_choices_cover_all_options_evenly() -> None:
    counts = np.bincount(choices(0, "c", 50_000, 5), minlength=5)
    assert stats.chisquare(counts).pvalue > 1e-4
