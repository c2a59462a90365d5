"""Letters made one: as Unicode says for words of any language, and in pieces for what is no text."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from tensorguard.licences.letters import unified

SENTENCES = "Ｌｌａｍａ ３ ﬁne-tuned Tie\u0302\u0301ng Viê\u0323t \u1100\u1161\u11a8 ｶﾞ ℌ①\n\u0301x\t½"


def test_texts_of_people_are_in_form_nfkc() -> None:
    for text in (SENTENCES, SENTENCES * 100, "\n".join([SENTENCES] * 50), "plain"):
        assert unified(text) == unicodedata.normalize("NFKC", text)


@given(st.text(max_size=400))
def test_a_short_line_is_in_form_nfkc(text: str) -> None:
    assert unified(text) == unicodedata.normalize("NFKC", text)


def test_marks_without_end_are_put_in_order_piece_by_piece() -> None:
    marks = "a" + "\u0300\u0316" * 2000
    assert unified(marks) != unicodedata.normalize("NFKC", marks)
    assert len(unified(marks)) >= len(marks) - 1
    assert unified("x " + marks).startswith("x ")
