"""The model-card snippet: front matter that the hub takes, and what licences ask a card to say."""

from dataclasses import replace
from typing import Any

import pytest
import yaml

from support import audits
from support.lineages import pair
from tensorguard.licences.audit import Audit
from tensorguard.licences.claims import Claim
from tensorguard.licences.licence import licences
from tensorguard.licences.obligations import Obligation
from tensorguard.lineage.kinds import Kind
from tensorguard.registry.entry import Facts
from tensorguard.reports.model_card import HUB_LICENCES, to_card


def front(audit: Audit) -> dict[str, Any]:
    card = to_card(audit)
    assert card.startswith("---\n")
    return yaml.safe_load(card.split("---\n")[1])


def with_kind(audit: Audit, kind: str) -> Audit:
    (each,) = audit.scan.relatives
    lineage = replace(each.lineage, kinds=(Kind(kind, kind, None),))
    return replace(audit, scan=replace(audit.scan, relatives=(replace(each, lineage=lineage),)))


def test_a_fine_tune() -> None:
    assert front(audits.fine_tune()) == {
        "base_model": "meta/Llama-3.1-8B",
        "base_model_relation": "finetune",
        "license": "llama3.1",
    }
    text = to_card(audits.fine_tune())
    assert "**Built with Llama**" in text
    assert "p < 1e-29" in text
    assert "the weights do not show which of the two came first" in text
    assert "begin with `Llama`" in text


def test_a_merge_names_all_parents_the_heaviest_first_and_no_single_licence() -> None:
    found = front(audits.merge())
    assert found["base_model"] == ["Qwen/Qwen2.5-72B", "meta/Llama-3.1-8B"]
    assert found["base_model_relation"] == "merge"
    assert (found["license"], found["license_name"], found["license_link"]) == ("other", "qwen-and-llama3.1", "LICENSE")
    assert "Built with Qwen or Improved using Qwen" in to_card(audits.merge())


def test_quantised_adapters_and_copies() -> None:
    assert front(with_kind(audits.fine_tune(), "quantised"))["base_model_relation"] == "quantized"
    assert front(audits.checked(audits.fine_tune(), Claim("adapter", "lora", "")))["base_model_relation"] == "adapter"
    assert "base_model_relation" not in front(audits.copy())
    assert "certain: equal digests" in to_card(audits.copy())


@pytest.mark.parametrize(
    ("ancestor", "declared", "expected"),
    [
        ("llama3.1", "mit", {"license": "llama3.1"}),
        ("apache-2.0", "mit", {"license": "mit"}),
        ("apache-2.0", None, {"license": "apache-2.0"}),
        ("qwen", None, {"license": "other", "license_name": "qwen", "license_link": licences()["qwen"].source}),
        ("no: such", "mit", {"license": "other", "license_name": "no: such", "license_link": "LICENSE"}),
        ("", None, {}),
    ],
)
def test_the_licence_is_what_the_ancestor_leaves(ancestor: str, declared: str | None, expected: dict[str, str]) -> None:
    audit = audits.fine_tune(Facts("org/base", licence=ancestor))
    if declared:
        audit = audits.checked(audit, Claim("licence", declared, "README.md: license"))
    found = front(audit)
    assert {name: value for name, value in found.items() if name.startswith("license")} == expected


def test_a_stranger_gets_no_front_matter_and_no_all_clear() -> None:
    text = to_card(audits.stranger())
    assert text.startswith("## Provenance")
    assert "does not show that the model was trained from scratch" in text


def test_a_relative_that_is_no_parent_is_named_below_only() -> None:
    audit = audits.fine_tune()
    (each,) = audit.scan.relatives
    for lineage, said in (
        (replace(each.lineage, direction="second from first"), "derives from this model"),
        (pair("related").lineage, "Related to `meta/Llama-3.1-8B` (related)"),
    ):
        scan = replace(audit.scan, relatives=(replace(each, lineage=lineage),))
        text = to_card(replace(audit, scan=scan, obligations=()))
        assert "base_model" not in text
        assert said in text


def test_what_is_not_measured_or_not_verified_is_called_so() -> None:
    audit = audits.fine_tune()
    (each,) = audit.scan.relatives
    scan = replace(audit.scan, relatives=(replace(each, entry=replace(each.entry, verified=False)),))
    grandparent = Obligation("", None, "grandparent", ("llama-3.1-8b",), False)
    text = to_card(replace(audit, scan=scan, obligations=(*audit.obligations, grandparent)))
    assert "somebody's claim, not verified" in text
    assert "`grandparent` is under a licence that is not known (an ancestor by record, not measured)" in text


def test_ids_that_the_hub_takes_are_ids_that_we_know() -> None:
    assert licences().keys() >= HUB_LICENCES
