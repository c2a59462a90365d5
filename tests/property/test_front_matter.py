"""Front matter: any map that a YAML writer writes is read as written, and no text at all can make it raise."""

import yaml
from hypothesis import given
from hypothesis import strategies as st

from tensorguard.licences.front_matter import Value, read_front_matter, read_mapping
from tensorguard.limits import MAX_YAML_NESTING

TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufeff\u2028\u2029\x85\ufffe\uffff"), max_size=20
)
VALUES = st.recursive(TEXT, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=12)
MAPS = st.dictionaries(TEXT, VALUES, max_size=6)
MARKS = st.lists(
    st.sampled_from([*"-:[]{}#&*!|>'\"%@`,?\n \t\r\ufeff\x00\x07ab0~", "---\n", "...\n", "a: ", "- ", "<<: "]), max_size=60
)


def deep(value: Value) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(deep, inner), default=0)


@given(MAPS)
def test_what_the_reference_writes_is_read_as_it_was(written: dict[str, Value]) -> None:
    text = yaml.safe_dump(written, allow_unicode=True)
    fields, notices = read_mapping(text, "it")
    if deep(written) > MAX_YAML_NESTING:
        assert (fields, len(notices)) == ({}, 1)
    else:
        assert (fields, notices) == (written, ())


@given(MAPS, TEXT)
def test_a_card_is_its_front_matter_and_its_text(written: dict[str, Value], body: str) -> None:
    found = read_front_matter(
        f"---\n{yaml.safe_dump(written, allow_unicode=True, default_flow_style=True, width=1000)}---\n{body}"
    )
    assert (found.fields, found.body) == (written, body)


@given(st.text() | MARKS.map("".join))
def test_no_text_makes_it_raise(text: str) -> None:
    for each in (text, f"---\n{text}\n---\n"):
        found = read_front_matter(each)
        assert all(notice.isprintable() for notice in found.notices)
    fields, notices = read_mapping(text, "it")
    assert not (fields and any("twice" not in notice for notice in notices))
