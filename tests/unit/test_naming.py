"""Whether a model's name begins as its parent's licence wants it to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorguard.licences.licence import Duty, licences
from tensorguard.licences.naming import bare_name, naming, satisfies


@pytest.mark.parametrize(
    ("said", "bare"),
    [
        ("org/Llama-3.1-8B-Tuned", "Llama-3.1-8B-Tuned"),
        ("https://huggingface.co/org/Llama-x/", "Llama-x"),
        ("models--org--Llama-x", "Llama-x"),
        ("/data/models/Llama-x", "Llama-x"),
        ("C:\\models\\Llama-x", "Llama-x"),
        ("# 🦙 Llama x ", "Llama x"),
        ("**Llama x**", "Llama x**"),
        ("Ｌｌａｍａ-x", "Llama-x"),
        ("(unofficial) Llama", "(unofficial) Llama"),
        ("", ""),
        ("///", ""),
    ],
)  # fmt: skip
def test_the_bare_name(said: str, bare: str) -> None:
    assert bare_name(said) == bare


@pytest.mark.parametrize(
    ("name", "prefix", "place"),
    [
        ("org/Llama-3.1-8B-Tuned", "Llama", "begins"),
        ("Llama3-tuned", "Llama", "begins"),
        ("llama-3-tuned", "Llama", "begins loosely"),
        ("LLaMAntino-8B", "Llama", "begins loosely"),
        ("Llamantino-8B", "Llama", "begins loosely"),
        ("My-Llama-8B", "Llama", "elsewhere"),
        ("llama-org/Great-8B", "Llama", "absent"),
        ("Great-8B", "Llama", "absent"),
        ("Llama-3-8B-x", "Llama 3", "begins"),
        ("Llama 3 x", "Llama 3", "begins"),
        ("Llama_3_x", "Llama 3", "begins"),
        ("Llama3-x", "Llama 3", "begins"),
        ("Llama-3.1-x", "Llama 3", "begins"),
        ("Llama-30b", "Llama 3", "begins loosely"),
        ("Llama-x-3", "Llama 3", "absent"),
        ("Meta-Llama-3-8B-x", "Llama 3", "elsewhere"),
        ("Llаma-x", "Llama", "absent"),  # a Cyrillic letter: somebody else's word
        ("glm-4-9b-x", "glm-4", "begins"),
        ("EXAONE-3.5-x", "EXAONE", "begins"),
    ],
)  # fmt: skip
def test_where_the_words_stand(name: str, prefix: str, place: str) -> None:
    found = naming(name, prefix)
    assert found.place == place
    assert found.satisfied == place.startswith("begins")


def test_duties() -> None:
    duty = licences()["llama3.1"].duty("name")
    assert duty is not None
    assert satisfies("org/Llama-3.1-8B-x", duty)
    assert not satisfies("org/Hermes-8B", duty)
    assert satisfies("B-1", Duty("x", "name", "Either.", "1", "A | B"))
    with pytest.raises(ValueError, match="can be checked"):
        satisfies("x", Duty("x", "name", "Nothing said.", "1"))
    with pytest.raises(ValueError, match="can be checked"):
        satisfies("x", Duty("x", "display", "Another kind.", "1", "Llama"))


@given(st.text(max_size=60), st.sampled_from(["Llama", "Llama 3", "glm-4", "A+B (c)"]))
def test_what_begins_with_the_words_satisfies(rest: str, prefix: str) -> None:
    name = f"{prefix}-{rest}".replace("/", "").replace("\\", "")
    assert naming(name, prefix).satisfied or bare_name(name) != name
    naming(rest, prefix)
