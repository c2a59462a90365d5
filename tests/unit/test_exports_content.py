"""What each form of an audit says: places in the pedigree, confidence, licences, locations."""

import json
from dataclasses import replace
from typing import Any

import pytest
from packageurl import PackageURL

from support import audits
from support.lineages import pair
from tensorguard.licences.audit import Audit
from tensorguard.licences.claims import Claim
from tensorguard.lineage.scan import Relative, Scan
from tensorguard.lineage.verdict import Lineage
from tensorguard.registry.entry import Entry
from tensorguard.reports.cyclonedx import to_cyclonedx
from tensorguard.reports.pedigree import confidence, place, purl
from tensorguard.reports.sarif import to_sarif
from tensorguard.reports.spdx import to_spdx


def relative(verdict: str = "derived", log10_p: float = -50.0, confirmed: bool | None = None, **more: Any) -> Relative:
    lineage: Lineage = pair(verdict, **more).lineage
    return Relative(Entry("base", "public"), lineage, log10_p, log10_p, 0.1, confirmed)


def scan_of(*relatives: Relative) -> Scan:
    return Scan("child", "public", "derived", relatives, (), 10, 5)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (relative(direction="first from second"), "ancestor"),
        (relative(direction="second from first"), "descendant"),
        (relative(direction="unknown"), "variant"),
        (relative("identical"), "variant"),
        (relative("same-weights"), "variant"),
        (relative("related"), "variant"),
        (relative("shares-components"), "variant"),
        (relative(direction="first from second", confirmed=True), "ancestor"),
        (relative(direction="first from second", confirmed=False), None),
    ],
)
def test_a_relative_is_an_ancestor_only_if_the_weights_show_which_came_first(found: Relative, expected: str | None) -> None:
    assert place(scan_of(found), found) == expected


def test_parents_of_a_merge_are_ancestors() -> None:
    scan = audits.merge().scan
    assert [place(scan, each) for each in scan.relatives] == ["ancestor", "ancestor"]
    assert [place(replace(scan, parents=None), each) for each in scan.relatives] == ["variant", "variant"]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (relative("identical", 0.0), 1.0),
        (relative("same-weights", -3.0), 1.0),
        (relative("derived", -300.0), 0.999999),
        (relative("derived", -3.0), 0.999),
        (relative("derived", -6.0, how="certain"), 0.999999),
        (relative("related", 0.0), 0.0),
        (relative("shares-components", 0.0, how="certain"), 0.999999),
    ],
)
def test_only_equal_weights_are_certain(found: Relative, expected: float) -> None:
    assert confidence(found) == expected


def test_somebodys_claim_makes_nothing_certain() -> None:
    found = relative("identical", 0.0)
    assert confidence(replace(found, entry=replace(found.entry, verified=False))) == 0.999999


@pytest.mark.parametrize(
    ("repository", "revision", "expected"),
    [
        ("org/name", "ABCDEF", "pkg:huggingface/org/name@abcdef"),
        ("org/name", "", "pkg:huggingface/org/name"),
        ("org/name", "refs/pr/1", "pkg:huggingface/org/name@refs/pr/1"),
        ("org/name", "a b\ud800", "pkg:huggingface/org/name"),
        ("org/na me?#@", "x", None),
        ("name", "", None),
        ("", "", None),
        ("a/b/c", "", None),
        ("/b", "", None),
        ("../..", "", None),
    ],
)
def test_package_urls(repository: str, revision: str, expected: str | None) -> None:
    facts = replace(audits.LLAMA, repository=repository, revision=revision)
    found = purl(Entry("base", "public", facts=facts))
    assert (found and found.to_string()) == expected
    assert found is None or PackageURL.from_string(found.to_string()) == found


def test_what_the_secret_key_denies_is_in_no_pedigree() -> None:
    audit = audits.pruned()
    denied = replace(
        audit.scan, verdict="inconclusive", relatives=tuple(replace(e, confirmed=False) for e in audit.scan.relatives)
    )
    audit = replace(audit, scan=denied, obligations=())
    component = json.loads(to_cyclonedx(audit))["metadata"]["component"]
    assert component["pedigree"].keys() == {"notes"}
    assert "may be forged" in component["pedigree"]["notes"]
    assert "llama-3.1-8b" not in to_spdx(audit).replace("'llama-3.1-8b'", "")
    assert len(json.loads(to_sarif(audit))["runs"][0]["results"]) == 1


def test_an_ancestor_in_cyclonedx() -> None:
    component = json.loads(to_cyclonedx(audits.pruned()))["metadata"]["component"]
    (ancestor,) = component["pedigree"]["ancestors"]
    assert ancestor["purl"] == "pkg:huggingface/meta/Llama-3.1-8B@abc123"
    (identity,) = ancestor["evidence"]["identity"]
    assert (identity["field"], identity["concludedValue"], identity["confidence"]) == ("purl", ancestor["purl"], 0.999999)
    assert [each["technique"] for each in identity["methods"]] == ["binary-analysis"]
    assert "evidence" not in component
    numbers = {each["name"]: each["value"] for each in ancestor["properties"]}
    assert float(numbers["tensorguard:log10_p"]) == pytest.approx(audits.pruned().scan.relatives[0].log10_p, abs=0.06)
    (licence,) = ancestor["licenses"]
    assert licence["license"]["name"] == "Llama 3.1 Community License Agreement"


def test_a_copy_in_cyclonedx_is_identified_by_its_digests() -> None:
    component = json.loads(to_cyclonedx(audits.copy()))["metadata"]["component"]
    (identity,) = component["evidence"]["identity"]
    assert (identity["concludedValue"], identity["confidence"]) == ("pkg:huggingface/meta/Llama-3.1-8B@abc123", 1)
    assert "hash-comparison" in [each["technique"] for each in identity["methods"]]


def test_declared_licences_have_their_spdx_id_where_there_is_one() -> None:
    claims = Claim("licence", "apache-2.0", ""), Claim("licence", "my own", "")
    component = json.loads(to_cyclonedx(audits.checked(audits.stranger(), *claims)))["metadata"]["component"]
    found = [each["license"] for each in component["licenses"]]
    assert [(each.get("id"), each.get("name")) for each in found] == [("Apache-2.0", None), (None, "my own")]
    assert {each["acknowledgement"] for each in found} == {"declared"}


def elements(audit: Audit, kind: str) -> list[dict[str, Any]]:
    return [each for each in json.loads(to_spdx(audit))["@graph"] if each["type"] == kind]


@pytest.mark.parametrize(
    ("audit", "relation"),
    [(audits.pruned, "descendantOf"), (audits.fine_tune, "hasVariant"), (audits.merge, "descendantOf")],
)
def test_relationships_in_spdx(audit: Any, relation: str) -> None:
    links = [each for each in elements(audit(), "Relationship") if not each["relationshipType"].endswith("License")]
    assert {each["relationshipType"] for each in links} == {relation}
    assert all(each["from"].endswith("#model") for each in links)
    evidence = {
        each["subject"]: json.loads(each["statement"])
        for each in elements(audit(), "Annotation")
        if "json" in each["contentType"]
    }
    assert evidence.keys() == {each["spdxId"] for each in links}
    assert all(each["verdict"] == "derived" and each["log10_p"] < -100 for each in evidence.values())


def test_licences_in_spdx() -> None:
    expressions = [
        each["simplelicensing_licenseExpression"] for each in elements(audits.merge(), "simplelicensing_LicenseExpression")
    ]
    assert sorted(expressions) == ["LicenseRef-llama3.1", "LicenseRef-qwen"]
    (document,) = elements(audits.merge(), "SpdxDocument")
    assert "ai" not in document["profileConformance"]


@pytest.mark.parametrize(
    ("location", "where", "expected"),
    [
        ("models/child", "README.md", ("models/child/README.md", "%SRCROOT%")),
        ("models/child", "", ("models/child", "%SRCROOT%")),
        ("models/child.gguf", "README.md", ("models/README.md", "%SRCROOT%")),
        ("/home/me/child", "README.md", ("child/README.md", "%FOLDER%")),
        ("/home/me/child", "", ("child", "%FOLDER%")),
        ("/home/me/child.gguf", "README.md", ("README.md", "%FOLDER%")),
        ("../child", "a b.md", ("child/a%20b.md", "%FOLDER%")),
        ("..", "README.md", ("README.md", "%FOLDER%")),
        (".", "README.md", ("README.md", "%SRCROOT%")),
        ("child", "../../etc/x", ("child/etc/x", "%SRCROOT%")),
        ("child", "/etc/x", ("child/etc/x", "%SRCROOT%")),
    ],
)
def test_locations_in_sarif(location: str, where: str, expected: tuple[str, str]) -> None:
    audit = audits.checked(audits.stranger())
    audit = replace(audit, location=location, findings=(replace(audit.findings[0], where=where),))
    result = json.loads(to_sarif(audit))["runs"][0]["results"][0]
    artifact = result["locations"][0]["physicalLocation"]["artifactLocation"]
    assert (artifact["uri"], artifact["uriBaseId"]) == expected


def test_a_finding_is_recognised_when_numbers_change() -> None:
    audit = audits.checked(audits.pruned())
    again = replace(audit, findings=tuple(replace(each, shown="p < 1e-299", message="otherwise") for each in audit.findings))
    marks = [
        [each["partialFingerprints"] for each in json.loads(to_sarif(each))["runs"][0]["results"]] for each in (audit, again)
    ]
    assert marks[0] == marks[1]
