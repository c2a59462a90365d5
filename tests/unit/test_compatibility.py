"""Which claimed licences drop the terms under which a parent came."""

import pytest

from tensorguard.licences.compatibility import compatible, dropped, duties, strictest
from tensorguard.licences.licence import licences

KNOWN = licences()


@pytest.mark.parametrize(
    ("claimed", "parent", "because"),
    [
        ("apache-2.0", "llama3.1", "prescribes a name"),
        ("apache-2.0", "llama2", "restricts uses"),
        ("mit", "gemma", "wants its terms passed on"),
        ("mit", "cc-by-nc-4.0", "allows no commercial use"),
        ("llama3.1", "cc-by-nc-4.0", "allows no commercial use"),
        ("llama3.1", "llama3", "prescribes a name"),
        ("cc-by-nc-4.0", "cc-by-nc-sa-4.0", "wants derivatives under the same licence"),
        ("mit", "gpl-3.0", "wants derivatives under the same licence"),
        ("mit", "bigscience-bloom-rail-1.0", "restricts uses"),
        ("mit", "qwen", "has a limit of users or revenue"),
        ("apache-2.0", "modified-mit", "has a limit of users or revenue"),
        ("apache-2.0", "mrl", "allows no commercial use"),
        ("gemma", "llama3.1", "prescribes words to display"),
        ("agpl-3.0", "gpl-3.0", "wants derivatives under the same licence"),
        ("cc0-1.0", "apache-2.0", "wants its notices kept"),
        ("cc0-1.0", "mit", "wants its text kept"),
        ("unlicense", "cc-by-nc-4.0", "allows no commercial use"),
    ],
)  # fmt: skip
def test_what_is_dropped(claimed: str, parent: str, because: str) -> None:
    reason = compatible(KNOWN[claimed], KNOWN[parent])
    assert reason is not None
    assert because in reason
    assert KNOWN[parent].name in reason
    assert claimed in reason


@pytest.mark.parametrize(
    ("claimed", "parent"),
    [
        ("llama3.1", "apache-2.0"), ("mit", "apache-2.0"), ("cc-by-nc-4.0", "mit"), ("mit", "cc-by-4.0"), ("mit", "unlicense"),
        ("openrail", "bigscience-bloom-rail-1.0"), ("bigcode-openrail-m", "creativeml-openrail-m"), ("gpl-3.0", "cc-by-sa-4.0"),
        ("cc-by-nc-sa-4.0", "cc-by-nc-4.0"), ("llama3.3", "llama3.1"),
    ],
)  # fmt: skip
def test_what_carries_on(claimed: str, parent: str) -> None:
    assert compatible(KNOWN[claimed], KNOWN[parent]) is None


@pytest.mark.parametrize("licence", KNOWN.values(), ids=lambda each: each.id)
def test_a_licence_carries_itself_on(licence) -> None:
    assert compatible(licence, licence) is None
    assert dropped(licence, licence) == ()


@pytest.mark.parametrize("parent", [each for each in KNOWN.values() if not each.relicensing], ids=lambda each: each.id)
def test_no_other_licence_can_be_replaced_by_mit(parent) -> None:
    """InternLM's terms alone bind nobody but those who register."""
    assert (compatible(KNOWN["mit"], parent) is None) == (parent.id == "internlm")


def test_the_heaviest_is_named_first() -> None:
    kinds = [duty.kind for duty in dropped(KNOWN["mit"], KNOWN["exaone"])]
    assert kinds[0] == "non-commercial"
    assert "name" in kinds


def test_the_strictest() -> None:
    assert strictest([]) is None
    assert strictest(KNOWN[each] for each in ("mit", "llama3.1", "cc-by-nc-4.0")).id == "cc-by-nc-4.0"
    assert strictest(KNOWN[each] for each in ("apache-2.0", "llama3.1", "modified-mit")).id == "llama3.1"
    assert strictest(KNOWN[each] for each in ("mit", "gpl-3.0")).id == "gpl-3.0"


def test_duties_by_id() -> None:
    found = list(duties(["llama3.1", "nobody's", "mit", "llama3.1"]))
    assert [licence.id for licence, _ in found] == ["llama3.1"] * len(KNOWN["llama3.1"].duties) + ["mit"]
