"""What `check` tells: what was verified, what is wrong, what the ancestors oblige to, and what cannot be known."""

from collections.abc import Sequence
from typing import Any

from tensorguard.errors import quote
from tensorguard.licences.audit import SEVERITIES, Audit, Finding
from tensorguard.licences.bases import Base, bases, called
from tensorguard.licences.check_descent import strength
from tensorguard.licences.check_terms import Declaration, declarations
from tensorguard.licences.claims import Claims
from tensorguard.licences.compatibility import compatible
from tensorguard.licences.declared import Directory
from tensorguard.licences.licence import licences
from tensorguard.licences.obligations import Obligation
from tensorguard.licences.rules import RULES
from tensorguard.lineage.scan import Relative
from tensorguard.reports.document import Cell, Document, Table
from tensorguard.reports.exports import exports
from tensorguard.reports.scan import notices, obligations_table
from tensorguard.reports.scan_charts import charts, headline
from tensorguard.reports.scan_pictures import pictures
from tensorguard.reports.scan_wording import descent

_FINDINGS = "Each rule is explained in docs/check.md. Errors contradict the model's own claims; notes say what cannot be known."
_BASES = "Only known models can be compared: a base that is not in the registry is neither confirmed nor contradicted."


def report(audit: Audit) -> Document:
    """Return the document of one check."""
    scan, claims = audit.scan, audit.claims or Claims()
    declared = _bases(audit, claims)
    return Document(
        kind="check",
        title=f"What {quote(scan.name)} claims, and what its weights show",
        summary=_summary(audit, declared),
        result=machine(audit),
        settings={"registry": audit.registry, "key": scan.key, "searched": scan.searched, "screened": scan.screened},
        inputs=[{"model": scan.name, "location": audit.location, "source_digest": audit.source_digest}],
        notices=(*claims.notices, *notices(audit)),
        tables=_tables(audit, claims, declared),
        pictures=pictures(audit),
        headline=headline(audit),
        charts=charts(audit),
        exports=exports(audit),
    )


def machine(audit: Audit) -> dict[str, Any]:
    """Return what machines read of a check."""
    claims = audit.claims or Claims()
    count = {each: sum(one.severity == each for one in audit.findings) for each in SEVERITIES}
    return {
        "verdict": audit.scan.verdict,
        "model": audit.scan.name,
        "source_digest": audit.source_digest,
        "count": count,
        "findings": [_finding(each) for each in audit.findings],
        "claims": claims.claims,
        "files": claims.files,
        "bases": [_base(each) for each in _bases(audit, claims)],
        "relatives": [_relative(each) for each in audit.scan.relatives],
        "obligations": [_obligation(each) for each in audit.obligations],
    }


def verified(audit: Audit) -> tuple[str, ...]:
    """Return what was found to be true, a phrase each."""
    claims = audit.claims or Claims()
    said = [
        f"base_model: {quote(each.declared.name)} is confirmed ({strength(each.relative)})"
        for each in _bases(audit, claims)
        if each.status == "confirmed" and each.relative is not None
    ]
    return (*said, *_licences(audit, declarations(claims)))


def _bases(audit: Audit, claims: Claims) -> tuple[Base, ...]:
    """Return the declared bases; those that were not compared are not known here."""
    entries = [each.entry for each in (*audit.scan.relatives, *audit.scan.others)]
    return bases(claims, audit.scan, Directory(entries))


def _licences(audit: Audit, found: Sequence[Declaration]) -> list[str]:
    """Return which declared licences all ancestors' licences allow."""
    ancestors = [licences().get(name) for name in dict.fromkeys(each.licence for each in audit.obligations)]
    said = []
    for each in found:
        licence = each.licence
        if licence is not None and ancestors and all(a is not None and compatible(licence, a) is None for a in ancestors):
            names = ", ".join(dict.fromkeys(a.name for a in ancestors if a is not None))
            said.append(f"licence: {licence.name} is compatible with what the ancestors are under ({names})")
    return list(dict.fromkeys(said))


def _summary(audit: Audit, declared: Sequence[Base]) -> str:
    name = quote(audit.scan.name)
    count = {each: sum(one.severity == each for one in audit.findings) for each in SEVERITIES}
    numbers = ", ".join(_count(number, word) for word, number in count.items() if number)
    worst = next((each for each in audit.findings if each.severity != "note"), None)
    if worst is not None:
        wrong = "do not hold" if count["error"] else "are incomplete"
        said = f"The claims of {name} {wrong} ({numbers}): {worst.message}."
    elif any(each.status == "confirmed" for each in declared):
        said = f"What {name} claims is true as far as its weights and files tell{f' ({numbers})' if numbers else ''}."
    else:
        said = f"Nothing that {name} claims is contradicted{f' ({numbers})' if numbers else ''}. {descent(audit.scan)}"
    true = "; ".join(verified(audit))
    duties = len({(each.licence, each.duty.id) for each in audit.obligations if each.duty})
    kept = (
        f" There {'is 1 duty' if duties == 1 else f'are {duties} duties'} of the ancestors' licences to keep." if duties else ""
    )
    return f"{said}{f' Verified: {true}.' if true else ''}{kept}"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _tables(audit: Audit, claims: Claims, declared: Sequence[Base]) -> list[Table]:
    made = []
    if audit.findings:
        made.append(
            Table("Findings", ("rule", "severity", "what is wrong", "what shows it", "what to do"), _rows(audit), _FINDINGS)
        )
    if declared:
        rows: list[list[Cell]] = [
            [
                each.declared.name,
                ", ".join(each.declared.sources),
                each.status,
                called(each.relative.entry) if each.relative else None,
                each.relative.lineage.verdict if each.relative else None,
                round(each.relative.log10_p, 1) + 0.0 if each.relative else None,
            ]
            for each in declared
        ]
        made.append(
            Table("Declared bases", ("base", "declared in", "status", "known as", "weights show", "log10 p"), rows, _BASES)
        )
    if audit.obligations:
        made.append(obligations_table(audit.obligations))
    if claims.claims:
        said: list[list[Cell]] = [[each.field, each.value, each.source] for each in claims.claims]
        made.append(Table("Claims", ("field", "value", "where"), said, "What the model's own files say; untrusted.", keys=1))
    return made


def _rows(audit: Audit) -> list[list[Cell]]:
    return [
        [each.rule, each.severity, each.message, "; ".join(filter(None, (each.claimed, each.shown))) or None, each.fix]
        for each in audit.findings
    ]


def _finding(each: Finding) -> dict[str, Any]:
    return {
        "rule": each.rule,
        "name": RULES[each.rule].name,
        "severity": each.severity,
        "message": each.message,
        "shown": each.shown,
        "claimed": each.claimed,
        "fix": each.fix,
        "where": each.where,
    }


def _obligation(each: Obligation) -> dict[str, Any]:
    return {
        "licence": each.licence,
        "duty": each.duty,
        "ancestor": each.ancestor,
        "through": each.through,
        "measured": each.measured,
        "link": each.link,
    }


def _base(each: Base) -> dict[str, Any]:
    return {
        "declared": each.declared.name,
        "sources": each.declared.sources,
        "status": each.status,
        "relative": _relative(each.relative) if each.relative else None,
    }


def _relative(each: Relative) -> dict[str, Any]:
    return {
        "name": each.entry.name,
        "repository": each.entry.facts.repository,
        "licence": each.entry.facts.licence,
        "verified": each.entry.verified,
        "verdict": each.lineage.verdict,
        "kinds": [kind.name for kind in each.lineage.kinds],
        "direction": each.lineage.direction,
        "effect": each.lineage.effect,
        "distance": each.distance,
        "log10_p": each.log10_p,
        "how": each.lineage.how,
        "confirmed": each.confirmed,
    }
