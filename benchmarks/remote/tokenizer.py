"""A made-up `tokenizer.json` of the usual size: byte-level BPE with the words that people use, and other text up to its length."""

import json
from functools import lru_cache

from tensorguard.probes.anchors import ANCHOR_WORDS

_FIRST_WORD = 256
"""Bytes come first."""


@lru_cache(maxsize=4)
def tokenizer(vocabulary: int, length: int) -> bytes:
    """Return the file: `vocabulary` tokens, and merges until it is about `length` bytes long."""
    named = ["Ġ" + word for word in ANCHOR_WORDS]
    tokens = [f"<{number}>" for number in range(_FIRST_WORD)] + named
    tokens += [_text(number) for number in range(vocabulary - len(tokens))]
    vocab = {token: number for number, token in enumerate(tokens)}
    spent = len(json.dumps(vocab, ensure_ascii=False).encode())
    merges: list[str] = []
    while spent < length:
        number = len(merges)
        merges.append(f"{tokens[number % vocabulary]} {tokens[number * 7 % vocabulary]}")
        spent += len(merges[-1].encode()) + 4
    document = {"version": "1.0", "model": {"type": "BPE", "vocab": vocab, "merges": merges}}
    return json.dumps(document, ensure_ascii=False).encode()


def _text(number: int) -> str:
    """Return a text of letters of its own for every number; every other one begins a word."""
    letters, rest = [], number // 2 + 26**3
    while rest:
        rest, digit = divmod(rest, 26)
        letters.append(chr(ord("a") + digit))
    return ("Ġ" if number % 2 else "") + "".join(letters)
