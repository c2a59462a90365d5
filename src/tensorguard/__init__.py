"""TensorGuard: tell from the weights alone where a large language model comes from.

The public names, each imported when it is first used:

- `open_model`, `Model`: a checkpoint in any supported container, an adapter applied if it is one
- `fingerprint_model`, `fingerprint_many`, `Settings`, `Specification`, `ProbeSpec`, `Fingerprint`: the paper's 16 numbers
- `read_fingerprint`, `write_fingerprint`: the `.tgfp` file
- `load_vectors`, `compare`, `cluster`, `classify`, `load_clustering`, `save_clustering`: distances and families
- `sensitivity`, `compare_sensitivities`, `SensitivitySettings`: how strongly layers answer
- `merge_many`, `inspect`: one unified file; what a model holds
- `TensorGuardError` and its subclasses: what went wrong, where, and what to do

Nothing here prints, and importing the package imports none of the stages.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tensorguard.api.families import classify, cluster, compare, load_vectors
    from tensorguard.api.fingerprints import Settings, fingerprint_many, fingerprint_model
    from tensorguard.api.models import Model, open_model
    from tensorguard.api.studies import compare_sensitivities, inspect, merge_many, sensitivity
    from tensorguard.errors import (
        InputError,
        NotFoundError,
        PartialError,
        ResourceError,
        TensorGuardError,
        UsageError,
    )
    from tensorguard.family.clustering import load_clustering, save_clustering
    from tensorguard.fingerprint.base import Fingerprint, Outcome
    from tensorguard.fingerprint.file import read_fingerprint, write_fingerprint
    from tensorguard.fingerprint.sensitivity import SensitivitySettings
    from tensorguard.fingerprint.specification import Specification
    from tensorguard.probes.inputs import ProbeSpec

__version__ = "0.1.0"

_HOME = {
    "tensorguard.api.families": ("classify", "cluster", "compare", "load_vectors"),
    "tensorguard.api.fingerprints": ("Settings", "fingerprint_many", "fingerprint_model"),
    "tensorguard.api.models": ("Model", "open_model"),
    "tensorguard.api.studies": ("compare_sensitivities", "inspect", "merge_many", "sensitivity"),
    "tensorguard.errors": (
        "InputError",
        "NotFoundError",
        "PartialError",
        "ResourceError",
        "TensorGuardError",
        "UsageError",
    ),
    "tensorguard.family.clustering": ("load_clustering", "save_clustering"),
    "tensorguard.fingerprint.base": ("Fingerprint", "Outcome"),
    "tensorguard.fingerprint.file": ("read_fingerprint", "write_fingerprint"),
    "tensorguard.fingerprint.sensitivity": ("SensitivitySettings",),
    "tensorguard.fingerprint.specification": ("Specification",),
    "tensorguard.probes.inputs": ("ProbeSpec",),
}
_WHERE = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "Fingerprint",
    "InputError",
    "Model",
    "NotFoundError",
    "Outcome",
    "PartialError",
    "ProbeSpec",
    "ResourceError",
    "SensitivitySettings",
    "Settings",
    "Specification",
    "TensorGuardError",
    "UsageError",
    "classify",
    "cluster",
    "compare",
    "compare_sensitivities",
    "fingerprint_many",
    "fingerprint_model",
    "inspect",
    "load_clustering",
    "load_vectors",
    "merge_many",
    "open_model",
    "read_fingerprint",
    "save_clustering",
    "sensitivity",
    "write_fingerprint",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used (PEP 562)."""
    if name not in _WHERE:
        raise AttributeError(f"module 'tensorguard' has no attribute {name!r}")
    return getattr(importlib.import_module(_WHERE[name]), name)
