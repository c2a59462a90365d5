"""Options of the tests."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--add-goldens", action="store_true", help="write the golden fingerprints that tests/golden lacks")
