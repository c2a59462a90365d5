"""Which device `auto` is, without a card; what is tried where there is one is tested with the products (`test_torch_products`)."""

import sys

import pytest

from tensorguard.diagnosis import card
from tensorguard.errors import ResourceError


@pytest.fixture(autouse=True)
def anew() -> None:
    card.choose.cache_clear()


def test_without_a_driver_torch_is_not_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(card, "driver", lambda: False)
    monkeypatch.setattr("tensorguard.signals.cuda._open", lambda _: pytest.fail("torch is opened"))
    assert card.settled("auto") == "cpu"
    assert card.choose().why == "there is no driver of a card"


@pytest.mark.parametrize("there", [True, False])
def test_without_torch_it_is_the_processors(there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(card, "driver", lambda: there)
    monkeypatch.setattr(card.importlib.util, "find_spec", lambda _: None)
    found = card.choose()
    assert found.chosen == "cpu"
    assert found.why.endswith("torch is not installed")
    assert ("driver is here" in found.why) == there


@pytest.mark.parametrize("hidden", ["", "-1"])
def test_hidden_cards_are_none(hidden: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(card.ctypes, "CDLL", lambda name: object())
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert card.driver()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    assert not card.driver()


def test_a_driver_that_cannot_be_loaded_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setitem(card._DRIVERS, sys.platform, "no-such-library.so.0")
    assert not card.driver()


def test_a_card_that_fails_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ResourceError("torch sees no CUDA device")

    monkeypatch.setattr(card, "driver", lambda: True)
    monkeypatch.setattr(card, "calibrate", fail)
    assert (card.choose().chosen, card.choose().why) == ("cpu", "torch sees no CUDA device")
    assert card.settled("cuda:1") == "cuda:1"
