"""rank_pattern and alpha_pattern, against PEFT's own matching."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from peft.utils.other import get_pattern_key

from tensorguard.adapters.patterns import Patterns
from tensorguard.errors import InputError

NAMES = (
    "model.layers.0.self_attn.q_proj",
    "model.layers.11.self_attn.k_proj",
    "model.layers.1.mlp.up_proj",
    "lm_head",
    "encoder.model.layers.1.mlp.up_proj",
)
PATTERNS = (
    "q_proj",
    "proj",
    "self_attn.q_proj",
    r"self_attn\.q_proj",
    "model.layers.1.mlp.up_proj",
    "^model.layers.1.mlp.up_proj",
    "^up_proj",
    r"layers\.\d+\.self_attn\.(q_proj|k_proj)",
    r"layers.[0-9]+.mlp.*",
    r".*attn.*_proj",
    "(?:q|k|up)_proj$",
    "l.[0-9]_proj",
    "",
)


@given(st.lists(st.sampled_from(PATTERNS), unique=True, max_size=5), st.sampled_from(NAMES))
def test_chooses_what_peft_chooses(patterns: list[str], name: str) -> None:
    table = {pattern: index for index, pattern in enumerate(patterns)}
    expected = table.get(get_pattern_key(patterns, name), -1)
    assert Patterns(table, "alpha_pattern", "a").get(name, -1) == expected


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+b",
        "(a|a)(a|a)",
        "((a))",
        "(.*a){20}",
        r"(x+x+)+y",
        r"\1",
        "(?=a)",
        "a{1,1000}",
        "a" * 2000,
        "[z-a]",
        "(a",
        "a**",
        "(a|b)*",
    ],
)
def test_refuses_what_could_take_for_ever(pattern: str) -> None:
    with pytest.raises(InputError, match="pattern"):
        Patterns({pattern: 1}, "rank_pattern", "a")


def test_work_is_bounded() -> None:
    table = {f".*.*.*.*x{i}": i for i in range(64)}
    with pytest.raises(InputError, match="too long to match"):
        Patterns(table, "rank_pattern", "a").get("a." * 200, 0)


def test_thousands_of_plain_names_are_no_problem() -> None:
    names = [f"model.layers.{layer}.mlp.experts.{expert}.up_proj" for layer in range(30) for expert in range(20)]
    patterns = Patterns({name: index for index, name in enumerate(names)}, "rank_pattern", "a")
    assert [patterns.get(name, None) for name in names[::37]] == list(range(len(names)))[::37]


@given(st.text(alphabet="ab.()|+*?[]^$\\d-", max_size=12))
def test_any_text_is_matched_as_peft_does_or_refused(pattern: str) -> None:
    try:
        found = Patterns({pattern: 1}, "rank_pattern", "a").get("a.b.d", 0)
    except InputError:
        return
    assert found == int(bool(re.match(rf"(.*\.)?({pattern})$", "a.b.d")))


def test_table_must_be_a_table() -> None:
    with pytest.raises(InputError, match="not a table"):
        Patterns([1], "rank_pattern", "a")
