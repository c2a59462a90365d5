"""SentencePiece models (`tokenizer.model`): the pieces alone.

A protobuf message whose field 1 repeats, once for each token in order of number, a message with the piece's text in field 1.
Layout: https://github.com/google/sentencepiece/blob/master/src/sentencepiece_model.proto; wire format:
https://protobuf.dev/programming-guides/encoding.
"""

from collections.abc import Iterator

from tensorguard.errors import InputError

_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5
_LONGEST_VARINT = 10
"""Bytes of a 64-bit number, seven bits in each."""


def pieces(message: bytes) -> Iterator[bytes]:
    """Yield the text of every piece, in order of their numbers.

    Raises:
        InputError: It is no protobuf message.
    """
    for number, value in _fields(message):
        if number == 1:
            yield next((text for inner, text in _fields(value) if inner == 1), b"")


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield number and content of every field that is a run of bytes."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        wire = tag & 7
        length = {_EIGHT: 8, _FOUR: 4}.get(wire, 0)
        if wire == _VARINT:
            _, at = _varint(message, at)
        elif wire == _BYTES:
            length, at = _varint(message, at)
        elif not length:
            raise InputError(f"no SentencePiece model: a field of type {wire} at byte {at}")
        if length > len(message) - at:
            raise InputError(f"truncated: {length} bytes are wanted at byte {at} of {len(message)}")
        if wire == _BYTES:
            yield tag >> 3, message[at : at + length]
        at += length


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """Return a number of seven bits a byte, lowest first, and where the next field begins."""
    value = 0
    for place, byte in enumerate(message[at : at + _LONGEST_VARINT]):
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return value, at + place + 1
    raise InputError(f"no SentencePiece model: a number without end at byte {at}")
