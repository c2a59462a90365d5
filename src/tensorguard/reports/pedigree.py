"""A relative's place in a pedigree, how sure that is, and the numbers it rests on: what every form of bill of materials asks for."""

import re
import uuid
from collections.abc import Mapping
from typing import Literal

from packageurl import PackageURL

from tensorguard.errors import quote, utf8
from tensorguard.licences.obligations import Obligation
from tensorguard.lineage.scan import Relative, Scan
from tensorguard.registry.entry import Entry

Place = Literal["ancestor", "descendant", "variant"]

LEAST_DOUBT = 1e-6
"""No p-value makes a link surer than this: it is the level at which models count as linked."""

_REPOSITORY = re.compile(r"(?=[.-]*\w)([\w.-]{1,96})/(?=[.-]*\w)([\w.-]{1,96})", re.ASCII)
_REVISION = re.compile(r"[\w./-]{1,250}", re.ASCII)

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://arxiv.org/abs/2506.01631")


def place(scan: Scan, relative: Relative) -> Place | None:
    """Return what a relative is to the model in question.

    An ancestor was found to be one: the weights show which of the two was made from the other, or it is a parent of the merge that the
    model is. Whatever else is linked is a variant: related, with the direction unknown; copies are, too.

    Returns:
        None if the secret key denies the link that the public one shows.
    """
    if relative.confirmed is False:
        return None
    if relative.lineage.verdict == "derived":
        merged = {each.name for each in scan.parents.parents} if scan.parents else set()
        if relative.descends:
            return "descendant"
        if relative.lineage.direction == "first from second" or relative.entry.name in merged:
            return "ancestor"
    return "variant"


def relatives(scan: Scan, wanted: Place) -> tuple[Relative, ...]:
    """Return the relatives of one place, in the order of the scan."""
    return tuple(each for each in scan.relatives if place(scan, each) == wanted)


def certain(relative: Relative) -> bool:
    """Say whether the two hold the same weights, which equal digests prove."""
    return relative.lineage.verdict in ("identical", "same-weights")


def confidence(relative: Relative) -> float:
    """Return how sure it is that the two are not independent, from 0 to 1: 1 for equal weights, else 1 - p, `LEAST_DOUBT` short of 1.

    It does not say that this model, and not a close relative of it, is the parent. An imported fingerprint, which is somebody's
    claim until it is verified, makes nothing certain.
    """
    if certain(relative) and relative.entry.verified:
        return 1.0
    p = 0.0 if certain(relative) or relative.lineage.how == "certain" else 10.0 ** min(relative.log10_p, 0.0)
    return round(1.0 - max(p, LEAST_DOUBT), 6)


def numbers(relative: Relative) -> Mapping[str, str | float | bool]:
    """Return the numbers that a link rests on, by name; what was not measured is left out."""
    lineage, identity = relative.lineage, relative.lineage.identity
    found: dict[str, str | float | bool | None] = {
        "verdict": lineage.verdict,
        "direction": lineage.direction,
        "kinds": ", ".join(each.name for each in lineage.kinds) or None,
        "log10_p": round(relative.log10_p, 1) + 0.0,
        "how": lineage.how,
        "effect": None if lineage.effect is None else round(lineage.effect, 3) + 0.0,
        "distance": None if relative.distance is None else round(relative.distance, 4) + 0.0,
        "equal_matrices": None if identity is None else f"{identity.equal} of {identity.comparable}",
        "shared_components": ", ".join(each.name for each in lineage.components if each.status in ("same", "linked")) or None,
        "confirmed_under_secret_key": relative.confirmed,
        "fingerprint_verified": relative.entry.verified,
    }
    return {name: value for name, value in found.items() if value is not None}


def purl(entry: Entry) -> PackageURL | None:
    """Return a model's package URL, `pkg:huggingface/org/name@revision`; None if it has no repository of that form."""
    found = _REPOSITORY.fullmatch(entry.facts.repository)
    if found is None:
        return None
    return PackageURL("huggingface", found[1], found[2], (revision(entry) or "").lower() or None)


def revision(entry: Entry) -> str | None:
    """Return a model's revision; None if it is not known, or no name of a commit, branch or tag."""
    return entry.facts.revision if _REVISION.fullmatch(entry.facts.revision) else None


def asked(obligation: Obligation) -> str:
    """Return what an ancestor's licence asks for, a sentence; of a model that only shares parts, it holds for these."""
    licence, duty = quote(obligation.licence or "unknown")[1:-1], obligation.duty
    text = duty.text if duty else "its duties are not known here, so it has to be read."
    parts = " This holds for what was taken over." if obligation.link in ("related", "shares-components") else ""
    return f"The licence {licence} of {quote(obligation.ancestor)}: {text}{parts}"


def identifier(*parts: str) -> str:
    """Return a UUID made of what it stands for, so that equal audits give equal documents (RFC 9562, version 5)."""
    return str(uuid.uuid5(_NAMESPACE, utf8("\0".join(parts))))
