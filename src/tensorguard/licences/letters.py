"""Letters that Unicode calls compatible, made one: so that no licence's words are hidden by how they are spelt."""

import re
import unicodedata

_PIECE = re.compile(r".{1,500}(?!\S)|.{1,500}")
"""A line, or as much of a long one as ends before a blank."""


def unified(text: str) -> str:
    """Return a text in Unicode's form NFKC (UAX #15).

    Piece by piece, because marks on one letter are put in order in the square of their number: a megabyte of them would take an hour.
    Pieces end where nothing combines, but in runs of five hundred characters without a blank.
    """
    if text.isascii():
        return text
    return _PIECE.sub(lambda piece: unicodedata.normalize("NFKC", piece[0]), text)
