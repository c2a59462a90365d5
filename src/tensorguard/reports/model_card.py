"""What a model card should say of a model's descent: front matter as the hub reads it, and a section on provenance."""

import re
from collections.abc import Iterator, Mapping, Sequence

from tensorguard.licences.audit import Audit
from tensorguard.licences.card_yaml import write_front_matter
from tensorguard.licences.compatibility import strictest
from tensorguard.licences.licence import Licence, identify, licences
from tensorguard.lineage.scan import Relative, Scan
from tensorguard.reports.pedigree import certain, place
from tensorguard.reports.plain import plain
from tensorguard.reports.wording import done, p_value
from tensorguard.version import __version__

HUB_LICENCES = frozenset({
    "agpl-3.0", "apache-2.0", "bigcode-openrail-m", "bigscience-bloom-rail-1.0", "bigscience-openrail-m", "bsd-3-clause", "cc-by-4.0",
    "cc-by-nc-4.0", "cc-by-nc-nd-4.0", "cc-by-nc-sa-4.0", "cc-by-sa-4.0", "cc0-1.0", "creativeml-openrail-m", "gemma", "gpl-3.0",
    "llama2", "llama3", "llama3.1", "llama3.2", "llama3.3", "llama4", "mit", "openrail", "unlicense",
})  # fmt: skip
"""Of the licences that we know, those that the hub takes as `license`; any other is `other` with a name and a link."""


def to_card(audit: Audit) -> str:
    """Return a snippet for the top of a README.md: what the weights show, and what the ancestors' licences ask a card to say."""
    bases = _bases(audit.scan)
    fields = {**_descent(audit, bases), **_licence(audit, bases)}
    front = write_front_matter(fields) if fields else ""
    return "\n".join([*([front] if front else []), "## Provenance", "", *_section(audit, bases), ""])


def _bases(scan: Scan) -> list[Relative]:
    """Return what the model was made of: the parents of the merge, else the best relative if it may be the parent."""
    if scan.parents is not None:
        named = [each.name for each in scan.parents.parents]
        return sorted(
            (each for each in scan.relatives if each.entry.name in named), key=lambda each: named.index(each.entry.name)
        )
    best = scan.best
    if best is None or best.descends or best.confirmed is False:
        return []
    return [best] if certain(best) or best.lineage.verdict == "derived" else []


def _descent(audit: Audit, bases: Sequence[Relative]) -> Mapping[str, str | Sequence[str]]:
    names = [plain(each.entry.facts.repository or each.entry.name) for each in bases]
    if not names:
        return {}
    relation = _relation(audit, bases)
    return {"base_model": names if len(names) > 1 else names[0], **({"base_model_relation": relation} if relation else {})}


def _relation(audit: Audit, bases: Sequence[Relative]) -> str:
    """Return the hub's word for what was done; none of its words fits a mere copy."""
    if audit.scan.parents is not None:
        return "merge"
    if audit.claims is not None and audit.claims.values("adapter"):
        return "adapter"
    if certain(bases[0]):
        return ""
    return "quantized" if any(each.name == "quantised" for each in bases[0].lineage.kinds) else "finetune"


def _licence(audit: Audit, bases: Sequence[Relative]) -> Mapping[str, str]:
    """Return the licence that the ancestors' licences leave: the one that must be kept, else the declared one, else the strictest."""
    texts = [each.entry.facts.licence for each in bases] + [each.licence for each in audit.obligations]
    texts = list(dict.fromkeys(filter(None, texts)))
    known = {text: identify(text) for text in texts}
    kept = {each.id: each for each in known.values() if each is not None and not each.relicensing}
    unknown = [plain(text) for text, each in known.items() if each is None]
    if len(kept) + len(unknown) > 1:
        return {"license": "other", "license_name": "-and-".join([*kept, *unknown]), "license_link": "LICENSE"}
    if unknown:
        return {"license": "other", "license_name": unknown[0], "license_link": "LICENSE"}
    declared = audit.claims.values("licence") if audit.claims and texts else ()
    if declared and not kept:
        return {"license": plain(declared[0])}
    chosen = strictest(kept.values() or [each for each in known.values() if each is not None])
    return {} if chosen is None else _named(chosen)


def _named(licence: Licence) -> Mapping[str, str]:
    if licence.id in HUB_LICENCES:
        return {"license": licence.id}
    return {"license": "other", "license_name": licence.id, "license_link": licence.source}


def _section(audit: Audit, bases: Sequence[Relative]) -> Iterator[str]:
    scan = audit.scan
    for words in _words(audit, "display"):
        yield f"**{' or '.join(words)}**"
        yield ""
    for each in bases:
        yield f"- {_made_of(scan, each)}"
    related = [each for each in scan.relatives if place(scan, each)]
    for each in related if not bases else ():
        yield f"- {_related(scan, each)}"
    if not related:
        yield f"- No relative was found or confirmed ({scan.verdict}). That does not show that the model was trained from scratch."
    among = f"{scan.searched:,} known model{'' if scan.searched == 1 else 's'}"
    of = "the weights" if audit.scan.coverage is None else "names, shapes and what was read of the weights, a sample,"
    yield f"- Compared with {among}; digest of {of} {_code(audit.source_digest)}."
    for words in _words(audit, "name"):
        yield f"- The name of this model has to begin with {' or '.join(map(_code, words))}."
    for words in _words(audit, "notice"):
        yield f"- A notice file has to say: {' or '.join(words)}"
    for licence, ancestor, measured in dict.fromkeys(
        (each.licence, each.ancestor, each.measured) for each in audit.obligations
    ):
        known = licences().get(licence)
        called = f"[{known.name}]({known.source})" if known else _code(licence) if licence else "a licence that is not known"
        yield f"- {_code(ancestor)} is under {called}{'' if measured else ' (an ancestor by record, not measured)'}."
    yield f"- Measured on the weights by TensorGuard {__version__}. Not legal advice."


def _made_of(scan: Scan, each: Relative) -> str:
    name = _code(each.entry.facts.repository or each.entry.name)
    weights = {one.name: one.weight for one in scan.parents.parents} if scan.parents else {}
    if each.entry.name in weights:
        return f"A merge with {name}, weight {weights[each.entry.name]:.2f}; {_surely(each)}."
    if certain(each):
        return f"The weights of {name}: {each.lineage.verdict}, {_surely(each)}."
    first = "" if each.lineage.direction == "first from second" else "; the weights do not show which of the two came first"
    return f"Derived from {name} or a close relative of it: {done(each.lineage)}; {_surely(each)}{first}."


def _related(scan: Scan, each: Relative) -> str:
    name = _code(each.entry.facts.repository or each.entry.name)
    if place(scan, each) == "descendant":
        return f"{name} or a close relative of it derives from this model: {_surely(each)}."
    return f"Related to {name} ({each.lineage.verdict}): {_surely(each)}."


def _surely(each: Relative) -> str:
    identity, lineage = each.lineage.identity, each.lineage
    said = f"{p_value(each.log10_p)}, corrected for all tests and known models"
    if certain(each):
        said = "certain: equal digests"
    elif lineage.how == "certain" and identity is not None:
        said = f"certain: {identity.equal} of {identity.comparable} trained matrices are equal"
    return said if each.entry.verified else f"{said}; its fingerprint is somebody's claim, not verified"


def _words(audit: Audit, kind: str) -> list[tuple[str, ...]]:
    """Return what duties of one kind prescribe, alternatives together, each once."""
    duties = [each.duty for each in audit.obligations if each.duty is not None]
    return list(dict.fromkeys(each.alternatives for each in duties if each.kind == kind and each.alternatives))


def _code(text: str) -> str:
    """Return untrusted text as a Markdown code span, in which nothing is markup (CommonMark 6.1)."""
    shown = plain(text) or " "
    fence = "`" * (1 + max(map(len, re.findall("`+", shown)), default=0))
    pad = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{pad}{shown}{pad}{fence}"
