"""A registry against a dictionary: any steps, any names."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from support.known import known
from tensorguard.errors import utf8
from tensorguard.registry.entry import Facts
from tensorguard.registry.registry import Registry

NAMES = st.one_of(st.sampled_from(["a", "b", "A", "a ", "ä", "a\u0308"]), st.text(st.characters(), min_size=1, max_size=30))
STEPS = st.lists(st.tuples(st.sampled_from(["add", "add", "remove", "index", "sweep"]), NAMES, st.integers(0, 2)), max_size=12)


@settings(max_examples=25, deadline=None)
@given(STEPS)
def test_any_steps_leave_what_a_dictionary_would_hold(steps: list[tuple[str, str, int]]) -> None:
    expected: dict[str, tuple[int, str]] = {}
    with TemporaryDirectory() as folder, Registry(Path(folder) / "known", create=True) as registry:
        for step, name, number in steps:
            if step == "add":
                registry.add(known(number), Facts(family=name), name=name)
                expected[utf8(name)] = (number, utf8(name))
            elif step == "remove":
                assert registry.remove(name) == (utf8(name) in expected)
                expected.pop(utf8(name), None)
            elif step == "index":
                registry.build_index(least=number)
            else:
                assert registry.sweep() == 0
        found = {entry.name: entry for entry in registry.entries()}
        assert {name: entry.facts.family for name, entry in found.items()} == {n: family for n, (_, family) in expected.items()}
        assert list(found) == sorted(found, key=lambda name: name.encode())
        for name, (number, _) in expected.items():
            assert registry.find(name) == found[name]
            assert registry.fingerprint(found[name]).name == f"model-{number}"
        for number in range(3):
            hits = registry.search(known(number), 100)
            same = {name for name, (of, _) in expected.items() if of == number}
            assert {hit.entry.name for hit in hits} == set(expected)
            assert {hit.entry.name for hit in hits[: len(same)]} == same
        assert {path.stem for path in Path(folder).rglob("*.tgfp")} == {entry.fingerprint for entry in found.values()}
        assert list(registry.damage()) == []
