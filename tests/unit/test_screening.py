from dataclasses import replace

import numpy as np
import pytest

from support.sketches import ToyModel, layers, rotated, sketches, toy_model, tuned
from tensorguard.errors import UsageError
from tensorguard.lineage.evidence import evidence
from tensorguard.lineage.screening import Screen, screen

NOISE = 0.03
"""Of four draws, and of the toy's few blocks."""


@pytest.fixture(scope="module")
def parent() -> ToyModel:
    return toy_model(1)


def relatives(parent: ToyModel) -> dict[str, ToyModel]:
    return {
        "copy": parent,
        "tuned": tuned(parent, 2, 0.3),
        "rotated": rotated(tuned(parent, 2, 0.1), 3),
        "fewer layers": layers(parent, [0, 3]),
        "reordered": layers(parent, [3, 1, 0, 2]),
        "up-scaled": layers(parent, [0, 1, 2, 1, 2, 3]),
        "embeddings alone": replace(toy_model(4), embed=parent.embed),
        "stranger": toy_model(5),
        "deeper stranger": toy_model(6, 9),
    }


@pytest.mark.parametrize("name", relatives(toy_model(1)))
def test_it_is_the_excess_of_the_evidence_but_for_noise(parent: ToyModel, name: str) -> None:
    ours, theirs = sketches(parent), sketches(relatives(parent)[name])
    expected = max(evidence(ours, theirs).excess.values())
    assert screen(ours, theirs) == pytest.approx(expected, abs=NOISE)
    assert screen(theirs, ours) == pytest.approx(expected, abs=NOISE)


def test_relatives_come_before_strangers(parent: ToyModel) -> None:
    look = Screen(sketches(parent))
    found = {name: look(sketches(model)) for name, model in relatives(parent).items()}
    strangers = [found.pop(name) for name in ("embeddings alone", "stranger", "deeper stranger")]
    assert min(found.values()) > 0.5 > max(strangers) + 0.3


def test_one_look_is_like_another(parent: ToyModel) -> None:
    ours, theirs = sketches(parent), sketches(tuned(parent, 2, 0.3))
    look = Screen(ours)
    look(sketches(toy_model(7)))
    assert look(theirs) == screen(ours, theirs)


def test_vocabularies_may_lack_different_words(parent: ToyModel) -> None:
    """Only token space sees a rotated copy."""
    ours = replace(sketches(parent, missing_words=(1, 2)), id_gram=np.zeros((24, 24), np.float32))
    theirs = sketches(rotated(parent, 3), missing_words=(4,))
    assert screen(ours, theirs) > 0.7


def test_operators_that_one_lacks_are_left_out(parent: ToyModel) -> None:
    without = sketches(parent, without=("DG", "GU", "QK"))
    assert screen(without, sketches(parent)) > 0.95
    assert screen(without, sketches(parent, without=("VO", "DU"))) == 0


def test_nothing_to_compare_is_nothing_alike(parent: ToyModel) -> None:
    whole = sketches(parent)
    bare = replace(whole, blocks=(), **{name: getattr(whole, name)[:0] for name in ("fixed", "words", "ids")})
    assert screen(bare, whole) == screen(whole, bare) == screen(bare, bare) == 0


def test_fingerprints_of_different_keys_are_refused(parent: ToyModel) -> None:
    whole = sketches(parent)
    with pytest.raises(UsageError, match="different keys"):
        screen(whole, replace(whole, key="0123456789abcdef"))
