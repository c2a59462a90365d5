"""The whole answer of a scan or a check: what reports are made of."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tensorguard.licences.claims import Claims
from tensorguard.licences.obligations import Obligation
from tensorguard.lineage.scan import Scan

if TYPE_CHECKING:  # it takes scikit-learn, which takes a second
    from tensorguard.family.classify import Classification

Severity = Literal["error", "warning", "note"]

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True, slots=True)
class Finding:
    """One contradiction, lack or thing to know.

    Attributes:
        rule: Stable id of the rule, such as `TG101`; see `licences.rules`.
        severity: How bad it is.
        message: What is wrong, one sentence; untrusted parts are quoted.
        shown: What the weights or the licence show, a sentence; may be empty.
        claimed: What is claimed and where, may be empty.
        fix: What to do; may be empty.
        where: The file concerned, relative to the model; empty if none.
    """

    rule: str
    severity: Severity
    message: str
    shown: str = ""
    claimed: str = ""
    fix: str = ""
    where: str = ""


@dataclass(frozen=True, slots=True)
class Audit:
    """The answer to: what is this derived from, how sure, and what does that oblige to.

    Attributes:
        scan: What the weights show.
        location: Where the model is, as the user gave it.
        source_digest: Digest of the model's weights, or of what was read of them (`registry.vectors.source_digest`).
        registry: Where the registry is, as the user gave it.
        obligations: What its ancestors oblige to.
        family: The paper's family classification, a second opinion; None if there are no families to choose from.
        claims: What the model claims; None if that was not looked at (`scan`).
        findings: Where claims and weights part, the worst first; empty for `scan`.
    """

    scan: Scan
    location: str
    source_digest: str
    registry: str
    obligations: tuple[Obligation, ...] = ()
    family: "Classification | None" = None
    claims: Claims | None = None
    findings: tuple[Finding, ...] = ()
