"""What becomes of many models, whatever happens to some; and what is told of thousands."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.checkpoints import llama, save
from tensorguard.api import building, faults, many
from tensorguard.api.building import build
from tensorguard.api.fingerprints import Settings
from tensorguard.api.many import fingerprint_many
from tensorguard.api.registry import Adding
from tensorguard.engines.base import Finished, Task
from tensorguard.engines.inline import Inline
from tensorguard.errors import InputError, ResourceError, TensorGuardError
from tensorguard.fingerprint.outcome import FingerprintOutcome, Summary
from tensorguard.fingerprint.specification import Specification
from tensorguard.probes.inputs import ProbeSpec
from tensorguard.progress import Fact, Silent
from tensorguard.registry.catalogue import Known
from tensorguard.registry.registry import Registry
from tensorguard.reports.fingerprints import report
from tensorguard.reports.terminal import plain

QUICKLY = Settings(Specification(ProbeSpec(repeats=2)))


class Heard(Silent):
    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Fact]]] = []

    def event(self, name: str, **facts: Fact) -> None:
        self.events.append((name, facts))


class Elsewhere(Inline):
    """Runs tasks as on other machines: from another folder, the last first, one lost for good."""

    def __init__(self, lost: str = "") -> None:
        self.lost = lost

    def each(
        self, function: Callable[[Any, int], Any], tasks: Iterable[Task[Any]], begun: Callable[[Any], None]
    ) -> Iterator[Finished[Any, Any]]:
        for task in reversed(list(tasks)):
            if self.lost and self.lost in str(task.item.place):
                yield Finished(task.item, None, ResourceError("its worker was lost"))
            else:
                yield from super().each(function, [task], begun)


@pytest.fixture
def models(tmp_path: Path) -> list[Path]:
    return [save(tmp_path / "models" / name, llama(seed)) for seed, name in enumerate("abc")]


@pytest.mark.parametrize("kind", [ValueError, MemoryError, PermissionError, RecursionError])
def test_a_fault_in_one_model_does_not_stop_the_rest(
    models: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    real = many.fingerprint_opened

    def faulty(model: Any, *arguments: Any) -> Any:
        if model.name == "b":
            raise kind("oh")
        return real(model, *arguments)

    monkeypatch.setattr(many, "fingerprint_opened", faulty)
    outcomes = {Path(each.model).name: each for each in fingerprint_many(models, tmp_path / "out", settings=QUICKLY, workers=1)}
    assert {name: each.status for name, each in outcomes.items()} == {"a": "done", "b": "failed", "c": "done"}
    assert isinstance(outcomes["b"].error, TensorGuardError)


def test_every_model_is_told_of(models: list[Path], tmp_path: Path) -> None:
    heard = Heard()
    (tmp_path / "models" / "c" / "model.safetensors").write_bytes(b"nonsense")
    list(fingerprint_many(models, tmp_path / "out", settings=QUICKLY, workers=1, progress=heard))
    assert heard.events[0] == ("models", {"total": 3, "bytes": heard.events[0][1]["bytes"], "workers": 1})
    assert [facts["model"] for name, facts in heard.events if name == "begun"] == list(map(str, models))
    over = {Path(str(facts["model"])).name: facts for name, facts in heard.events if name == "model"}
    assert {name: (facts["status"], facts.get("kind")) for name, facts in over.items()} == {
        "a": ("done", None), "b": ("done", None), "c": ("failed", "input")
    }  # fmt: skip
    assert isinstance(size := over["a"]["bytes"], int)
    assert size > 10_000
    assert not over["a"]["error"]
    assert "not safetensors" in str(over["c"]["error"])


def test_machines_that_see_other_paths(models: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path / "models")
    found = {
        each.model: each for each in fingerprint_many(["a", "b"], "../out", settings=QUICKLY, engine=Elsewhere("models/b"))
    }
    assert {name: each.status for name, each in found.items()} == {"a": "done", "b": "failed"}
    assert "lost" in str(found["b"].error)
    monkeypatch.setattr(many.OutputFolder, "write", lambda *_: None)
    (unseen,) = fingerprint_many(["c"], "../out", settings=QUICKLY, engine=Elsewhere())
    assert unseen.status == "failed"
    assert "not here" in str(unseen.error)


def test_a_run_that_cannot_succeed_ends(models: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise ResourceError("cannot be written (No space left on device)")

    monkeypatch.setattr(faults, "MOST_ALIKE", 2)
    monkeypatch.setattr(many.OutputFolder, "write", full)
    outcomes = fingerprint_many(models, tmp_path / "out", settings=QUICKLY, workers=1)
    assert [next(outcomes).status, next(outcomes).status] == ["failed", "failed"]
    with pytest.raises(ResourceError, match="2 models in a row failed alike: cannot be written"):
        next(outcomes)


def test_a_registry_filled_by_workers_is_that_filled_in_turn(
    models: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [Known(f"org/{path.name}") for path in models]
    (tmp_path / "models" / "c" / "model.safetensors").write_bytes(b"nonsense")
    digests = []
    for name, fleet in (("turn", None), ("workers", Elsewhere())):
        with Registry(tmp_path / name, create=True) as registry:
            found = {each.given: each for each in build(registry, rows, [tmp_path / "models"], engine=fleet)}
            assert {name: each.status for name, each in found.items()} == {
                "org/a": "added", "org/b": "added", "org/c": "failed"
            }  # fmt: skip
            assert isinstance(found["org/c"].error, InputError)
            digests.append({entry.name: entry.fingerprint for entry in registry.entries()})
            monkeypatch.setattr(building, "fleet_of", lambda *_: pytest.fail("nothing is large enough for processes"))
            again = [each.status for each in build(registry, rows, [tmp_path / "models"], Adding(), engine=fleet)]
            assert sorted(again) == ["failed", "there already", "there already"]
    assert digests[0] == digests[1]
    assert len(digests[0]) == 2


def test_thousands_are_summed_up(models: list[Path], tmp_path: Path) -> None:
    (done,) = fingerprint_many(models[:1], tmp_path / "out", settings=QUICKLY)
    assert isinstance(done.summary, Summary)
    error = [InputError(f"tensor 'x{n}' has {n} bytes", where=f"m{n}") for n in range(150)]
    outcomes = [replace(done, model=f"done{n}") for n in range(1200)]
    outcomes += [FingerprintOutcome(f"bad{n}", "failed", error=each) for n, each in enumerate(error)]
    document = report(outcomes, {}, 2000)
    text = plain(document)
    assert "1,350 models: 1,200 done, 150 failed" in text
    assert "Ended after 1,350 of 2,000 models" in text
    assert len(text.splitlines()) < 800
    reasons = document.tables[-1]
    assert reasons.rows == [["tensor 'x0' has 0 bytes", 150, "bad0, bad1, bad2, ...", ""]]
    assert len(document.result) == 1350
    assert document.result[0]["fingerprint"] is None
    assert report(outcomes[:2], {}).result[0]["fingerprint"]["features"]
