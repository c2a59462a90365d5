"""Licences: what a model declares and keeps against what its ancestors' licences ask; with the licences' own data."""

from typing import Any

import pytest

from support.claimed import claims, entry, relative, scan
from tensorguard.licences.audit import Finding
from tensorguard.licences.checks import findings
from tensorguard.licences.claim import Claim
from tensorguard.licences.claims import Claims
from tensorguard.licences.declared import Directory
from tensorguard.licences.obligations import obligations
from tensorguard.licences.relicensed import binding
from tensorguard.lineage.mixture import Mixture
from tensorguard.lineage.parents import Weight
from tensorguard.registry.entry import Entry

LLAMA = entry("org/llama", "llama3.2")
NOTICE = "Llama 3.2 is licensed under the Llama 3.2 Community License, Copyright © Meta Platforms, Inc. All Rights Reserved."
AGREEMENT = "LLAMA 3.2 COMMUNITY LICENSE AGREEMENT\nLlama 3.2 Version Release Date: September 25, 2024\n"
KEPT = {"LICENSE": AGREEMENT, "Notice": NOTICE, "USE_POLICY.md": "Llama 3.2 Acceptable Use Policy"}
CARD = "# Llama-mine\n\n**Built with Llama**\n"
TRUE = {"name": "org/Llama-mine", "licence": "llama3.2"}


def found(said: Claims, *known: Entry) -> tuple[Finding, ...]:
    """What is found of a model that derives from the first of the known ones and declares it."""
    derived = scan(relative(known[0], "derived", "fine-tuned"))
    declared = Claims(
        (Claim("base_model", known[0].name, "README.md: base_model"), *said.claims), said.card, said.files, said.texts
    )
    return findings(declared, derived, binding(obligations(derived, known), known), Directory(known))


def rules(said: Claims, *known: Entry, notes: bool = False) -> list[str]:
    return [each.rule for each in found(said, *known) if notes or each.severity != "note"]


def kept(card: str = CARD, files: dict[str, str] | None = None, **said: Any) -> Claims:
    return claims(card, KEPT if files is None else files, **(TRUE | said))


def test_all_duties_are_kept() -> None:
    assert rules(kept(), LLAMA) == []
    assert set(rules(kept(), LLAMA, notes=True)) == {"TG208", "TG209"}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (kept(licence="apache-2.0"), ["TG203", "TG206"]),
        (kept(licence="mit", files={}), ["TG203", "TG205", "TG207", "TG303"]),
        (kept(name="org/Mine"), ["TG301"]),
        (kept(name="org/My-Llama"), ["TG301"]),
        (kept(card="# Llama-mine\n<!-- Built with Llama -->\n"), ["TG302"]),
        (kept(card="```\nBuilt with Llama\n```"), ["TG302"]),
        (kept(card=""), ["TG302"]),
        (kept(files=KEPT | {"Notice": "Llama 3.1 is licensed"}), ["TG303"]),
        (kept(files={"LICENSE": f"{AGREEMENT}the following attribution notice: “{NOTICE}”", "USE_POLICY.md": "x"}), ["TG303"]),
        (kept(files={name: text for name, text in KEPT.items() if name != "LICENSE"}), ["TG205"]),
        (kept(files=KEPT | {"LICENSE": "Apache License\nVersion 2.0, January 2004"}), ["TG205", "TG206"]),
        (claims(CARD, KEPT, name="org/Llama-mine"), ["TG201"]),
    ],
)
def test_a_duty_that_is_not_kept(said: Claims, expected: list[str]) -> None:
    assert rules(said, LLAMA) == expected


def test_words_count_however_they_are_spelt() -> None:
    card = "## [built   WITH\nllama](https://llama.com) “proudly”"
    assert rules(kept(card=card), LLAMA) == []
    assert rules(kept(files=KEPT | {"Notice": NOTICE.upper().replace(" ", "\n")}), LLAMA) == []
    for name in ("org/llama-mine", "org/Llama 3.2 mine", "org/LLaMA_mine"):
        assert rules(kept(name=name), LLAMA) == [], name


def test_a_folder_may_be_called_anything_so_its_name_is_a_warning() -> None:
    (finding,) = (each for each in found(kept(name="checkpoint-500"), LLAMA) if each.rule == "TG301")
    assert finding.severity == "warning"
    (finding,) = (each for each in found(kept(name=("checkpoint-500", "org/Mine")), LLAMA) if each.rule == "TG301")
    assert (finding.severity, "'Mine'" in finding.message) == ("error", True)


def test_a_licence_that_is_not_known() -> None:
    assert rules(kept(licence="my-own-terms"), LLAMA, notes=True)[0] == "TG202"
    assert "TG904" in rules(kept(), entry("org/x", "somebodys-terms"), notes=True)
    (unsaid,) = (each for each in found(kept(), entry("org/x")) if each.rule == "TG904")
    assert unsaid.message == "nobody says under which licence 'org/x' is"


def test_other_means_what_name_or_link_say() -> None:
    assert rules(kept(licence="other", licence_name="llama3.2"), LLAMA) == []
    assert "TG202" in rules(kept(licence="other"), LLAMA, notes=True)
    assert rules(kept(licence="other", licence_name="mit"), LLAMA) == ["TG203", "TG206"]


def test_no_commercial_use() -> None:
    parent = entry("org/nc", "cc-by-nc-4.0")
    wrong = [each for each in found(claims("By org/nc", licence="apache-2.0"), parent) if each.severity == "error"]
    assert [each.rule for each in wrong] == ["TG204"]
    assert "allows commercial use" in wrong[0].message
    assert "TG204" not in rules(claims("By org/nc", licence="cc-by-nc-4.0"), parent)


def test_a_permissive_parent_asks_for_little() -> None:
    parent = entry("org/free", "apache-2.0")
    assert (
        rules(claims("# mine", {"LICENSE": "Apache License\n   Version 2.0, January 2004"}, licence="apache-2.0"), parent) == []
    )
    assert rules(claims("# mine", {"LICENSE": "Apache License\n   Version 2.0, January 2004"}, licence="mit"), parent) == [
        "TG206"
    ]
    assert rules(claims("# mine", licence="apache-2.0"), parent) == ["TG205"]


def test_terms_inherited_through_a_chain() -> None:
    chain = (entry("other/laundered", "mit", "org/llama"), LLAMA)
    said = rules(claims("# mine", {"LICENSE": "MIT License\n\nCopyright"}, name="org/mine", licence="mit"), *chain)
    assert {"TG203", "TG301", "TG302"} <= set(said)


def test_a_publisher_may_give_its_own_models_under_new_terms() -> None:
    again = (entry("org/free", "apache-2.0", "org/llama"), LLAMA)
    said = claims("# mine", {"LICENSE": "Apache License\nVersion 2.0, January 2004"}, name="org/mine", licence="apache-2.0")
    assert rules(said, *again) == []
    real = (
        entry("meta-llama/Llama-3.2-1B", "llama3.2", "meta-llama/Llama-3.1-8B"),
        entry("meta-llama/Llama-3.1-8B", "llama3.1"),
    )
    assert rules(kept(), *real) == []


def test_a_sibling_is_no_proof() -> None:
    base, sibling = entry("org/free", "mit"), entry("other/tuned", "cc-by-nc-4.0", "org/free")
    derived = scan(relative(sibling, "derived", "fine-tuned"))
    for said, expected in (("org/free", "warning"), ("org/unheard-of", "error"), ("other/tuned", "error")):
        declared = claims("# mine", licence="mit", base_model=said)
        every = findings(declared, derived, obligations(derived, (base, sibling)), Directory((base, sibling)))
        assert [each.severity for each in every if each.rule == "TG204"] == [expected], said


def test_what_may_be_training_on_like_data_is_no_proof() -> None:
    base, other = entry("org/free", "mit"), entry("other/tuned", "cc-by-nc-4.0")
    weights = tuple(Weight(each.name, 0.5, 0.01, 0.48, 0.52) for each in (base, other))
    for method, expected in (("sparse", "warning"), ("linear", "error")):
        found = scan(relative(base), relative(other), parents=Mixture(method, None, parents=weights))
        every = findings(
            claims("# mine", licence="mit", base_model="org/free"),
            found,
            obligations(found, (base, other)),
            Directory((base, other)),
        )
        assert [each.severity for each in every if each.rule == "TG204"] == [expected], method


def test_each_duty_is_named_once() -> None:
    twice = scan(relative(LLAMA), relative(entry("org/llama-too", "llama3.2")))
    known = [each.entry for each in twice.relatives]
    every = [each.rule for each in findings(claims("# x", licence="mit"), twice, obligations(twice, known), Directory(known))]
    assert every.count("TG302") == every.count("TG203") == 1
