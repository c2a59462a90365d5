"""The licences that ship: the data is whole and says what it was checked against, and cards' many spellings find it."""

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from cyclonedx.spdx import is_supported_id
from hypothesis import given
from hypothesis import strategies as st

import tensorguard.licences
from tensorguard.licences.compatibility import BINDING
from tensorguard.licences.licence import Duty, DutyKind, Licence, identify, licences
from tensorguard.registry.catalogue import catalogue

FILES = sorted((Path(tensorguard.licences.__file__).parent / "data").glob("*.json"))
ALL = tuple(licences().values())
THRESHOLD = re.compile(r"\d+ (monthly-active-users|daily-active-users|usd-per-month|usd-per-year)")


def by_id(licence: Licence) -> str:
    return licence.id


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_file_holds_one_licence_and_nothing_else(file: Path) -> None:
    raw = json.loads(file.read_text("utf-8"))
    assert raw["id"] == file.stem
    assert set(raw) == {field.name for field in fields(Licence)}
    for duty in raw["duties"]:
        assert set(duty) == {field.name for field in fields(Duty)}


def test_every_file_is_loaded() -> None:
    assert list(licences()) == sorted(file.stem for file in FILES)
    assert len(FILES) >= 60


@pytest.mark.parametrize("licence", ALL, ids=by_id)
def test_the_facts_are_whole(licence: Licence) -> None:
    assert re.fullmatch(r"[a-z0-9][a-z0-9.-]*", licence.id)
    assert licence.source.startswith("https://")
    assert re.match(r"\d{4}-\d{2}-\d{2}, (text read: |not checked against )", licence.checked)
    assert licence.commercial in ("yes", "no", "conditions")
    assert all(alias == alias.lower() for alias in licence.aliases if "://" not in alias)
    assert not licence.spdx or is_supported_id(licence.spdx)
    kinds = {duty.kind for duty in licence.duties}
    assert kinds <= set(get_args(DutyKind))
    assert ("non-commercial" in kinds) == (licence.commercial == "no")
    assert not licence.relicensing or not kinds & set(BINDING)
    assert not licence.permissive or licence.relicensing


@pytest.mark.parametrize("licence", ALL, ids=by_id)
def test_duties_can_be_looked_up_and_checked(licence: Licence) -> None:
    assert len({duty.id for duty in licence.duties}) == len(licence.duties)
    for duty in licence.duties:
        assert duty.text.endswith(".")
        assert duty.clause
        assert len(duty.quote.split()) <= 25
        if duty.kind in ("name", "display"):
            assert duty.alternatives
        if duty.kind == "threshold":
            assert all(THRESHOLD.fullmatch(each) for each in duty.alternatives)
            assert duty.alternatives
        if duty.kind == "same-licence":
            assert set(duty.alternatives) <= set(licences())
            assert licence.id in duty.alternatives


def test_no_two_licences_share_a_name() -> None:
    for licence in ALL:
        for name in (licence.id, licence.name, licence.spdx, licence.source, *licence.aliases):
            assert not name or identify(name) == licence, name


def test_every_licence_of_the_catalogue_is_known() -> None:
    used = {each.licence for each in catalogue()} - {"", "other", "unknown"}
    assert {each for each in used if identify(each) is None} == set()


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("llama3.1", "llama3.1"),
        ("Llama 3.1 Community License Agreement", "llama3.1"),
        ("llama-3.2", "llama3.2"),
        ("Apache License 2.0", "apache-2.0"),
        ("APACHE-2.0", "apache-2.0"),
        ("CC-BY-NC-SA-4.0", "cc-by-nc-sa-4.0"),
        ("https://ai.google.dev/gemma/terms#3.1", "gemma"),
        ("http://www.apache.org/licenses/LICENSE-2.0.txt", "apache-2.0"),
        ("https://huggingface.co/meta-llama/Llama-3.1-8B/blob/main/LICENSE", "llama3.1"),
        ("https://huggingface.co/Qwen/Qwen2.5-72B-Instruct/raw/main/LICENSE", "qwen"),
        ("https://mistral.ai/licenses/MRL-0.1.md", "mrl"),
        ("GPL-3.0-or-later", "gpl-3.0"),
        ("  gemma\n", "gemma"),
        ("MIT License\n\nCopyright (c) 2024 Somebody\n\nPermission is hereby granted", "mit"),
        ("      Apache License\n     Version 2.0, January 2004\n  http://www.apache.org/licenses/", "apache-2.0"),
        ("LLAMA 3.1 COMMUNITY LICENSE AGREEMENT\nLlama 3.1 Version Release Date: July 23, 2024", "llama3.1"),
        ("<h2 align='center'> OPT-175B LICENSE AGREEMENT </h2>\n\nThis License", "opt-175b"),
        ("Qwen RESEARCH LICENSE AGREEMENT\n\nQwen RESEARCH LICENSE AGREEMENT Release Date: September 19, 2024", "qwen-research"),
        ("Qwen RESEARCH LICENSE AGREEMENT\n\nQwen RESEARCH LICENSE AGREEMENT Release Date: September 20, 2026", "qwen-research-2026"),
        ("GNU GENERAL PUBLIC LICENSE\n   Version 3, 29 June 2007", "gpl-3.0"),
        ("GNU GENERAL PUBLIC LICENSE\n   Version 2, June 1991", "gpl-2.0"),
    ],
)  # fmt: skip
def test_spellings(said: str, meant: str) -> None:
    found = identify(said)
    assert found is not None
    assert found.id == meant


@pytest.mark.parametrize(
    "said",
    [
        "", " ", "other", "unknown", "proprietary", "llama3.5", "apache-3.0", "my own licence",
        "Non-Commercial License Based on Apache 2.0\n\nYou may not sell", "GNU GENERAL PUBLIC LICENSE\n   Version 1, February 1989",
        "https://example.org/LICENSE", "https://huggingface.co/nobody/nothing/blob/main/LICENSE", "Apache-2.0 WITH my-exception",
    ],
)  # fmt: skip
def test_what_is_not_known_is_not_guessed(said: str) -> None:
    assert identify(said) is None


@given(st.text(max_size=700))
def test_no_text_breaks_it(text: str) -> None:
    found = identify(text)
    assert found is None or found.id in licences()


def test_duties_that_are_promised() -> None:
    assert {each: licences()[each].duty("name").value for each in ("llama3", "llama3.1", "llama3.2", "llama3.3", "llama4")} == {
        "llama3": "Llama 3", "llama3.1": "Llama", "llama3.2": "Llama", "llama3.3": "Llama", "llama4": "Llama",
    }  # fmt: skip
    assert licences()["llama2"].duty("name") is None
    assert licences()["llama3.1"].duty("display").alternatives == ("Built with Llama",)
    assert licences()["qwen"].duty("display").alternatives == ("Built with Qwen", "Improved using Qwen")
    assert licences()["llama3.1"].duty("threshold").value == "700000000 monthly-active-users"
    assert licences()["gemma"].duty("notice").value.startswith("Gemma is provided under and subject to")


def row(licence: Licence) -> str:
    asks = " · ".join(map(asked, licence.duties)) or "nothing"
    read = "read" if "text read" in licence.checked else "**not read**"
    return (
        f"| [`{licence.id}`]({licence.source}) | {licence.name} ({licence.version}) | {licence.commercial} | {asks} | {read} |"
    )


def asked(duty: Duty) -> str:
    """What the page says of one duty, in a few words."""
    words = " or ".join(f"“{each}”" for each in duty.alternatives)
    match duty.kind:
        case "name":
            return f"name begins with {words}"
        case "display":
            return f"display {words}"
        case "threshold":
            return f"limit: {duty.value.replace(' | ', ' or ')}"
        case "other":
            return duty.id
        case kind:
            return kind


def test_the_page_tells_every_licence() -> None:
    page = (Path(__file__).parents[2] / "docs/licences.md").read_text("utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| [`")]
    assert rows == [row(each) for each in ALL]


def test_the_page_shows_a_file_that_would_load() -> None:
    page = (Path(__file__).parents[2] / "docs/licences.md").read_text("utf-8")
    (example,) = re.findall(r"^```json\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    licence = msgspec.json.decode(example, type=Licence)
    assert set(json.loads(example)) == {field.name for field in fields(Licence)}
    assert licence.duties
