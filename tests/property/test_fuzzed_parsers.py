"""Every parser that benchmarks/fuzz knows, on its seeds and on changed ones: refused or read, nothing else, nothing outside its folder."""

import shutil
from collections.abc import Iterator
from random import Random

import pytest

from benchmarks.fuzz.catalogue import HARNESSES
from benchmarks.fuzz.containers import FOLDER
from benchmarks.fuzz.harness import Harness, joined, parted
from tensorguard.errors import TensorGuardError

SLOW = {"compare", "rows", "request", "tgfp", "merge", "inspect", "archive", "folder", "torch", "zip", "pickle"}
"""Left to the fuzzer; those after `rows` and `request` take torch, and tests of their own change the same files."""


@pytest.fixture(scope="module", autouse=True)
def clean() -> Iterator[None]:
    yield
    shutil.rmtree(FOLDER.parent, ignore_errors=True)


@pytest.mark.parametrize("harness", [each for each in HARNESSES if each.name not in SLOW], ids=lambda each: each.name)
def test_changed_inputs_are_read_or_refused(harness: Harness) -> None:
    assert harness.mutate
    random, tried, refused, read = Random(harness.name), 0, 0, 0
    seeds = list(harness.seeds())[::-1]
    for seed in seeds[:: max(1, len(seeds) // 12)]:
        data = seed
        for _ in range(6):
            tried += 1
            try:
                harness.run(data)
                read += 1
            except TensorGuardError as error:
                refused += str(error).isprintable()
            data = harness.mutate(seed, random)
    assert read
    assert refused + read == tried


def test_files_in_one_input_come_apart_again() -> None:
    parts = {"a.json": b"{}", "b\u00e9": b"", "c": b"\n== x\n\x00"}
    assert parted(joined(parts)) == parts
    assert parted(b"\n=== ../x\ny\n=== ..\nz\n=== ok\n1") == {"ok": b"1"}
