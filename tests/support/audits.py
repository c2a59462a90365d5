"""Audits for tests of reports: real comparisons of made-up sketches, under licences that ask for something."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from support.prints import sketched_print
from support.sketches import ToyModel, layers, sketches, toy_model, tuned
from tensorguard.engines.inline import Inline
from tensorguard.fingerprint.base import Fingerprint, TensorDigest
from tensorguard.licences.audit import Audit, Finding
from tensorguard.licences.claims import Claim, Claims
from tensorguard.licences.obligations import Obligation, obligations
from tensorguard.licences.rules import broken
from tensorguard.lineage.mixture import Mixture
from tensorguard.lineage.parents import Weight
from tensorguard.lineage.scan import Relative, Scan, scan
from tensorguard.registry.entry import Entry, Facts, Hit

LLAMA = Facts("meta/Llama-3.1-8B", "ABC123", "Llama 3.1", "Meta", "llama3.1", released="2024-07-23")
QWEN = Facts("Qwen/Qwen2.5-72B", "", "Qwen2.5", "Qwen", "qwen", released="2024-09")
APACHE = Facts("org/open", "main", "Open", "", "apache-2.0")
BASE = toy_model(1)


def fingerprint(model: ToyModel, name: str, digest: str = "") -> Fingerprint:
    """Of sketches, and of one tensor if a digest is given."""
    digests = (TensorDigest("q", 0, None, "decoder", 4096, False, 0, 0, digest),) if digest else ()
    return sketched_print(sketches(model), name, digests=digests, header_digest=digest)


def scanned(model: Fingerprint, known: Mapping[str, tuple[Fingerprint, Facts]], searched: int = 1000) -> Scan:
    """Compare a model with all known ones, as a search that found them would."""
    entries = {name: Entry(name, "public", facts, added="2026-01-01T00:00:00Z") for name, (_, facts) in known.items()}
    hits = [Hit(entry, 0.9, "fixed", 0) for entry in entries.values()]
    return scan(model, hits, lambda entry: known[entry.name][0], searched, engine=Inline())


def audited(found: Scan, *claims: Claim, **more: Any) -> Audit:
    """The audit of a scan; with claims it is that of a check."""
    fields: dict[str, Any] = {"location": "models/child", "source_digest": "0123456789abcdef" * 2, "registry": "known"} | more
    entries = tuple(each.entry for each in found.relatives)
    return Audit(found, obligations=obligations(found, entries), claims=Claims(claims) if claims else None, **fields)


@cache
def fine_tune(facts: Facts = LLAMA, name: str = "child", base: str = "llama-3.1-8b") -> Audit:
    """A fine-tune of which the weights do not show that it is not the parent."""
    child = fingerprint(tuned(BASE, 5, 0.2), name)
    return audited(scanned(child, {base: (fingerprint(BASE, base), facts)}))


@cache
def pruned(facts: Facts = LLAMA) -> Audit:
    """A model with two of the base's blocks left out, which shows what came first; a stranger is known, too."""
    child = fingerprint(layers(BASE, [0, 3]), "child")
    known = {"llama-3.1-8b": (fingerprint(BASE, "base"), facts), "stranger": (fingerprint(toy_model(9), "other"), APACHE)}
    return audited(scanned(child, known))


@cache
def copy() -> Audit:
    """The base itself under another name."""
    return audited(
        scanned(fingerprint(BASE, "child", "ab" * 16), {"llama-3.1-8b": (fingerprint(BASE, "base", "ab" * 16), LLAMA)})
    )


@cache
def stranger() -> Audit:
    """A model without relatives."""
    return audited(scanned(fingerprint(toy_model(7), "child"), {"llama-3.1-8b": (fingerprint(BASE, "base"), LLAMA)}))


@cache
def merge(first: Facts = LLAMA, second: Facts = QWEN) -> Audit:
    """A model with two relatives, of which it is said to be a merge."""
    child = fingerprint(tuned(BASE, 5, 0.1), "child")
    known = {
        "one": (fingerprint(tuned(BASE, 6, 0.2), "one"), first),
        "two": (fingerprint(tuned(BASE, 8, 0.2), "two"), second),
    }
    found = scanned(child, known)
    weights = (Weight("two", 0.6, 0.01, 0.58, 0.62), Weight("one", 0.4, 0.01, 0.38, 0.42))
    return audited(replace(found, parents=Mixture("linear", None, parents=weights)))


def checked(audit: Audit, *claims: Claim) -> Audit:
    """The same audit with claims and two findings of one rule and one of another."""
    findings = (
        broken(
            "TG101",
            "the declared base is 'x'",
            shown="The weights come from 'y'.",
            claimed="README.md: base_model names 'x'",
            where="README.md",
        ),
        broken("TG302", "the card lacks 'Built with Llama'"),
        broken("TG302", "the card lacks 'Built with Qwen'"),
    )
    return replace(audit, claims=Claims(claims), findings=findings)


def renamed(audit: Audit, text: str) -> Audit:
    """The same audit with every text that comes from files, registries and users being this one."""
    facts = Facts(f"{text}/{text}", text, text, text, text, (text,), text, text)

    def entry(each: Relative) -> Relative:
        return replace(each, entry=replace(each.entry, name=f"{text}{each.entry.name[-1]}", facts=facts))

    names = {each.entry.name: f"{text}{each.entry.name[-1]}" for each in audit.scan.relatives}
    mixture = audit.scan.parents
    if mixture is not None:
        mixture = replace(mixture, parents=tuple(replace(each, name=names[each.name]) for each in mixture.parents))
    scan = replace(audit.scan, name=text, relatives=tuple(map(entry, audit.scan.relatives)), parents=mixture, notices=(text,))
    duties = tuple(replace(each, ancestor=text, through=(text,)) for each in audit.obligations)
    return replace(
        audit,
        scan=scan,
        location=text,
        obligations=(*duties, Obligation(text, None, text, (text,), False)),
        claims=Claims((Claim("licence", text, text), Claim("base_model", text, text))),
        findings=(Finding("TG101", "error", text, text, text, text, text), Finding(text, "note", text, where=text)),
    )
