"""A base and an adapter to one model: whole tensors, prefixes, notices, and finding the base."""

from pathlib import Path

import numpy as np
import peft
import pytest
import torch
import transformers

from support.adapters import KEY, LAYER, apply, numbers, whole, write_adapter, write_base
from support.peft_models import LLAMA, load, save_adapter, save_llama
from tensorguard.adapters.applying import adapted
from tensorguard.adapters.finding import find_base
from tensorguard.errors import NotFoundError
from tensorguard.formats.adapter import read_adapter
from tensorguard.formats.opening import open_checkpoint

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
WEIGHT = f"{LAYER}.weight"
UPDATE = 2.0 * numbers(6, 2) @ numbers(2, 4)


def test_adds_the_update_and_says_so(tmp_path: Path) -> None:
    model = apply(tmp_path, base={"a": numbers(3), WEIGHT: numbers(6, 4), "z": numbers(2, 2)})
    assert [tensor.name for tensor in model.tensors] == ["a", WEIGHT, "z"]
    assert model.changed == {WEIGHT: "LoRA"}
    assert model.notices == ("LoRA changes 1 tensor of the base, rank 2, scale 2.",)
    np.testing.assert_allclose(whole(model.tensors[1]), numbers(6, 4) + UPDATE, rtol=1e-6)


def test_prefixes_of_adapter_and_base_may_differ(tmp_path: Path) -> None:
    shorter = apply(tmp_path / "a", base={WEIGHT.removeprefix("model."): numbers(6, 4)})
    longer = apply(tmp_path / "b", base={f"text.{WEIGHT}": numbers(6, 4)})
    for model in (shorter, longer):
        np.testing.assert_allclose(whole(model.tensors[0]), numbers(6, 4) + UPDATE, rtol=1e-6)


def test_checkpoint_with_adapter_names_left_in(tmp_path: Path) -> None:
    named = {f"{KEY}.lora_A.default.weight": numbers(2, 4), f"{KEY}.lora_B.default.weight": numbers(6, 2)}
    assert apply(tmp_path, tensors=named).changed == {WEIGHT: "LoRA"}


def test_tensors_trained_as_a_whole_replace_the_base_s_or_are_new(tmp_path: Path) -> None:
    tensors = {
        f"{KEY}.lora_A.weight": numbers(2, 4),
        f"{KEY}.lora_B.weight": numbers(6, 2),
        "base_model.model.model.norm.weight": numbers(4, seed=5),
        "base_model.model.model.embed_tokens.weight": numbers(9, 4),
        "base_model.model.score.weight": numbers(3, 4),
    }
    base = {WEIGHT: numbers(6, 4), "model.norm.weight": numbers(4), "model.embed_tokens.weight": numbers(7, 4)}
    model = apply(tmp_path, {"modules_to_save": ["score"]}, tensors, base)
    shapes = {tensor.name: tensor.shape for tensor in model.tensors}
    assert shapes == {"model.embed_tokens.weight": (9, 4), WEIGHT: (6, 4), "model.norm.weight": (4,), "score.weight": (3, 4)}
    assert list(shapes)[-1] == "score.weight"
    by_name = {tensor.name: tensor for tensor in model.tensors}
    np.testing.assert_array_equal(whole(by_name["model.norm.weight"]), numbers(4, seed=5))
    np.testing.assert_array_equal(whole(by_name["score.weight"]), numbers(3, 4))
    assert model.changed["score.weight"] == "new"
    assert any("from the adapter: 2 tensors (" in notice for notice in model.notices)


def test_head_of_a_tied_base_that_was_trained_becomes_a_tensor(tmp_path: Path) -> None:
    base = save_llama(tmp_path / "base", tie_word_embeddings=True)
    config = peft.LoraConfig(r=2, target_modules=["q_proj"], modules_to_save=["lm_head"], init_lora_weights=False)
    files = read_adapter(save_adapter(base, tmp_path / "adapter", config))
    model = adapted(open_checkpoint(base), files)
    saved = load(tmp_path / "adapter" / "adapter_model.safetensors")
    assert model.tensors[-1].name == "lm_head.weight"
    np.testing.assert_array_equal(whole(model.tensors[-1]), saved["base_model.model.lm_head.weight"].numpy())


def test_vocabulary_that_grew(tmp_path: Path) -> None:
    base = save_llama(tmp_path / "base")
    larger = transformers.AutoModelForCausalLM.from_pretrained(base)
    larger.resize_token_embeddings(72)
    torch.manual_seed(0)
    tuned = peft.get_peft_model(larger, peft.LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False))
    tuned.save_pretrained(tmp_path / "adapter", save_embedding_layers=True)
    model = adapted(open_checkpoint(base), read_adapter(tmp_path / "adapter"))
    expected = tuned.merge_and_unload().state_dict()
    assert {tensor.name: tensor.shape[0] for tensor in model.tensors}["model.embed_tokens.weight"] == 72
    for tensor in model.tensors:
        np.testing.assert_allclose(whole(tensor), expected[tensor.name].numpy(), rtol=1e-5, atol=1e-6)


def test_classifier_on_the_base_of_a_language_model(tmp_path: Path) -> None:
    base = save_llama(tmp_path / "base")
    classifier = transformers.LlamaForSequenceClassification.from_pretrained(base, num_labels=3)
    tuned = peft.get_peft_model(classifier, peft.LoraConfig(r=2, task_type="SEQ_CLS", init_lora_weights=False))
    tuned.save_pretrained(tmp_path / "adapter")
    model = adapted(open_checkpoint(base), read_adapter(tmp_path / "adapter"))
    expected = tuned.merge_and_unload().state_dict()
    assert model.changed["score.weight"] == "new"
    for tensor in model.tensors:
        if tensor.name != "lm_head.weight":
            np.testing.assert_allclose(whole(tensor), expected[tensor.name].numpy(), rtol=1e-5, atol=1e-6)


def test_adapter_made_on_the_model_without_its_head(tmp_path: Path) -> None:
    base = save_llama(tmp_path / "base")
    headless = transformers.LlamaModel.from_pretrained(base)
    tuned = peft.get_peft_model(headless, peft.LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False))
    tuned.save_pretrained(tmp_path / "adapter")
    model = adapted(open_checkpoint(base), read_adapter(tmp_path / "adapter"))
    expected = tuned.merge_and_unload().state_dict()
    assert len(model.changed) == LLAMA["num_hidden_layers"]
    for tensor in model.tensors:
        if tensor.name in model.changed:
            want = expected[tensor.name.removeprefix("model.")].numpy()
            np.testing.assert_allclose(whole(tensor), want, rtol=1e-5, atol=1e-6)


def test_soft_prompt_changes_nothing_and_says_so(tmp_path: Path) -> None:
    config = {"peft_type": "PROMPT_TUNING", "num_virtual_tokens": 5}
    model = apply(tmp_path, config, {"prompt_embeddings": numbers(5, 4)})
    assert model.changed == {}
    assert model.notices == ("The adapter is a soft prompt of 5 virtual tokens: the base's weights are unchanged.",)
    np.testing.assert_array_equal(whole(model.tensors[0]), numbers(6, 4))


def named(folder: Path, name: str) -> Path:
    return write_adapter(folder / "adapter", {"base_model_name_or_path": name})


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("org/model", "models--org--model/snapshots/abc"),
        ("org/model", "org/model"),
        ("org/model", "model"),
        ("/home/me/model", "model"),
        ("C:\\models\\model", "model"),
        ("model/", "model"),
        ("../../model", "model"),
    ],
)
def test_finds_the_base_by_name(name: str, place: str, tmp_path: Path) -> None:
    write_base(tmp_path / "cache" / place)
    write_base(tmp_path / "cache" / "other")
    found = find_base(read_adapter(named(tmp_path, name)), [tmp_path / "empty", tmp_path / "cache"])
    assert open_checkpoint(found).tensors[0].name == WEIGHT
    assert found.relative_to(tmp_path / "cache").parts[0] == Path(place).parts[0]


def test_prefers_the_better_fit(tmp_path: Path) -> None:
    for place in ("model", "org/model", "models--org--model/snapshots/abc"):
        write_base(tmp_path / "cache" / place)
    assert find_base(read_adapter(named(tmp_path, "org/model")), [tmp_path / "cache"]).name == "models--org--model"


@pytest.mark.parametrize("name", ["org/another", "", "..", "/", "model/..", None])
def test_unknown_base_is_not_found(name: str | None, tmp_path: Path) -> None:
    write_base(tmp_path / "cache" / "model" if name != "model/.." else tmp_path / "cache" / "x")
    with pytest.raises(NotFoundError) as caught:
        find_base(read_adapter(named(tmp_path, name)), [tmp_path / "cache"])  # type: ignore[arg-type]
    assert "--base" in caught.value.hint


def test_a_path_in_the_configuration_is_never_opened(tmp_path: Path) -> None:
    secret = write_base(tmp_path / "outside" / "model")
    with pytest.raises(NotFoundError):
        find_base(read_adapter(named(tmp_path, str(secret))), [tmp_path / "cache"])


def test_two_equally_good_bases_are_ambiguous(tmp_path: Path) -> None:
    write_base(tmp_path / "one" / "model")
    write_base(tmp_path / "two" / "model")
    with pytest.raises(NotFoundError, match="could be"):
        find_base(read_adapter(named(tmp_path, "org/model")), [tmp_path / "one", tmp_path / "two"])
