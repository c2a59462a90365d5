"""The canonical view is a function of the weights: order, prefixes, wrappers, casts and tying change nothing."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from support.memory import MemoryTensor
from support.models import arrays, places, stored, tiny, view_of
from tensorguard.tensors.view import canonical_view

MODELS = {
    "llama": tiny("llama"),
    "gpt2": tiny("gpt2", n_embd=32, n_head=4, n_layer=2),
    "bert": tiny("bert", "MaskedLM"),
    "t5": tiny("t5", "Seq2SeqLM", d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4),
    "mixtral": tiny("mixtral", num_local_experts=4),
    "gpt_neox": tiny("gpt_neox"),
}
REFERENCE = {name: places(view_of(model)) for name, model in MODELS.items()}
COMPONENT = st.text(alphabet="abcdefgh_0123456789", min_size=1, max_size=8)

models = st.sampled_from(sorted(MODELS))


def seen(name: str, named: dict[str, NDArray[Any]], order: list[int] | None = None) -> list[tuple[Any, ...]]:
    tensors = stored(named)
    tensors = [tensors[i] for i in order] if order else tensors
    return places(canonical_view(tensors, MODELS[name].config.to_dict(), "safetensors"))


@settings(max_examples=25, deadline=None)
@given(models, st.data())
def test_file_order_changes_nothing(name: str, data: st.DataObject) -> None:
    named = arrays(MODELS[name])
    assert seen(name, named, data.draw(st.permutations(range(len(named))))) == REFERENCE[name]


@settings(max_examples=40, deadline=None)
@given(models, st.lists(COMPONENT, min_size=1, max_size=3))
def test_a_prefix_changes_nothing(name: str, prefix: list[str]) -> None:
    named = {".".join([*prefix, key]): array for key, array in arrays(MODELS[name]).items()}
    assert seen(name, named) == REFERENCE[name]


@pytest.mark.parametrize("prefix", ["visual", "vision_model", "module", "0.auto_model", "_orig_mod", "language_model.model"])
def test_known_prefixes_change_nothing(prefix: str) -> None:
    for name, model in MODELS.items():
        named = {f"{prefix}.{key}": array for key, array in arrays(model).items()}
        assert seen(name, named) == REFERENCE[name]


def test_wrappers_inside_names_change_nothing() -> None:
    named = {key.replace(".self_attn", "._fsdp_wrapped_module.self_attn"): a for key, a in arrays(MODELS["llama"]).items()}
    assert any("_fsdp" in key for key in named)
    assert seen("llama", named) == REFERENCE["llama"]


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_lossless_cast_changes_nothing(name: str) -> None:
    tensors = [MemoryTensor(key, array.astype(np.float64), "F64") for key, array in arrays(MODELS[name]).items()]
    assert places(canonical_view(tensors, {"num_attention_heads": 4}, "safetensors")) == REFERENCE[name]


@pytest.mark.parametrize("name", ["gpt2", "bert", "t5"])
def test_tied_heads_stored_or_not_are_the_same(name: str) -> None:
    """Drop every stored copy of the embedding but one, whichever it is."""
    named = arrays(MODELS[name])
    view = view_of(MODELS[name])
    embedding = next(w.name for w in view.weights if w.role == "embed")
    copies = {key for key, _ in view.excluded if named[key].shape == named[embedding].shape}
    assert copies
    without = {key: array for key, array in named.items() if key not in copies}
    assert seen(name, without) == REFERENCE[name]


def test_config_does_not_decide() -> None:
    """Another architecture's name in the configuration leaves places and values alone."""
    for name, model in MODELS.items():
        for lie in sorted(set(MODELS) - {name}):
            view = canonical_view(stored(arrays(model)), {"model_type": lie, "num_attention_heads": 4}, "safetensors")
            assert places(view) == REFERENCE[name]


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(["llama", "gpt2", "bert"]), st.randoms(use_true_random=False))
def test_nonsense_names_in_any_order_give_one_view(name: str, random: Any) -> None:
    """With scrambled names neither the names nor the order of the file can matter."""
    listed = [array for array in arrays(MODELS[name]).values() if array.ndim]

    def scrambled() -> list[tuple[Any, ...]]:
        shuffled = random.sample(listed, len(listed))
        words = ["".join(random.choices("abcdefghijkl", k=9)) + str(i) for i, _ in enumerate(shuffled)]
        return places(canonical_view(stored(dict(zip(words, shuffled, strict=True))), {}, "safetensors"))

    assert scrambled() == scrambled()
