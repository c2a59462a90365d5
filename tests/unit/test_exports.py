"""Every form of an audit: valid by its official schema, the same each time, and true to the audit."""

import json
import pickle
import subprocess
import sys
from collections.abc import Callable

import pytest
from spdx_python_model import load_data

from support import audits
from support.validation import check_cyclonedx, check_sarif, check_spdx
from tensorguard.errors import UsageError
from tensorguard.licences.audit import Audit
from tensorguard.licences.claims import Claim
from tensorguard.reports.cyclonedx import to_cyclonedx
from tensorguard.reports.exports import exports
from tensorguard.reports.sarif import to_sarif
from tensorguard.reports.spdx import to_spdx

MAKERS: dict[str, Callable[[], Audit]] = {
    "fine-tune": audits.fine_tune,
    "pruned": audits.pruned,
    "copy": audits.copy,
    "stranger": audits.stranger,
    "merge": audits.merge,
    "check": lambda: audits.checked(audits.pruned(), Claim("licence", "MIT", "README.md: license")),
}


@pytest.fixture(params=MAKERS)
def case(request: pytest.FixtureRequest) -> Audit:
    made: Audit = MAKERS[request.param]()
    return made


def test_sarif_is_valid_and_holds_every_finding_duty_and_relative(case: Audit) -> None:
    results = check_sarif(to_sarif(case))["runs"][0]["results"]
    count = {kind: sum(each["kind"] == kind for each in results) for kind in ("fail", "review", "informational")}
    assert count == {"fail": len(case.findings), "review": len(case.obligations), "informational": 1 + len(case.scan.relatives)}
    assert [(each["ruleId"], each["level"]) for each in results if each["kind"] == "fail"] == [
        (each.rule, each.severity) for each in case.findings
    ]


def test_cyclonedx_is_valid_and_holds_every_relative_once(case: Audit) -> None:
    component = check_cyclonedx(to_cyclonedx(case))["metadata"]["component"]
    assert (component["type"], component["name"]) == ("machine-learning-model", "child")
    pedigree = component["pedigree"]
    found = [each["name"] for kind in ("ancestors", "descendants", "variants") for each in pedigree.get(kind, ())]
    assert sorted(found) == sorted(each.entry.name for each in case.scan.relatives)


def test_spdx_is_valid_by_schema_and_by_the_reference_library(case: Audit) -> None:
    document = check_spdx(to_spdx(case))
    packages = [each for each in document["@graph"] if each["type"] == "ai_AIPackage"]
    assert len(packages) == 1 + len(case.scan.relatives)
    model, objects = load_data(document)
    assert len(list(objects.foreach_type(model.ai_AIPackage))) == len(packages)
    root = next(iter(objects.foreach_type(model.SpdxDocument)))
    assert [each.name for each in root.rootElement] == ["child"]


_EXPORT = """
import pickle, sys
from tensorguard.reports.exports import exports
audit = pickle.load(sys.stdin.buffer)
print(*(make() for make in exports(audit).values()), sep="\\n")
"""


def test_equal_audits_give_equal_text_in_any_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process has another order of sets."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    monkeypatch.setenv("PYTHONHASHSEED", "1")
    audit = audits.checked(audits.merge(), Claim("licence", "mit", ""), Claim("licence", "apache-2.0", ""))
    there = subprocess.run([sys.executable, "-c", _EXPORT], input=pickle.dumps(audit), capture_output=True, check=True).stdout
    assert there.decode() == "".join(f"{make()}\n" for make in exports(audit).values())


def test_the_time_of_an_spdx_document_is_that_of_the_source_if_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    creation = next(each for each in json.loads(to_spdx(audits.pruned()))["@graph"] if each["type"] == "CreationInfo")
    assert creation["created"] == "2023-11-14T22:13:20Z"


@pytest.mark.parametrize("epoch", ["yesterday", "1" * 30, "1.5"])
def test_a_time_that_is_none_is_refused(epoch: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
    with pytest.raises(UsageError, match="SOURCE_DATE_EPOCH"):
        to_spdx(audits.pruned())


def test_a_broken_document_is_refused_by_the_schemas() -> None:
    """The validators can fail, too."""
    log, bill, document = (json.loads(made(audits.pruned())) for made in (to_sarif, to_cyclonedx, to_spdx))
    log["runs"][0]["results"][0]["level"] = "bad"
    bill["metadata"]["component"]["pedigree"]["ancestors"][0]["evidence"]["identity"][0]["confidence"] = 1.5
    next(each for each in document["@graph"] if each["type"] == "Relationship")["relationshipType"] = "childOf"
    for check, tree in ((check_sarif, log), (check_cyclonedx, bill), (check_spdx, document)):
        with pytest.raises(Exception, match=r"bad|1\.5|not valid|childOf|valid under"):
            check(json.dumps(tree))
