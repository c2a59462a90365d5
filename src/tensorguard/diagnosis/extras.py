"""Which optional packages are installed, and what the others would add."""

import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from tensorguard.diagnosis.base import Extra

DISTRIBUTION = "tensorguard-llm"

ADDS = {
    "gpu": "matrix products on an NVIDIA card: --device cuda",
    "ray": "many machines: --engine ray",
    "object": "models, fingerprints and registries on object storage: s3://, gs://, az://",
    "serve": "the local page and the HTTP interface: tensorguard serve",
    "metrics": "metrics of long runs for Prometheus: --metrics-port, --metrics-file",
    "otel": "traces of runs for OpenTelemetry",
    "demo": "the demonstration of a source checkout: make demo",
}
"""What each extra is for."""

DEVELOPERS = frozenset({"compat", "fuzz", "test"})
"""Extras that only who works on TensorGuard needs."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_EXTRA = re.compile(r"""extra\s*==\s*['"]([^'"]+)['"]""")


def extras() -> tuple[Extra, ...]:
    """Return the extras of the installed distribution, those of its developers apart; none where it was not installed."""
    try:
        found = distribution(DISTRIBUTION)
    except PackageNotFoundError:
        return ()
    names = [name for name in found.metadata.get_all("Provides-Extra") or [] if name not in DEVELOPERS]
    return tuple(Extra(name, ADDS.get(name, "see the documentation"), _missing(found, name)) for name in names)


def _missing(found: Distribution, extra: str) -> tuple[str, ...]:
    missing = []
    for requirement in found.requires or []:
        condition, name = _EXTRA.search(requirement), _NAME.match(requirement)
        if condition is None or name is None or condition[1] != extra:
            continue
        try:
            distribution(name[0])
        except PackageNotFoundError:
            missing.append(name[0])
    return tuple(missing)
