"""A Ray cluster of two processors in this process' keeping."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_TESTS = Path(__file__).parents[1]
_SETTINGS = {
    "PYTHONPATH": os.pathsep.join([str(_TESTS / "support" / "beside_ray"), str(_TESTS), str(_TESTS.parent)]),
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_agent_register_timeout_ms": "120000",  # of a machine that has other things to do
    "RAY_raylet_start_wait_time_s": "120",
    "RAY_health_check_timeout_ms": "60000",
    "RAY_health_check_failure_threshold": "20",
    "RAY_DEDUP_LOGS_SKIP_REGEX": "^",
    "OMP_NUM_THREADS": "2",  # of its workers, which have to pin them
}


@contextmanager
def cluster() -> Iterator[None]:
    """Start one, and end it."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in _SETTINGS.items():
            patch.setenv(name, value)
        patch.setitem(sys.modules, "rfc3987_syntax", None)
        import ray

        ray.init(
            "local",
            num_cpus=2,
            object_store_memory=80_000_000,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="ERROR",
            configure_logging=False,
        )
        try:
            yield
        finally:
            ray.shutdown()
