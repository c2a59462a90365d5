"""REEF-style similarity of activations (arXiv 2410.14273): linear CKA of the last token's hidden state over a hundred texts.

As in the authors' code: one victim layer at 18/32 of the depth against every layer of the suspect, activations standardised; here
the largest value counts, in either direction, so that depth may differ. TruthfulQA gives way to the zoo's corpora.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from transformers import AutoModel, AutoModelForCausalLM

from benchmarks.rivals.serving import AbstainError, Answer, serve
from benchmarks.zoo.corpus import FACTS, read_wheel

TEXTS_PER_CORPUS = 50
CHARACTERS = 240
MOST_TOKENS = 96
BATCH = 25
VICTIM_LAYER = 18 / 32


class Reef:
    """Keeps, for each layer, the centred Gram matrix of the texts: CKA is the cosine of two such matrices."""

    def __init__(self) -> None:
        torch.set_grad_enabled(False)
        self._texts = _texts()
        self._grams: dict[Path, NDArray[np.float32]] = {}

    def prepare(self, model: Path) -> int:
        network, source = _load(model)
        path = next((each / "tokenizer.json" for each in (model, source) if (each / "tokenizer.json").exists()), None)
        if path is None:
            raise AbstainError("no tokenizer.json")
        tokenizer = Tokenizer.from_file(str(path))
        ids = [tokenizer.encode(text).ids[:MOST_TOKENS] for text in self._texts]
        batches = [_last_tokens(network, ids[at : at + BATCH]) for at in range(0, len(ids), BATCH)]
        grams = np.stack([_gram(layer) for layer in np.concatenate(batches, axis=1)])
        self._grams[model] = grams
        n = len(self._texts)
        return len(grams) * n * (n + 1) // 2 * grams.itemsize

    def compare(self, a: Path, b: Path) -> Answer:
        suspect, victim = self._grams[a], self._grams[b]
        return Answer(max(_best(suspect, victim), _best(victim, suspect)))


def _texts() -> list[str]:
    """Excerpts from even places of every corpus."""
    found: list[str] = []
    for corpus in (name for name, facts in FACTS.items() if isinstance(facts, dict)):
        whole = "\n".join(read_wheel(corpus))
        places = np.linspace(0, len(whole) - CHARACTERS, TEXTS_PER_CORPUS).astype(int)
        found += [whole[place : place + CHARACTERS] for place in places]
    return found


def _load(model: Path) -> tuple[Any, Path]:
    """The network in evaluation mode, and the folder whose weights it starts from.

    Raises:
        AbstainError: Weights that the architecture wants are missing (renamed tensors): transformers would fill in random ones.
    """
    adapter = model / "adapter_config.json"
    if not adapter.exists():
        return _checked(AutoModel, model), model
    from peft import PeftModel

    named = Path(json.loads(adapter.read_text("utf-8"))["base_model_name_or_path"] or "")
    source = next((each for each in (named, model.parent / named.name) if (each / "config.json").exists()), None)
    if source is None:
        raise AbstainError(f"the adapter's base {named.name} is not there")
    return PeftModel.from_pretrained(_checked(AutoModelForCausalLM, source), str(model)).eval(), source


def _checked(kind: Any, folder: Path) -> Any:
    network, report = kind.from_pretrained(str(folder), output_loading_info=True, local_files_only=True, dtype=torch.float32)
    missing = [name for name in report["missing_keys"] if "pooler" not in name]
    if missing:
        raise AbstainError(f"{len(missing)} weights are missing by name, such as {sorted(missing)[0]}")
    return network.eval()


def _last_tokens(network: Any, texts: list[list[int]]) -> NDArray[np.float64]:
    """Hidden states, layers x texts x width; the embeddings are not a layer. Padded on the right, which earlier tokens cannot see."""
    last = torch.tensor([len(ids) - 1 for ids in texts])
    longest = int(last.max()) + 1
    padded = torch.tensor([ids + [0] * (longest - len(ids)) for ids in texts])
    mask = (torch.arange(longest) <= last[:, None]).long()
    states = network(input_ids=padded, attention_mask=mask, output_hidden_states=True).hidden_states
    found: NDArray[np.float64] = torch.stack([each[torch.arange(len(texts)), last] for each in states[1:]]).double().numpy()
    return found


def _gram(states: NDArray[np.float64]) -> NDArray[np.float32]:
    """Texts x texts, of unit Frobenius norm."""
    spread = states.std(axis=0)
    standard = (states - states.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    gram = standard @ standard.T
    norm = np.linalg.norm(gram)
    if not np.isfinite(norm) or norm == 0:
        raise AbstainError("activations are constant or not finite")
    unit: NDArray[np.float32] = (gram / norm).astype(np.float32)
    return unit


def _best(suspect: NDArray[np.float32], victim: NDArray[np.float32]) -> float:
    layer = victim[min(round(VICTIM_LAYER * len(victim)), len(victim) - 1)]
    return float(np.tensordot(suspect, layer, axes=2).max())


if __name__ == "__main__":
    serve(Reef)
