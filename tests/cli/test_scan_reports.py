"""scan: every form of its report, the second opinion, and names that mean harm."""

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

from support.commands import CommandLine
from support.kin_registry import BASE, make
from support.validation import check_cyclonedx, check_sarif, check_spdx
from tensorguard.fingerprint.file import read_fingerprint
from tensorguard.registry.entry import Facts
from tensorguard.registry.registry import Registry


def test_every_form_is_written(scan: Any, kin: Path, tmp_path: Path) -> None:
    forms = {form: tmp_path / f"scan.{form}" for form in ("html", "png", "svg", "sarif", "cyclonedx", "spdx", "card", "table")}
    answer = scan(kin / "coarse", *(part for form, path in forms.items() for part in ("-o", f"{form}={path}")), "--json")
    assert answer.json()["result"]["verdict"] == "derived"
    check_sarif(forms["sarif"].read_text())
    check_cyclonedx(forms["cyclonedx"].read_text())
    check_spdx(forms["spdx"].read_text())
    assert forms["png"].read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert ET.parse(forms["svg"]).getroot().tag == "{http://www.w3.org/2000/svg}svg"
    assert all(BASE in forms[form].read_text() for form in ("html", "sarif", "cyclonedx", "spdx", "card", "table"))
    assert 'http-equiv="Content-Security-Policy"' in forms["html"].read_text()


def test_the_paper_s_families_are_a_second_opinion(
    cli: CommandLine, scan: Any, kin: Path, prints: Path, registry: Path, tmp_path: Path
) -> None:
    assert scan(kin / "tuned-a", "--json").result()["family"] is None
    saved = tmp_path / "families.json"
    assert cli("cluster", prints, "--bases", "base,stranger", "--save", saved).code == 0
    said = scan(kin / "tuned-a", "--families", saved).words()
    assert "Second opinion: the paper's families" in said
    assert "a second opinion: it tells architecture and size, not who was trained from whom" in said
    opinion = scan(kin / "tuned-a", "--families", saved, "--json").result()["family"]
    assert opinion["nearest"] in ("base", "stranger")
    own = make(tmp_path / "own", prints, "base")
    (own / "families.json").write_bytes(saved.read_bytes())
    assert cli("scan", kin / "tuned-a", "--registry", own, "--json").result()["family"] == opinion
    assert scan(kin / "tuned-a", "--families", tmp_path / "none").code == 4


EVIL = "\x1b[31m\x9b2J\x07[red]x[/red]<script>alert(1)</script><img src=x onerror=y>=cmd|'/c calc'!A1\"'\u202e\u2028%0a::error::{{7*7}}"
RAW = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def test_hostile_names_in_the_registry_do_nothing(cli: CommandLine, kin: Path, prints: Path, tmp_path: Path) -> None:
    facts = Facts(EVIL, EVIL, EVIL, EVIL, EVIL, (EVIL, f"parent {EVIL}"), "finetune", "2024-05")
    with Registry(tmp_path / "evil", create=True) as known:
        known.add(read_fingerprint(prints / "base.tgfp"), facts, name=EVIL, verified=False)
        known.add(read_fingerprint(prints / "stranger.tgfp"), facts, name=f"other {EVIL}")
    forms = ("html", "json", "table", "sarif", "cyclonedx", "spdx", "card", "svg")
    written = {form: tmp_path / f"scan.{form}" for form in forms}
    outputs = [part for form, path in written.items() for part in ("-o", f"{form}={path}")]
    answer = cli("scan", kin / "tuned-a", "--registry", tmp_path / "evil", *outputs, "-o", "table")
    assert answer.code == 0
    assert not RAW.search(answer.out + answer.err)
    for form, path in written.items():
        assert not RAW.search(path.read_text().replace("\t", "")), form
    page = written["html"].read_text()
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    check_sarif(written["sarif"].read_text())
    check_cyclonedx(written["cyclonedx"].read_text())
    check_spdx(written["spdx"].read_text())
    ET.parse(written["svg"])
    assert json.loads(written["json"].read_text())["result"]["relatives"][0]["entry"]["name"] == EVIL
