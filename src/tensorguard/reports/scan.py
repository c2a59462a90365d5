"""What `scan` tells: the answer, relatives, obligations, the evidence of the best relative, and what was not found."""

from collections.abc import Sequence
from typing import Any

from tensorguard.errors import quote
from tensorguard.licences.audit import Audit
from tensorguard.licences.licence import licences
from tensorguard.licences.obligations import Obligation
from tensorguard.lineage.pair import Pair
from tensorguard.lineage.scan import Relative
from tensorguard.reports import lineage, parents
from tensorguard.reports.document import Cell, Document, Table, number
from tensorguard.reports.exports import exports
from tensorguard.reports.scan_charts import charts, headline
from tensorguard.reports.scan_pictures import pictures
from tensorguard.reports.scan_wording import ADVICE, NOTHING, PUBLIC, answer, limits
from tensorguard.reports.similarity import LIMITS
from tensorguard.reports.wording import done

_RELATIVES = (
    "Each against the model. Effect: mean cosine of what blocks do, less what independent models show; 1 is a copy. Difference: what "
    "would have to be added to one model's weights to get the other's, relative to them. log10 p: corrected for all tests of the pair "
    "and all known models, those that were not compared included."
)
_MADE = {"first from second": "the model", "second from first": "the known one", "unknown": "does not show"}
_OTHERS = "Candidates that the search gave, compared in full: they are not relatives, or nothing shows it."
_OPINION = (
    "The paper's classification by the 16 numbers (arXiv 2506.01631), a second opinion: it tells architecture and size, not who was "
    "trained from whom."
)
_MEASURED = "Links are measured on weights but where it says otherwise: there the registry or the catalogue says so."
_NAMED = 3


def report(audit: Audit) -> Document:
    """Return the document of one scan."""
    scan = audit.scan
    return Document(
        kind="scan",
        title=f"What {quote(scan.name)} is derived from",
        summary=answer(audit),
        result=machine(audit),
        settings={"registry": audit.registry, "key": scan.key, "searched": scan.searched, "screened": scan.screened},
        inputs=[{"model": scan.name, "location": audit.location, "source_digest": audit.source_digest}],
        notices=notices(audit),
        tables=tables(audit),
        pictures=pictures(audit),
        headline=headline(audit),
        charts=charts(audit),
        exports=exports(audit),
    )


def machine(audit: Audit) -> dict[str, Any]:
    """Return what machines read of a scan."""
    scan = audit.scan
    return {
        "verdict": scan.verdict,
        "model": scan.name,
        "source_digest": audit.source_digest,
        "relatives": scan.relatives,
        "others": scan.others,
        "parents": scan.parents,
        "coverage": scan.coverage,
        "obligations": audit.obligations,
        "family": audit.family,
    }


def notices(audit: Audit) -> tuple[str, ...]:
    """Return what a reader has to know."""
    scan = audit.scan
    said = limits(scan)
    unverified = [each.entry.name for each in scan.relatives if not each.entry.verified]
    if unverified:
        said.append(
            f"unverified claims of others until `tensorguard registry verify` recomputes them: {', '.join(map(quote, unverified))}"
        )
    if scan.best is None:
        said.append(NOTHING)
    elif scan.key == "public" and scan.best.lineage.how != "certain":
        said.append(PUBLIC)
    if audit.obligations:
        said.append(ADVICE)
    if audit.family is not None:
        said += [*audit.family.notices, LIMITS]
    return tuple(said)


def tables(audit: Audit) -> list[Table]:
    """Return what a reader is shown, the most telling first."""
    scan, made = audit.scan, []
    if scan.relatives:
        made.append(
            Table(
                "Relatives",
                ("known model", "verdict", "what was done", "made later", "effect", "difference", "log10 p", "confirmed"),
                _rows(scan.relatives),
                _RELATIVES,
            )
        )
    if audit.obligations:
        made.append(obligations_table(audit.obligations))
    if scan.parents is not None:
        made += parents.tables(scan.parents)
    if scan.best is not None:
        best = Pair(scan.name, scan.best.entry.name, scan.best.lineage, scan.key)
        made += lineage.tables(best)
    if scan.others:
        made.append(
            Table(
                "Not relatives", ("known model", "verdict", "effect", "99 % bound", "log10 p"), _excluded(scan.others), _OTHERS
            )
        )
    if audit.family is not None:
        made.append(_opinion(audit))
    return made


def _rows(relatives: Sequence[Relative]) -> list[list[Cell]]:
    said = {True: "yes", False: "no", None: None}
    return [
        [
            each.entry.name,
            each.lineage.verdict,
            done(each.lineage) if each.lineage.verdict == "derived" else None,
            _MADE[each.lineage.direction] if each.lineage.verdict == "derived" else None,
            None if each.lineage.effect is None else round(each.lineage.effect, 3) + 0.0,
            None if each.distance is None else round(each.distance, 4),
            round(each.log10_p, 1) + 0.0,
            said[each.confirmed],
        ]
        for each in relatives
    ]


def _excluded(others: Sequence[Relative]) -> list[list[Cell]]:
    rows: list[list[Cell]] = []
    for each in others:
        tests = each.lineage.evidence.tests if each.lineage.evidence else ()
        upper = max((t.test.upper for t in tests if (t.signal, t.component) == ("operators", "all")), default=None)
        effect = None if each.lineage.effect is None else round(each.lineage.effect, 3) + 0.0
        rows.append(
            [
                each.entry.name,
                each.lineage.verdict,
                effect,
                None if upper is None else round(upper, 3),
                round(each.log10_p, 1) + 0.0,
            ]
        )
    return rows


def obligations_table(found: Sequence[Obligation]) -> Table:
    """Return what ancestors oblige to: a row for each duty of a licence, with all ancestors that it comes from."""
    grouped: dict[tuple[str, str], list[Obligation]] = {}
    for each in found:
        grouped.setdefault((each.licence, each.duty.id if each.duty else ""), []).append(each)
    rows: list[list[Cell]] = []
    for (licence, _), group in grouped.items():
        known, duty = licences().get(licence), group[0].duty
        asked = duty.text if duty else "Read the licence: its duties are not known here."
        rows.append([known.name if known else licence or "unknown", duty.clause if duty else None, asked, _ancestors(group)])
    texts = dict.fromkeys(f"{known.name}: {known.source}" for each in found if (known := licences().get(each.licence)))
    return Table(
        "Obligations",
        ("licence", "clause", "what it asks", "because of"),
        rows,
        f"{_MEASURED} {'; '.join(texts)}. {ADVICE}",
        keys=3,
    )


def _ancestors(group: Sequence[Obligation]) -> str:
    """Name the ancestors that a duty comes from; those that no weights were measured against as what they are said to be."""
    said = [
        each.ancestor if each.measured else f"{each.ancestor} (said to be a parent of {each.through[-1]})" for each in group
    ]
    unique = list(dict.fromkeys(said))
    return ", ".join(unique[:_NAMED]) + (f" and {len(unique) - _NAMED} more" if len(unique) > _NAMED else "")


def _opinion(audit: Audit) -> Table:
    found = audit.family
    rows: list[list[Cell]] = (
        [] if found is None else [[found.nearest, found.verdict, number(found.distance), f"{found.threshold:g}"]]
    )
    return Table("Second opinion: the paper's families", ("nearest family", "verdict", "distance", "limit"), rows, _OPINION)
