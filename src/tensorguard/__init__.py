"""TensorGuard: tell from the weights alone where a large language model comes from.

The public names, each imported when it is first used:

- `scan`, `check`: what a model is derived from and what that obliges to, and whether that is what it claims, as an `Audit` (of a `Scan`
  with its `Relative`s, of each `Obligation` and each `Finding`)
- `Registry`: known models, an `Entry` with its `Facts` for each, and a `Hit` for each that a search finds; `add_models` adds models,
  as `Adding` says, and tells what became of each, as `Added`; `registry_folder`: where the user's own is
- `open_model`: a checkpoint in any supported container, an adapter applied if it is one, as a `Model`
- `fingerprint_model`, `fingerprint_many`: the paper's 16 numbers as a `Fingerprint`, by `Settings` (of a `Specification` with its
  `ProbeSpec`); a `FingerprintOutcome` for each of many
- `read_fingerprint`, `write_fingerprint`: the `.tgfp` file
- `compare_models`, `find_parents`, `tree`: how models are related, as `Pair` (with its `Lineage` and, if asked for, `Deep`), what a
  merge is made of, as `Mixture`, and the family tree, as `Tree`
- `load_vectors`, `compare`, `cluster`, `classify`, `load_clustering`, `save_clustering`: distances and families, as `FeatureVector`,
  `Similarity`, `Clustering` (with a `StrategyResult` for each rival) and `Classification`
- `sensitivity`, `compare_sensitivities`: how strongly layers answer what `SensitivitySettings` ask, as `SensitivityAnalysis` and
  `SensitivityComparison`
- `merge_many`: one unified file, a `MergeOutcome` for each model; `inspect`: what a model holds, as `Inventory`
- `Progress`: who wants to hear how far long work is
- `TensorGuardError` and its subclasses: what went wrong, where, and what to do

Nothing here prints, and importing the package imports none of the stages.
"""

import importlib
from typing import TYPE_CHECKING, Any

from tensorguard.version import __version__ as __version__

if TYPE_CHECKING:
    from tensorguard.api.checking import check
    from tensorguard.api.families import Comparison, classify, cluster, compare, load_vectors
    from tensorguard.api.fingerprints import Settings, fingerprint_model
    from tensorguard.api.inspecting import Inspected, inspect
    from tensorguard.api.lineage import compare_models, find_parents, tree
    from tensorguard.api.many import fingerprint_many
    from tensorguard.api.models import Model, open_model
    from tensorguard.api.registry import Adding, add_models
    from tensorguard.api.registry_folder import registry_folder
    from tensorguard.api.scanning import scan
    from tensorguard.api.studies import compare_sensitivities, merge_many, sensitivity
    from tensorguard.errors import InputError, NotFoundError, PartialError, ResourceError, TensorGuardError, UsageError
    from tensorguard.family.classify import Classification
    from tensorguard.family.clustering import Clustering, load_clustering, save_clustering
    from tensorguard.family.comparison import StrategyResult
    from tensorguard.family.sensitivity import SensitivityAnalysis
    from tensorguard.family.sensitivity_comparison import SensitivityComparison
    from tensorguard.family.similarity import Similarity
    from tensorguard.fingerprint.base import Fingerprint
    from tensorguard.fingerprint.features import FeatureVector
    from tensorguard.fingerprint.file import read_fingerprint, write_fingerprint
    from tensorguard.fingerprint.outcome import FingerprintOutcome
    from tensorguard.fingerprint.sensitivity import SensitivitySettings
    from tensorguard.fingerprint.specification import Specification
    from tensorguard.inspection.base import Inspection, Inventory
    from tensorguard.licences.audit import Audit, Finding
    from tensorguard.licences.obligations import Obligation
    from tensorguard.lineage.deep.base import Deep
    from tensorguard.lineage.identity import Identity, compare_identity
    from tensorguard.lineage.mixture import Mixture
    from tensorguard.lineage.pair import Pair
    from tensorguard.lineage.scan import Relative, Scan
    from tensorguard.lineage.tree import Tree
    from tensorguard.lineage.verdict import Lineage
    from tensorguard.merge.outcome import MergeOutcome
    from tensorguard.probes.inputs import ProbeSpec
    from tensorguard.progress import Progress
    from tensorguard.registry.entry import Entry, Facts, Hit
    from tensorguard.registry.outcome import Added
    from tensorguard.registry.registry import Registry

_HOME = {
    "tensorguard.api.checking": ("check",),
    "tensorguard.api.families": ("Comparison", "classify", "cluster", "compare", "load_vectors"),
    "tensorguard.api.fingerprints": ("Settings", "fingerprint_model"),
    "tensorguard.api.inspecting": ("Inspected", "inspect"),
    "tensorguard.api.lineage": ("compare_models", "find_parents", "tree"),
    "tensorguard.api.many": ("fingerprint_many",),
    "tensorguard.api.models": ("Model", "open_model"),
    "tensorguard.api.registry": ("Adding", "add_models"),
    "tensorguard.api.registry_folder": ("registry_folder",),
    "tensorguard.api.scanning": ("scan",),
    "tensorguard.api.studies": ("compare_sensitivities", "merge_many", "sensitivity"),
    "tensorguard.errors": ("InputError", "NotFoundError", "PartialError", "ResourceError", "TensorGuardError", "UsageError"),
    "tensorguard.family.classify": ("Classification",),
    "tensorguard.family.clustering": ("Clustering", "load_clustering", "save_clustering"),
    "tensorguard.family.comparison": ("StrategyResult",),
    "tensorguard.family.sensitivity": ("SensitivityAnalysis",),
    "tensorguard.family.sensitivity_comparison": ("SensitivityComparison",),
    "tensorguard.family.similarity": ("Similarity",),
    "tensorguard.fingerprint.base": ("Fingerprint",),
    "tensorguard.fingerprint.features": ("FeatureVector",),
    "tensorguard.fingerprint.file": ("read_fingerprint", "write_fingerprint"),
    "tensorguard.fingerprint.outcome": ("FingerprintOutcome",),
    "tensorguard.fingerprint.sensitivity": ("SensitivitySettings",),
    "tensorguard.fingerprint.specification": ("Specification",),
    "tensorguard.licences.audit": ("Audit", "Finding"),
    "tensorguard.licences.obligations": ("Obligation",),
    "tensorguard.inspection.base": ("Inspection", "Inventory"),
    "tensorguard.lineage.deep.base": ("Deep",),
    "tensorguard.lineage.identity": ("Identity", "compare_identity"),
    "tensorguard.lineage.mixture": ("Mixture",),
    "tensorguard.lineage.pair": ("Pair",),
    "tensorguard.lineage.scan": ("Relative", "Scan"),
    "tensorguard.lineage.tree": ("Tree",),
    "tensorguard.lineage.verdict": ("Lineage",),
    "tensorguard.merge.outcome": ("MergeOutcome",),
    "tensorguard.probes.inputs": ("ProbeSpec",),
    "tensorguard.progress": ("Progress",),
    "tensorguard.registry.entry": ("Entry", "Facts", "Hit"),
    "tensorguard.registry.outcome": ("Added",),
    "tensorguard.registry.registry": ("Registry",),
}
_WHERE = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "Added",
    "Adding",
    "Audit",
    "Classification",
    "Clustering",
    "Comparison",
    "Deep",
    "Entry",
    "Facts",
    "FeatureVector",
    "Finding",
    "Fingerprint",
    "FingerprintOutcome",
    "Hit",
    "Identity",
    "InputError",
    "Inspected",
    "Inspection",
    "Inventory",
    "Lineage",
    "MergeOutcome",
    "Mixture",
    "Model",
    "NotFoundError",
    "Obligation",
    "Pair",
    "PartialError",
    "ProbeSpec",
    "Progress",
    "Registry",
    "Relative",
    "ResourceError",
    "Scan",
    "SensitivityAnalysis",
    "SensitivityComparison",
    "SensitivitySettings",
    "Settings",
    "Similarity",
    "Specification",
    "StrategyResult",
    "TensorGuardError",
    "Tree",
    "UsageError",
    "add_models",
    "check",
    "classify",
    "cluster",
    "compare",
    "compare_identity",
    "compare_models",
    "compare_sensitivities",
    "find_parents",
    "fingerprint_many",
    "fingerprint_model",
    "inspect",
    "load_clustering",
    "load_vectors",
    "merge_many",
    "open_model",
    "read_fingerprint",
    "registry_folder",
    "save_clustering",
    "scan",
    "sensitivity",
    "tree",
    "write_fingerprint",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used (PEP 562)."""
    if name not in _WHERE:
        raise AttributeError(f"module 'tensorguard' has no attribute {name!r}")
    return getattr(importlib.import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
