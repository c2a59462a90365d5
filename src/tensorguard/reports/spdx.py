"""An audit as an SPDX 3.0.1 document (JSON-LD): the model and its relatives as AI packages, their relationships, and annotations.

Conformance to the `ai` profile is not claimed: it asks for the release time, the supplier, the version and the download location of
the model in question, and weights do not tell them. What is not known is left out, licences that nobody concluded are NoAssertion.
"""

import json
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from spdx_python_model import v3_0_1 as spdx

from tensorguard.errors import UsageError, quote
from tensorguard.licences.audit import Audit
from tensorguard.licences.licence import Licence, identify
from tensorguard.lineage.scan import Relative
from tensorguard.registry.entry import Facts
from tensorguard.reports.pedigree import asked, confidence, identifier, numbers, place, purl, revision
from tensorguard.reports.plain import plain, to_json
from tensorguard.reports.scan_wording import descent, limits
from tensorguard.version import __version__

_PROFILES = ("core", "software", "simpleLicensing")
_RELATIONS = {"ancestor": "descendantOf", "descendant": "ancestorOf", "variant": "hasVariant"}
_NO_ASSERTION = "https://spdx.org/rdf/3.0.1/terms/ExpandedLicensing/NoAssertionLicense"
_IN_REFERENCE = re.compile(r"[^A-Za-z0-9.-]+")


def to_spdx(audit: Audit) -> str:
    """Return an audit as an SPDX document; equal audits give equal text but for the time of creation.

    That is the time now, or SOURCE_DATE_EPOCH (reproducible-builds.org) where it is set.

    Raises:
        UsageError: SOURCE_DATE_EPOCH is no time.
    """
    tree = spdx.JSONLDSerializer().serialize_data(_Writer(audit).document(), force_at_graph=True)
    return to_json(tree)


def _created() -> datetime:
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if not epoch:
        return datetime.now(UTC).replace(microsecond=0)
    try:
        return datetime.fromtimestamp(int(epoch), UTC)
    except (ValueError, OverflowError, OSError):
        raise UsageError(f"SOURCE_DATE_EPOCH is no number of seconds since 1970: {quote(epoch)}") from None


class _Writer:
    """Makes the elements of one document; ids are made of what the document says."""

    def __init__(self, audit: Audit) -> None:
        self._audit = audit
        said = [f"{each.entry} {numbers(each)}" for each in audit.scan.relatives]
        self._stem = f"urn:uuid:{identifier(audit.source_digest, descent(audit.scan), *said, *self._remarks())}"
        self._made: list[Any] = []
        self._licences: dict[str, Any] = {}
        self._creation = spdx.CreationInfo(specVersion="3.0.1", created=_created())
        self._creation._id = "_:creation"
        agent = self._element(spdx.SoftwareAgent, "tool", name=f"TensorGuard {__version__}")
        self._creation.createdBy = [agent.spdxId]

    def document(self) -> Any:
        """Return all elements."""
        scan = self._audit.scan
        model = self._package("model", scan.name)
        model.comment = plain(descent(scan))
        model.externalIdentifier = [self._digest()]
        declared = self._audit.claims.values("licence") if self._audit.claims else ()
        self._licensed(model, declared[0] if declared else "")
        for at, each in enumerate(scan.relatives, 1):
            self._relative(model, each, f"relative-{at}")
        for text in self._remarks():
            self._annotate(model, text, "text/plain")
        self._element(
            spdx.SpdxDocument,
            "document",
            name=f"Lineage of {plain(scan.name)}",
            rootElement=[model.spdxId],
            element=[each.spdxId for each in self._made],
            profileConformance=[getattr(spdx.ProfileIdentifierType, each) for each in _PROFILES],
        )
        return spdx.SHACLObjectSet([self._creation, *self._made])

    def _relative(self, model: Any, each: Relative, name: str) -> None:
        where = place(self._audit.scan, each)
        if where is None:
            return
        facts = each.entry.facts
        package = self._package(name, each.entry.name)
        found = purl(each.entry)
        if found is not None:
            package.software_packageUrl = found.to_string()
        if (version := revision(each.entry)) is not None:
            package.software_packageVersion = version
        if (released := _day(facts)) is not None:
            package.releaseTime = released
        if facts.publisher:
            supplier = f"publisher-{identifier(facts.publisher)}"
            package.suppliedBy = self._once(spdx.Organization, supplier, name=plain(facts.publisher)).spdxId
        self._licensed(package, facts.licence)
        link = self._relate(model, _RELATIONS[where], package)
        said = {"confidence": confidence(each), **numbers(each)}
        self._annotate(
            link, json.dumps({name: plain(v) if isinstance(v, str) else v for name, v in said.items()}), "application/json"
        )

    def _remarks(self) -> Iterator[str]:
        yield from limits(self._audit.scan)
        for each in self._audit.obligations:
            yield f"Obligation: {asked(each)}"
        for finding in self._audit.findings:
            yield f"Finding {finding.rule} ({finding.severity}): {finding.message}"

    def _digest(self) -> Any:
        return spdx.ExternalIdentifier(
            externalIdentifierType=spdx.ExternalIdentifierType.other,
            identifier=f"tensorguard:{self._audit.source_digest}",
            comment="Digest of all tensors' names and shapes, and of the values that were read, BLAKE3.",
        )

    def _licensed(self, package: Any, text: str) -> None:
        self._relate(package, "hasDeclaredLicense", self._licence(text) if text else _NO_ASSERTION)
        self._relate(package, "hasConcludedLicense", _NO_ASSERTION)

    def _licence(self, text: str) -> Any:
        known = identify(text)
        expression = known.spdx if known and known.spdx else f"LicenseRef-{_reference(known, text)}"
        custom = []
        if known is not None and expression.startswith("LicenseRef-"):
            custom = [spdx.DictionaryEntry(key=expression, value=known.source)]
        return self._once(
            spdx.simplelicensing_LicenseExpression,
            f"licence-{identifier(expression)}",
            simplelicensing_licenseExpression=expression,
            simplelicensing_customIdToUri=custom,
        )

    def _relate(self, first: Any, relation: str, second: Any) -> Any:
        to = second if isinstance(second, str) else second.spdxId
        return self._element(
            spdx.Relationship,
            f"relation-{identifier(first.spdxId, relation, to)}",
            from_=first.spdxId,
            relationshipType=getattr(spdx.RelationshipType, relation),
            to=[to],
        )

    def _annotate(self, subject: Any, text: str, kind: str) -> None:
        self._element(
            spdx.Annotation,
            f"annotation-{len(self._made)}",
            annotationType=spdx.AnnotationType.other,
            subject=subject.spdxId,
            contentType=kind,
            statement=text,
        )

    def _package(self, name: str, title: str) -> Any:
        return self._element(
            spdx.ai_AIPackage, name, name=plain(title) or "unnamed", software_primaryPurpose=spdx.software_SoftwarePurpose.model
        )

    def _once(self, kind: Any, name: str, /, **fields: Any) -> Any:
        if name not in self._licences:
            self._licences[name] = self._element(kind, name, **fields)
        return self._licences[name]

    def _element(self, kind: Any, name: str, /, **fields: Any) -> Any:
        made = kind(spdxId=f"{self._stem}#{name}", creationInfo=self._creation, **fields)
        self._made.append(made)
        return made


def _reference(known: Licence | None, text: str) -> str:
    """Return the name of a licence that is not on SPDX's list, of the characters that a LicenseRef may have."""
    return _IN_REFERENCE.sub("-", known.id if known else plain(text)).strip("-") or "unnamed"


def _day(facts: Facts) -> datetime | None:
    """Return the day of the release; None if no more than the month is known."""
    try:
        return datetime.strptime(facts.released, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return None
