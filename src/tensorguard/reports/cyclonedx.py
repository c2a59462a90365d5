"""An audit as a CycloneDX 1.6 bill of materials: the model, its pedigree, and how surely each relative was identified."""

import json
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any
from uuid import UUID

from cyclonedx.model import Property, XsUri
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType, Pedigree
from cyclonedx.model.component_evidence import AnalysisTechnique, ComponentEvidence, Identity, IdentityField, Method
from cyclonedx.model.license import DisjunctiveLicense, LicenseAcknowledgement
from cyclonedx.model.tool import ToolRepository
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.spdx import is_supported_id

from tensorguard.licences.audit import Audit
from tensorguard.licences.licence import identify
from tensorguard.lineage.scan import Relative
from tensorguard.reports.pedigree import Place, asked, certain, confidence, identifier, numbers, purl, relatives, revision
from tensorguard.reports.plain import plain, to_json
from tensorguard.reports.scan_wording import descent, limits
from tensorguard.reports.wording import p_value
from tensorguard.version import __version__

_MODEL = "model"
"""`bom-ref` of the model in question; relatives are numbered, for their names are not ours."""


def to_cyclonedx(audit: Audit) -> str:
    """Return an audit as a bill of materials in JSON; equal audits give equal text.

    The serial number is made of the content, and there is no timestamp.
    """
    tool = Component(name="TensorGuard", version=__version__, type=ComponentType.APPLICATION)
    bom = Bom(metadata=BomMetaData(component=_component(audit), tools=ToolRepository(components=[tool])))
    bom.serial_number = UUID(int=0)
    tree: dict[str, Any] = json.loads(JsonV1Dot6(bom).output_as_string())
    del tree["metadata"]["timestamp"]
    tree["serialNumber"] = f"urn:uuid:{identifier(json.dumps(tree, sort_keys=True))}"
    return to_json(tree)


def _component(audit: Audit) -> Component:
    """Return the model in question."""
    copies = [each for each in relatives(audit.scan, "variant") if certain(each)]
    return Component(
        name=plain(audit.scan.name),
        type=ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref=_MODEL,
        licenses=_licences(audit.claims.values("licence") if audit.claims else ()),
        pedigree=Pedigree(
            ancestors=_relatives(audit, "ancestor"),
            descendants=_relatives(audit, "descendant"),
            variants=_relatives(audit, "variant"),
            notes=plain(descent(audit.scan)),
        ),
        evidence=ComponentEvidence(identity=[_identity(each) for each in copies]) if copies else None,
        properties=_properties(_facts(audit)),
    )


def _relatives(audit: Audit, wanted: Place) -> Iterator[Component]:
    order = {each.entry.name: at for at, each in enumerate(audit.scan.relatives)}
    for each in relatives(audit.scan, wanted):
        facts = each.entry.facts
        yield Component(
            name=plain(each.entry.name),
            type=ComponentType.MACHINE_LEARNING_MODEL,
            bom_ref=f"relative-{order[each.entry.name] + 1}",
            version=revision(each.entry),
            publisher=plain(facts.publisher) or None,
            purl=purl(each.entry),
            licenses=_licences([facts.licence]),
            evidence=ComponentEvidence(identity=[_identity(each)]),
            properties=_properties((name, _text(value)) for name, value in numbers(each).items()),
        )


def _identity(relative: Relative) -> Identity:
    """Return how surely a known model was recognised in the weights; see `pedigree.confidence`."""
    sure, package, lineage = Decimal(str(confidence(relative))), purl(relative.entry), relative.lineage
    methods = []
    if lineage.identity is not None and lineage.identity.equal:
        equal = f"{lineage.identity.equal} of {lineage.identity.comparable} trained matrices have equal digests"
        methods.append(Method(technique=AnalysisTechnique.HASH_COMPARISON, confidence=sure, value=equal))
    if lineage.evidence is not None:
        tests = f"{p_value(relative.log10_p)} over {len(lineage.evidence.tests)} tests of the weights, all known models counted"
        methods.append(Method(technique=AnalysisTechnique.BINARY_ANALYSIS, confidence=sure, value=tests))
    return Identity(
        field=IdentityField.PURL if package else IdentityField.NAME,
        confidence=sure,
        concluded_value=package.to_string() if package else plain(relative.entry.name),
        methods=methods,
    )


def _licences(texts: Iterable[str]) -> list[DisjunctiveLicense]:
    """Return declared licences: by SPDX id where they have one, else by the name they were given."""
    made = []
    for text in dict.fromkeys(filter(None, texts)):
        known = identify(text)
        spdx = known.spdx if known and is_supported_id(known.spdx) else None
        made.append(
            DisjunctiveLicense(
                id=spdx,
                name=None if spdx else known.name if known else plain(text),
                url=XsUri(known.source) if known else None,
                bom_ref=f"licence-{identifier(text)}",
                acknowledgement=LicenseAcknowledgement.DECLARED,
            )
        )
    return made


def _facts(audit: Audit) -> Iterator[tuple[str, str]]:
    scan = audit.scan
    yield "verdict", scan.verdict
    yield "searched", str(scan.searched)
    yield "key", scan.key
    yield "source_digest", audit.source_digest
    for text in limits(scan):
        yield "limit", text
    for parent in scan.parents.parents if scan.parents else ():
        yield "merge_weight", f"{parent.name}: {parent.weight:.3f} ({parent.low:.3f} to {parent.high:.3f})"
    for each in audit.obligations:
        yield "obligation", asked(each)
    for finding in audit.findings:
        yield f"finding:{finding.severity}", f"{finding.rule}: {finding.message}"


def _properties(pairs: Iterable[tuple[str, str]]) -> list[Property]:
    return [Property(name=f"tensorguard:{name}", value=plain(value)) for name, value in pairs]


def _text(value: str | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
