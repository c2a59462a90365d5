"""Scans and claims made by hand: for rules, which must hold whatever a scan says."""

from typing import Any

from support.lineages import pair
from tensorguard.licences.claim import Claim
from tensorguard.licences.claims import Claims
from tensorguard.lineage.kinds import Kind
from tensorguard.lineage.scan import Relative, Scan
from tensorguard.registry.entry import Entry, Facts


def entry(name: str, licence: str = "", *parents: str, **more: Any) -> Entry:
    """A registry's entry; a name with a slash is its repository, too."""
    facts = {"repository": name if "/" in name else "", "licence": licence, "parents": parents}
    return Entry(name, "public", Facts(**(facts | more.pop("facts", {}))), **more)


def relative(known: Entry, verdict: str = "derived", *kinds: str, **more: Any) -> Relative:
    """What a comparison with a known model says; `more` are fields of `Relative` and of `Lineage`."""
    of_relative = {key: more.pop(key) for key in ("distance", "confirmed") if key in more}
    made = tuple(Kind(kind, None, f"it is {kind}") for kind in kinds)
    lineage = pair(verdict, kinds=made, **more).lineage
    return Relative(known, lineage, lineage.log10_p, lineage.log10_p, **{"distance": 0.1, **of_relative})


def scan(*relatives: Relative, others: tuple[Relative, ...] = (), **more: Any) -> Scan:
    """A scan that found these, the most telling first."""
    verdict = relatives[0].lineage.verdict if relatives else others[0].lineage.verdict if others else "inconclusive"
    count = len(relatives) + len(others)
    return Scan("mine", "public", verdict, relatives, others, **{"searched": count, "screened": count, **more})


def claims(card: str = "", files: dict[str, str] | None = None, **said: str | tuple[str, ...]) -> Claims:
    """Claims of a card; `name` is said by the folder unless it holds a slash."""
    made = []
    for field, values in said.items():
        for value in (values,) if isinstance(values, str) else values:
            plain = field == "name" and "/" not in value
            made.append(Claim(field, value, "folder or file name" if plain else f"README.md: {field}"))
    return Claims(tuple(made), card, tuple(files or {}), tuple((files or {}).items()))
