from tensorguard.probes.anchors import ANCHOR_IDS, ANCHOR_WORDS, anchor_tokens
from tensorguard.probes.rademacher import PUBLIC, Key

SECRET = Key(b"sixteen secret bytes")


def test_public_anchors_are_words_then_numbers() -> None:
    words = list(range(1000, 1000 + len(ANCHOR_WORDS)))
    assert anchor_tokens(PUBLIC, words) == [*words, *ANCHOR_IDS]
    assert anchor_tokens(PUBLIC, ()) == [*[None] * len(ANCHOR_WORDS), *ANCHOR_IDS]


def test_a_key_draws_different_tokens_of_its_own_whatever_the_vocabulary() -> None:
    drawn = anchor_tokens(SECRET, ())
    assert drawn == anchor_tokens(SECRET, list(range(len(ANCHOR_WORDS))))
    assert len(set(drawn)) == len(ANCHOR_WORDS) + len(ANCHOR_IDS)
    assert all(token is not None and 260 <= token < 30_000 for token in drawn)
    other = anchor_tokens(Key(b"sixteen secret bytez"), ())
    assert len(set(drawn) & set(other)) < len(drawn) / 2


def test_common_tokens_are_drawn_more_often() -> None:
    drawn = [token for number in range(50) for token in anchor_tokens(Key(b"key %012d" % number), ()) if token is not None]
    low = sum(token < 2793 for token in drawn) / len(drawn)  # the middle on a scale of logarithms
    assert 0.45 < low < 0.55
