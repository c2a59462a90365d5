"""An audit as SARIF 2.1.0 (OASIS standard, errata 01), for code scanning.

Findings are results of kind `fail`. Duties are of kind `review`: somebody has to see whether they are met. The lineage itself is
`informational`. Results of these two kinds have level `none`, as clause 3.27.10 demands.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import Any
from urllib.parse import quote as percent

import blake3

from tensorguard.licences.audit import Audit, Finding
from tensorguard.licences.rules import RULES
from tensorguard.lineage.scan import Relative
from tensorguard.reports.pedigree import asked, numbers, place
from tensorguard.reports.plain import plain, to_json
from tensorguard.reports.scan_wording import descent, limits
from tensorguard.version import __version__

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

LINEAGE, OBLIGATION = "lineage", "obligation"
_OWN = {
    LINEAGE: "What the weights show of the model's descent.",
    OBLIGATION: "What the licence of an ancestor asks for; somebody has to see whether it is met.",
}
_PAPER = "https://arxiv.org/abs/2506.01631"

_ACTIVE = re.compile(r"(?<=\])(?=\()|(?<=\{)(?=\d)")
"""Where text would turn into a link or a placeholder (clauses 3.11.5 and 3.11.6)."""


def to_sarif(audit: Audit) -> str:
    """Return an audit as a SARIF log of one run; equal audits give equal text."""
    results = [*_findings(audit), *_duties(audit), *_lineage(audit)]
    used = list(dict.fromkeys(each["ruleId"] for each in results))
    for each in results:
        each["ruleIndex"] = used.index(each["ruleId"])
    driver = {
        "name": "TensorGuard",
        "version": __version__,
        "informationUri": _PAPER,
        "rules": [_rule(each) for each in used],
    }
    notices = [{"level": "note", "message": _message(each)} for each in limits(audit.scan)]
    run = {
        "tool": {"driver": driver},
        "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": notices}],
        "originalUriBaseIds": {_base(audit): {"description": {"text": _BASES[_base(audit)]}}},
        "results": results,
        "properties": {
            "verdict": audit.scan.verdict,
            "model": audit.scan.name,
            "source_digest": audit.source_digest,
            "searched": audit.scan.searched,
            "key": audit.scan.key,
        },
    }
    return to_json({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]})


def _rule(rule: str) -> dict[str, Any]:
    known = RULES.get(rule)
    if known is None:
        return {"id": rule, "shortDescription": {"text": _OWN.get(rule, rule)}, "defaultConfiguration": {"level": "none"}}
    return {
        "id": known.id,
        "name": known.name,
        "shortDescription": {"text": known.means},
        "help": {"text": known.help},
        "defaultConfiguration": {"level": known.severity},
    }


def _findings(audit: Audit) -> Iterator[dict[str, Any]]:
    marks = _marks([(each.rule, each.where, each.claimed) for each in audit.findings])
    for finding, mark in zip(audit.findings, marks, strict=True):
        message = f"{finding.message[:1].upper()}{finding.message[1:]}"
        text = [_sentence(each) for each in (message, finding.shown, finding.claimed, finding.fix) if each]
        yield {
            "ruleId": finding.rule,
            "kind": "fail",
            "level": finding.severity,
            "message": _message(" ".join(text)),
            "locations": [_location(audit, finding.where)],
            "partialFingerprints": {"tensorguardFinding/v1": mark},
            "properties": _parts(finding),
        }


def _parts(finding: Finding) -> dict[str, str]:
    parts = {"shown": finding.shown, "claimed": finding.claimed, "fix": finding.fix}
    return {name: text for name, text in parts.items() if text}


def _duties(audit: Audit) -> Iterator[dict[str, Any]]:
    marks = _marks([(each.licence, each.duty.id if each.duty else "", each.ancestor) for each in audit.obligations])
    for each, mark in zip(audit.obligations, marks, strict=True):
        yield {
            "ruleId": OBLIGATION,
            "kind": "review",
            "level": "none",
            "message": _message(asked(each)),
            "locations": [_location(audit)],
            "partialFingerprints": {"tensorguardObligation/v1": mark},
            "properties": {
                "licence": each.licence,
                "clause": each.duty.clause if each.duty else "",
                "ancestor": each.ancestor,
                "through": list(each.through),
                "measured": each.measured,
                **({"link": each.link} if each.link else {}),
            },
        }


def _lineage(audit: Audit) -> Iterator[dict[str, Any]]:
    relatives = [each for each in audit.scan.relatives if place(audit.scan, each)]
    answer: dict[str, Any] = {
        "ruleId": LINEAGE,
        "kind": "informational",
        "level": "none",
        "message": _message(descent(audit.scan)),
        "locations": [_location(audit)],
        "partialFingerprints": {"tensorguardLineage/v1": _digest(LINEAGE)},
    }
    yield answer
    for each in relatives:
        yield answer | {
            "message": _message(_related(audit, each)),
            "partialFingerprints": {"tensorguardLineage/v1": _digest(LINEAGE, each.entry.name)},
            "properties": {"relative": each.entry.name, "repository": each.entry.facts.repository, **numbers(each)},
        }


def _related(audit: Audit, each: Relative) -> str:
    return f"'{plain(each.entry.name)}' is {_PLACES[place(audit.scan, each) or 'variant']} ({each.lineage.verdict})."


_PLACES = {
    "ancestor": "an ancestor of the model, or a close relative of one",
    "descendant": "a descendant of the model, or a close relative of one",
    "variant": "a relative of the model, which of them came first is not known",
}


def _location(audit: Audit, where: str = "") -> dict[str, Any]:
    """Return where a result belongs: the model, or a file of its folder."""
    root, base = PurePath(audit.location), _base(audit)
    if base == _FOLDER:
        root = PurePath(root.name if root.name != ".." else ".")
    folder = root.parent if root.suffix in _FILES else root
    inside = [part for part in PurePath(where).parts if part not in ("/", "..")]
    path = folder.joinpath(*inside) if inside else root
    uri = percent(path.as_posix().encode("utf-8", "backslashreplace"))
    return {
        "physicalLocation": {"artifactLocation": {"uri": uri, "uriBaseId": base}},
        "logicalLocations": [{"name": audit.scan.name, "kind": "resource"}],
    }


_FILES = (".safetensors", ".gguf", ".tgfp")
_ROOT, _FOLDER = "%SRCROOT%", "%FOLDER%"
_BASES = {_ROOT: "The folder that the model's path is relative to.", _FOLDER: "The folder that the model lies in."}


def _base(audit: Audit) -> str:
    """Return what paths are relative to; absolute ones say too much of whoever ran the scan, and code scanning refuses them."""
    path = PurePath(audit.location)
    return _FOLDER if path.is_absolute() or ".." in path.parts else _ROOT


def _message(text: str) -> dict[str, str]:
    return {"text": _ACTIVE.sub(" ", text) or "-"}


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _marks(parts: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Yield what results are recognised by from run to run: digests of what does not change with measurements, counted if equal."""
    seen: Counter[tuple[str, ...]] = Counter()
    for each in parts:
        seen[each] += 1
        yield f"{_digest(*each)}:{seen[each]}"


def _digest(*parts: str) -> str:
    return blake3.blake3("\0".join(parts).encode("utf-8", "backslashreplace")).hexdigest(length=16)
