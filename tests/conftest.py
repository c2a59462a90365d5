"""Options of the tests."""

import gc
import os

import pytest

# Small matrices gain nothing from several threads of BLAS, and those of xdist's workers and of forked children wait for each other.
# That engines limit these threads themselves is tested with more of them: tests/contract/test_engines.py, property/test_weights_alone.py.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--add-goldens", action="store_true", help="write the golden fingerprints that tests/golden lacks")


def pytest_collection() -> None:
    """Nothing that is imported to collect tests is garbage, so nothing is looked for."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Neither is it afterwards: collections look at what tests made, not at a million objects of libraries."""
    gc.freeze()
    gc.enable()
