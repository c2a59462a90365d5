"""Descent: what a model says of its base against what a scan shows."""

from pathlib import Path
from typing import Any

import pytest

from support.claimed import claims, entry, relative, scan
from tensorguard.licences.audit import SEVERITIES
from tensorguard.licences.checks import findings
from tensorguard.licences.claim import Claim
from tensorguard.licences.claims import Claims
from tensorguard.licences.declared import Directory, repository
from tensorguard.licences.rules import PAGE, RULES
from tensorguard.licences.shapes import Shapes
from tensorguard.lineage.mixture import Excluded, Mixture
from tensorguard.lineage.parents import Weight
from tensorguard.lineage.scan import Relative, Scan

BASE, OTHER, TUNED = entry("org/base"), entry("org/other"), entry("org/tuned", "", "org/base")
KNOWN = (BASE, OTHER, TUNED)
FROM_BASE = scan(relative(BASE, "derived", "fine-tuned"), others=(relative(OTHER, "independent", evidence=None),))


def rules(said: Claims, found: Scan = FROM_BASE, *, shapes: Shapes | None = None, also: bool = False) -> list[str]:
    """The rules that are broken, those of licences apart."""
    every = [each.rule for each in findings(said, found, (), Directory(KNOWN), shapes)]
    return every if also else [rule for rule in every if not rule.startswith(("TG2", "TG907", "TG905"))]


@pytest.mark.parametrize(
    "name",
    [
        "org/base",
        "ORG/Base",
        "https://huggingface.co/org/base",
        "hf.co/org/base/tree/main",
        "org/base@v1",
        "base",
        " org/base/ ",
    ],
)
def test_a_declared_base_that_the_weights_show(name: str) -> None:
    assert rules(claims(base_model=name)) == []


@pytest.mark.parametrize("name", ["mirror/base", "mirror/Base-GGUF", "unsloth/base-bnb-4bit"])
def test_a_mirror_confirms_and_never_accuses(name: str) -> None:
    assert rules(claims(base_model=name)) == []
    elsewhere = scan(others=(relative(BASE, "independent"),))
    assert rules(claims(base_model=name), elsewhere) == ["TG901", "TG903"]


def test_a_declared_base_that_the_weights_contradict() -> None:
    found = findings(claims(base_model="org/other"), FROM_BASE, (), Directory(KNOWN))
    first = found[0]
    assert (first.rule, first.severity, first.where) == ("TG101", "error", "README.md")
    assert "independent of it" in first.message
    assert "'org/base' (derived, p < 1e-50)" in first.shown
    assert "README.md: base_model names 'org/other'" in first.claimed


def test_one_of_two_declared_bases_is_wrong() -> None:
    assert rules(claims(base_model=("org/base", "org/other"))) == ["TG101"]


def test_no_base_is_declared() -> None:
    assert rules(claims()) == ["TG102"]
    assert rules(claims(), scan(relative(BASE, "related")))[0] == "TG102"
    assert findings(claims(), scan(relative(BASE, "related")), (), Directory(KNOWN))[0].severity == "warning"
    assert rules(claims(), scan(relative(BASE, "identical"))) == ["TG102"]


def test_a_known_model_need_not_name_a_base() -> None:
    assert rules(claims(name="org/base"), scan(relative(BASE, "same-weights"))) == []
    assert rules(claims(name="base"), scan(relative(BASE, "identical"))) == []
    assert rules(claims(name="base"), FROM_BASE) == ["TG102"]


def test_a_base_whose_descendants_are_known() -> None:
    later = scan(relative(TUNED, "derived", "quantised", direction="second from first"))
    assert rules(claims(name="org/mine"), later) == ["TG903"]
    assert rules(claims(name="org/base"), scan(relative(TUNED, "derived"))) == ["TG902"]


def test_from_scratch() -> None:
    said = claims(scratch="We trained it from scratch")
    assert rules(said) == ["TG103"]
    assert rules(said, scan()) == ["TG903"]
    assert rules(claims(scratch="The base was trained from scratch", base_model="org/base")) == []


def test_a_base_that_is_not_known() -> None:
    assert rules(claims(base_model="org/unheard-of")) == ["TG104", "TG901"]
    assert rules(claims(base_model="org/unheard-of"), scan(others=(relative(BASE, "independent"),))) == ["TG901", "TG903"]
    assert rules(claims(base_model="meta-llama/Llama-3.2-1B-Instruct"), scan(relative(entry("meta-llama/Llama-3.2-1B")))) == [
        "TG901"
    ]


def test_what_cannot_be_told() -> None:
    undecided = scan(others=(relative(BASE, "inconclusive"),))
    assert rules(claims(base_model="org/base"), undecided) == ["TG902", "TG903"]
    assert rules(claims(base_model="org/base"), scan()) == ["TG902", "TG903"]


def test_only_components() -> None:
    shared = scan(relative(BASE, "shares-components"))
    for said in (claims(base_model="org/base"), claims(), claims(base_model="org/unheard-of")):
        assert rules(said, shared) in (["TG109", "TG903"], ["TG109", "TG901", "TG903"])
    assert "not declared: embeddings" in findings(claims(), shared, (), Directory(KNOWN))[0].message


def test_an_adapter_on_another_base() -> None:
    said = claims()

    adapter = Claims((*said.claims, Claim("base_model", "org/other", "adapter_config.json: base_model_name_or_path")))
    assert rules(adapter) == ["TG110"]


def test_a_secret_key_that_denies() -> None:
    denied = scan(relative(BASE, "derived", confirmed=False))
    assert rules(claims(base_model="org/base"), denied) == ["TG902", "TG903"]
    assert "TG102" not in rules(claims(), denied)


def test_a_much_closer_relative() -> None:
    near, far = relative(TUNED, "derived", distance=0.01), relative(BASE, "derived", distance=0.3)
    assert rules(claims(base_model="org/base"), scan(near, far)) == ["TG108"]
    assert rules(claims(base_model="org/tuned"), scan(near, far)) == []


@pytest.mark.parametrize(
    ("said", "shown", "expected"),
    [
        ("finetune", ("derived", "fine-tuned"), []),
        ("finetune", ("derived", "quantised"), []),
        ("finetune", ("identical",), ["TG105"]),
        ("finetune", ("derived", "cast"), ["TG105"]),
        ("quantized", ("derived", "quantised"), []),
        ("quantized", ("same-weights",), []),
        ("quantized", ("derived", "fine-tuned"), ["TG105"]),
        ("quantized", ("derived", "layers", "continued"), ["TG105"]),
        ("adapter", ("derived", "adapter"), ["TG105"]),
        ("adapter", ("same-weights",), ["TG105"]),
        ("merge", ("derived", "fine-tuned"), []),
        ("something else", ("derived", "fine-tuned"), []),
    ],
)
def test_the_relation(said: str, shown: tuple[str, ...], expected: list[str]) -> None:
    assert rules(claims(base_model="org/base", relation=said), scan(relative(BASE, *shown))) == expected


def test_whole_weights_are_no_adapter_and_an_adapter_is_one() -> None:
    said = claims(base_model="org/base", relation="adapter")
    found = findings(said, FROM_BASE, (), Directory(KNOWN))[0]
    assert (found.rule, found.shown) == ("TG105", "the files hold whole weights, and no adapter")
    files = Claim("adapter", "LORA", "adapter_config.json: peft_type")
    assert rules(Claims((*said.claims, files))) == []


@pytest.mark.parametrize(("distance", "expected"), [(0.0066, ["TG105"]), (0.009, []), (0.09, []), (None, [])])
def test_rounding_to_eight_bits_is_no_training_and_four_may_hide_one(distance: float | None, expected: list[str]) -> None:
    rounded = scan(relative(BASE, "derived", "quantised", distance=distance))
    assert rules(claims(base_model="org/base", relation="finetune"), rounded) == expected
    assert rules(claims(base_model="org/base", relation="quantized"), rounded) == []


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("org/other", ["TG111"]),
        ("https://huggingface.co/org/other", ["TG111"]),
        ("org/base", []),
        ("mirror/other", []),
        ("/home/me/org/other", []),
        ("other", []),
        ("./other", []),
    ],
)
def test_what_the_configuration_lets_slip_is_held_against_the_weights(said: str, expected: list[str]) -> None:
    origin = Claim("origin", said, "config.json: _name_or_path")
    assert rules(Claims((*claims(base_model="org/base").claims, origin))) == expected
    declared = rules(Claims((*claims(base_model="org/other").claims, origin)))
    assert declared == ["TG101"]  # once is enough


def mixed(**more: Any) -> Scan:
    weights = (Weight("org/base", 0.7, 0.01, 0.68, 0.72), Weight("org/other", 0.3, 0.01, 0.28, 0.32))
    parents = Mixture("linear", None, parents=weights, **more)
    return scan(relative(BASE), relative(OTHER), parents=parents)


def merge(**weights: str) -> Claims:
    parents = tuple(f"org/{name}" for name in weights)
    said = tuple(f"{weight} org/{name}" for name, weight in weights.items())
    return claims(merge_parent=parents, merge_weight=said, merge_method="linear", relation="merge")


def test_the_parents_of_a_merge() -> None:
    assert rules(merge(base="0.7", other="0.3"), mixed()) == []
    assert rules(merge(base="7", other="3"), mixed()) == []
    assert rules(merge(base="0.3", other="0.7"), mixed()) == ["TG106", "TG106"]
    assert (
        rules(merge(base="1", tuned="1"), mixed(excluded=(Excluded("org/tuned", 1.0, "contributes nothing"),)))[:2]
        == ["TG106"] * 2
    )
    assert rules(claims(base_model=("org/base", "org/other"), relation="finetune"), mixed()) == ["TG105"]
    single: tuple[Relative, ...] = (relative(BASE), relative(OTHER))
    assert rules(claims(base_model=("org/base", "org/other"), relation="merge"), scan(*single)) == ["TG105"]


def test_two_files_that_name_different_bases() -> None:
    said = claims(base_model="org/base")

    config = Claim("base_model", "org/tuned", "adapter_config.json: base_model_name_or_path")
    both = scan(relative(BASE), relative(TUNED))
    assert rules(Claims((*said.claims, config)), both) == ["TG107"]


def test_a_configuration_of_another_model() -> None:
    true = Shapes(width=64, blocks=4, vocabulary=1024, neurons=128)
    said = {"width": "64", "blocks": "4", "vocabulary": "1000", "neurons": "128", "tied": "true", "base_model": "org/base"}
    assert rules(claims(**said), shapes=true) == []
    assert rules(claims(**said), shapes=Shapes()) == []
    for field in ("width", "blocks", "vocabulary", "neurons"):
        for wrong in ("99999", "-1", "x", "²"):
            assert rules(claims(**(said | {field: wrong})), shapes=true) == ["TG401"]
    assert rules(claims(**said), shapes=Shapes(untied=True)) == ["TG401"]


def test_damaged_files_and_imported_fingerprints() -> None:
    assert rules(Claims(damaged=(("README.md", "is not YAML"),)), scan(), also=True) == ["TG402", "TG903", "TG905"]
    imported = scan(relative(entry("org/base", verified=False), "derived"))
    assert rules(claims(), imported, also=True) == ["TG102", "TG905", "TG906", "TG907"]
    confirmed = scan(relative(BASE, "derived", confirmed=True))
    assert rules(claims(), confirmed, also=True) == ["TG102", "TG905"]


def test_names_of_models() -> None:
    assert repository("https://huggingface.co/org/a/blob/main/x.gguf") == "org/a"
    catalogued = entry("meta-llama/Meta-Llama-3-8B")
    assert Directory([catalogued]).matching("NousResearch/Meta-Llama-3-8B-GGUF") == ((catalogued,), False)
    assert Directory([catalogued]).matching("https://hf.co/meta-llama/Meta-Llama-3-8B@main") == ((catalogued,), True)
    assert Directory([entry("x/base"), BASE]).matching("org/base") == ((BASE,), True)
    assert Directory([BASE]).matching("x/base") == ((BASE,), False)
    assert Directory([BASE]).matching("") == ((), False)
    assert Directory([entry("base")]).matching("../../base") == ((entry("base"),), True)


def test_rules_are_well_kept() -> None:
    assert list(RULES) == sorted(RULES)
    assert len({rule.anchor for rule in RULES.values()}) == len(RULES)
    for rule in RULES.values():
        assert rule.severity in SEVERITIES
        assert rule.means.endswith(".")
        assert rule.help.endswith((".", ")."))


def test_every_rule_is_explained_where_it_says() -> None:
    page = (Path(__file__).parents[2] / PAGE).read_text()
    for rule in RULES.values():
        heading = next(line.removeprefix("### ") for line in page.splitlines() if line.startswith(f"### {rule.id} "))
        assert heading.lower().replace(" ", "-") == rule.anchor
        assert f"\n*{rule.severity}.* {rule.means}" in page
        assert f"What to do: {rule.help}" in page
