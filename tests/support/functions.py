"""Functions that worker processes can import."""

import numpy as np
from threadpoolctl import threadpool_info

from tensorguard.errors import InputError


def square(number: int) -> int:
    return number * number


def refuse_seven(number: int) -> int:
    if number == 7:
        raise InputError("seven", where="file", hint="not seven")
    return number


def blas_threads(size: int) -> int:
    """Return how many threads BLAS may use here, after it was loaded and used."""
    np.ones((size + 1, size + 1)) @ np.ones((size + 1, 1))
    return max(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")
