"""What a model claims against what its weights show, and whether its ancestors' duties are kept."""

from dataclasses import replace
from pathlib import Path

from tensorguard.api.fingerprints import Settings
from tensorguard.api.registry_folder import registered_name
from tensorguard.api.scanning import scan
from tensorguard.fingerprint.file import SUFFIX
from tensorguard.formats.adapter import is_adapter
from tensorguard.licences.audit import Audit
from tensorguard.licences.checks import findings
from tensorguard.licences.claim import Claim
from tensorguard.licences.claims import Claims, read_claims
from tensorguard.licences.declared import Lookup, declared_bases, recorded_origins
from tensorguard.licences.shapes import Shapes, shapes
from tensorguard.probes.rademacher import PUBLIC, Key
from tensorguard.progress import Progress
from tensorguard.registry.opening import open_registry
from tensorguard.sources.places import locate


def check(
    model: Path | str,
    registry: Path | str,
    *,
    name: str | None = None,
    settings: Settings | None = None,
    key: Key = PUBLIC,
    families: Path | str | None = None,
    compared: int | None = None,
    progress: Progress | None = None,
) -> Audit:
    """Hold what a model's own files claim against what its weights show and what its ancestors' licences ask.

    Args:
        model: A model, an adapter, or a `.tgfp` or `registry:NAME` (which claim nothing).
        registry: Folder of the registry.
        name: The name under which the model is or will be published; by default what its files and folder say.
        settings: See `scan`.
        key: See `scan`.
        families: See `scan`.
        compared: How many candidates are compared in full; known models that are declared as bases are always compared.
        progress: Hears how far it is.

    Raises:
        NotFoundError: There is no such model, or no registry.
        InputError: One of them is malformed.
        UsageError: See `scan`.
    """
    settings = settings or Settings()
    claims = _named(_claims(model), name)
    with open_registry(registry) as opened:
        known = Lookup(opened)
        named = (*declared_bases(claims, known), *recorded_origins(claims, known))
        also = list(dict.fromkeys(entry for base in named for entry in base.entries))
        audit = scan(
            model, registry, settings=settings, key=key, families=families, compared=compared, also=also, progress=progress
        )
        found = findings(claims, audit.scan, audit.obligations, known, _shapes(model, settings))
    return replace(audit, claims=claims, findings=found)


def _claims(model: Path | str) -> Claims:
    name = registered_name(model)
    if name is None:
        return read_claims(locate(model))
    return Claims((Claim("name", name, "registry"),), notices=("a fingerprint says nothing of card and licence",))


def _named(claims: Claims, name: str | None) -> Claims:
    """Return the claims with the name that the user gave before all others."""
    return claims if name is None else replace(claims, claims=(Claim("name", name, "--name"), *claims.claims))


def _shapes(model: Path | str, settings: Settings) -> Shapes | None:
    """Return the sizes of the model; an adapter's are its base's, and a fingerprint has no configuration to hold against them."""
    if registered_name(model) is not None or locate(model).suffix == SUFFIX or is_adapter(locate(model)):
        return None
    return shapes(settings.open(model).view(glance=True))
