"""Tied tensors are found by their values, and reading stops at the first difference."""

import numpy as np

from support.memory import MemoryTensor
from support.models import arrays, stored, tiny
from tensorguard.tensors.copies import copies_of_embedding, same_values
from tensorguard.tensors.view import canonical_view
from tensorguard.tensors.weight import Weight

TABLE = np.arange(6000, dtype=np.float32).reshape(2000, 3)


def test_equal_to_the_bit_over_all_tiles() -> None:
    assert same_values(MemoryTensor("a", TABLE), MemoryTensor("b", TABLE.copy()))
    assert same_values(MemoryTensor("a", TABLE * np.nan), MemoryTensor("b", TABLE * np.nan))
    for place in (0, 16, 1999):
        other = TABLE.copy()
        other[place, 1] += 1
        assert not same_values(MemoryTensor("a", TABLE), MemoryTensor("b", other))
    assert not same_values(MemoryTensor("a", TABLE), MemoryTensor("b", TABLE[:-1]))


def test_the_dtype_that_equal_values_are_stored_as_does_not_matter() -> None:
    assert same_values(MemoryTensor("a", TABLE), MemoryTensor("b", TABLE, "F16"))


def test_reading_stops_at_the_first_difference() -> None:
    a, b = MemoryTensor("a", TABLE), MemoryTensor("b", TABLE + 1)
    assert not same_values(a, b)
    assert [rows.stop for rows, _ in a.reads] == [16]


def test_the_head_is_the_copy_and_the_first_name_the_original() -> None:
    def weight(role: str, name: str, table: np.ndarray = TABLE) -> Weight:
        return Weight(role, None, (2000, 3), MemoryTensor(name, table))

    found = copies_of_embedding([weight("lm_head", "a"), weight("embed", "c"), weight("embed", "b"), weight("q", "d")])
    assert [(copy.name, original.name) for copy, original in found] == [("c", "b"), ("a", "b")]
    assert copies_of_embedding([weight("lm_head", "a", -TABLE), weight("embed", "c")]) == []


def test_untied_but_equal_counts_once_and_is_said() -> None:
    named = arrays(tiny("llama"))
    untied = canonical_view(stored(named), {}, "safetensors")
    named["lm_head.weight"] = named["model.embed_tokens.weight"].copy()
    tied = canonical_view(stored(named), {"tie_word_embeddings": False}, "safetensors")
    assert untied.parameters - tied.parameters == 96 * 32
    assert {w.name for w in untied.weights} - {w.name for w in tied.weights} == {"lm_head.weight"}
    assert dict(tied.excluded) == {"lm_head.weight": "same values as 'model.embed_tokens.weight'"}
    assert tied.notices == ("'lm_head.weight' equals 'model.embed_tokens.weight': tied, counted once",)
