"""Official schemas of the forms that audits are exported in; see `schemas/README.md`."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import cyclonedx.schema
import jsonschema_rs

FOLDER = Path(__file__).parent / "schemas"
CYCLONEDX = Path(cyclonedx.schema.__file__).parent / "_res"
"""CycloneDX's own schemas, as its library carries them."""


@cache
def _validator(name: str) -> Any:
    """That of `jsonschema` takes seconds for what this does in milliseconds: the schema of SPDX tries a hundred classes per element."""
    return jsonschema_rs.validator_for(json.loads((FOLDER / name).read_bytes()), validate_formats=True)


@cache
def _cyclonedx_validator() -> Any:
    """As the library's own, which takes seconds to be imported: the same schemas, addresses and times checked, too."""
    parts = ("spdx", "jsf-0.82", "cryptography-defs")
    files = {f"http://cyclonedx.org/schema/{part}.SNAPSHOT.schema.json": f"{part}.SNAPSHOT.schema.json" for part in parts}
    known = jsonschema_rs.Registry([(name, json.loads((CYCLONEDX / file).read_bytes())) for name, file in files.items()])
    schema = json.loads((CYCLONEDX / "bom-1.6.SNAPSHOT.schema.json").read_bytes())
    return jsonschema_rs.validator_for(schema, validate_formats=True, registry=known)


def check_sarif(text: str) -> dict[str, Any]:
    """Hold a document against the schema of SARIF 2.1.0, and against clauses that no schema can express."""
    log = json.loads(text)
    _validator("sarif-2.1.0.json").validate(log)
    for run in log["runs"]:
        rules = run["tool"]["driver"]["rules"]
        assert len({rule["id"] for rule in rules}) == len(rules)
        for result in run["results"]:
            assert rules[result["ruleIndex"]]["id"] == result["ruleId"], "3.27.7"
            assert (result["level"] == "none") == (result["kind"] != "fail"), "3.27.10"
            for location in result["locations"]:
                artifact = location["physicalLocation"]["artifactLocation"]
                assert artifact["uriBaseId"] in run["originalUriBaseIds"], "3.4.4"
                assert not artifact["uri"].startswith("/"), "3.4.3"
        marks = [json.dumps(each["partialFingerprints"]) for each in run["results"]]
        assert len(set(marks)) == len(marks)
    return log


def check_cyclonedx(text: str) -> dict[str, Any]:
    """Hold a document against the schema of CycloneDX 1.6, which allows no other fields."""
    document = json.loads(text)
    _cyclonedx_validator().validate(document)
    return document


def check_spdx(text: str) -> dict[str, Any]:
    """Hold a document against the schema of SPDX 3.0.1, and its references and licences against the model's words."""
    document = json.loads(text)
    _validator("spdx-3.0.1.json").validate(document)
    elements = document["@graph"]
    ids = [each.get("spdxId", each.get("@id")) for each in elements]
    assert len(set(ids)) == len(ids)
    links = [each for each in elements if each["type"] == "Relationship"]
    for link in links:
        for end in (link["from"], *link["to"]):
            assert end in (*ids, "expandedlicensing_NoAssertionLicense")
    for package in (each for each in elements if each["type"] == "ai_AIPackage"):
        for wanted in ("hasDeclaredLicense", "hasConcludedLicense"):
            assert sum(link["from"] == package["spdxId"] and link["relationshipType"] == wanted for link in links) == 1
    return document
