"""Front matter: what is read of it, and that nothing else ever happens."""

import pytest

from tensorguard.licences.front_matter import read_front_matter, read_mapping
from tensorguard.limits import MAX_YAML_BYTES, MAX_YAML_NESTING, MAX_YAML_VALUES


def test_scalars_stay_as_they_are_spelt() -> None:
    text = "---\nlicense: no\nlanguage:\n- no\n- 'null'\nversion: 1.10\ndate: 2024-99-99\nempty:\ntilde: ~\nnone: null\n---\n# Title\n"
    found = read_front_matter(text)
    assert found.fields == {
        "license": "no",
        "language": ["no", "null"],
        "version": "1.10",
        "date": "2024-99-99",
        "empty": None,
        "tilde": None,
        "none": None,
    }
    assert (found.body, found.notices) == ("# Title\n", ())


@pytest.mark.parametrize(
    ("text", "fields", "body"),
    [
        ("", {}, ""),
        ("# Only text\n---\na: b\n---\n", {}, "# Only text\n---\na: b\n---\n"),
        ("---\n---\nbody", {}, "body"),
        ("\ufeff---\na: b\n---", {"a": "b"}, ""),
        ("\n\n---\r\na: b\r\n---\r\nbody\r\n", {"a": "b"}, "body\r\n"),
        ("---\na: b\n--- \n---\nbody", {"a": "b"}, "---\nbody"),
        ("---\n# only a comment\n---\nbody", {}, "body"),
        ("---\na: |\n  one\n  two\nb: {c: [d, {e: f}]}\n---\n", {"a": "one\ntwo\n", "b": {"c": ["d", {"e": "f"}]}}, ""),
    ],
)
def test_where_it_begins_and_ends(text: str, fields: object, body: str) -> None:
    found = read_front_matter(text)
    assert (found.fields, found.body, found.notices) == (fields, body, ())


@pytest.mark.parametrize(
    ("yaml", "words"),
    [
        ("a: &x [1]\nb: *x", "alias"),
        ("a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]", "alias"),
        ("a: [", "is not YAML"),
        ("a: b: c", "is not YAML"),
        ("a: \x07", "is not YAML"),
        ("- a\n- b", "is no map"),
        ("just text", "is no map"),
        ("? [a]\n: b", "a name that is not text"),
        ("? {a: b}\n: c", "a name that is not text"),
        ("a: b\n--- \nc: d", "more than one document"),
        ("a: " + "[" * (MAX_YAML_NESTING + 1) + "]" * (MAX_YAML_NESTING + 1), "nested more than"),
        ("a: " + "[" * 100_000, "nested more than"),
        ("a:\n" + "- b\n" * (MAX_YAML_VALUES + 1), "more than"),
        ("a: " + "b" * MAX_YAML_BYTES, "longer than"),
        ("%YAML 9.9\n---\na: b", "is not YAML"),
    ],
)
def test_what_is_damaged_or_hostile_gives_a_notice_and_no_fields(yaml: str, words: str) -> None:
    fields, notices = read_mapping(yaml, "the front matter")
    assert fields == {}
    assert len(notices) == 1
    assert words in notices[0]
    assert notices[0].startswith("the front matter ")


def test_tags_make_nothing() -> None:
    fields, notices = read_mapping("a: !!python/object/apply:os.system ['true']\nb: !!int x\nc: !!binary aGk=\n", "it")
    assert (fields, notices) == ({"a": ["true"], "b": "x", "c": "aGk="}, ())


def test_a_name_that_comes_twice_is_noticed() -> None:
    found = read_front_matter("---\nlicense: mit\nlicense: llama3\nb: {c: 1, c: 2}\n---\n")
    assert found.fields == {"license": "llama3", "b": {"c": "2"}}
    assert found.notices == (
        "the front matter has the name 'license' twice; the last one counts",
        "the front matter has the name 'c' twice; the last one counts",
    )


def test_an_opened_front_matter_that_is_never_closed_is_noticed() -> None:
    found = read_front_matter("---\nlicense: mit\n# Title\n")
    assert found.fields == {}
    assert "never closed" in found.notices[0]


def test_a_notice_holds_no_control_characters() -> None:
    for text in ("a: \x1b[31m", "\x1b]0;x\x07: 1\n\x1b]0;x\x07: 2", '"\\e[1m": 1\n"\\e[1m": 2'):
        _, notices = read_mapping(text, "it")
        assert len(notices) == 1
        assert notices[0].isprintable()
