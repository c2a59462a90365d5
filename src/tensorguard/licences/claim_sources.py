"""What each kind of file says of its model, as claims. Pure: the files were read and parsed elsewhere."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tensorguard.licences.claim import Claim
from tensorguard.licences.letters import unified
from tensorguard.limits import MAX_CLAIM_CHARACTERS

Reading = Callable[[Mapping[str, Any]], Iterator[Claim]]

_CARD = {
    "license": "licence",
    "license_name": "licence_name",
    "license_link": "licence_link",
    "base_model": "base_model",
    "base_model_relation": "relation",
    "model_name": "name",
    "library_name": "library",
    "quantized_by": "quantised_by",
    "language": "language",
    "tags": "tag",
}
"""Keys of a card's front matter (https://huggingface.co/docs/hub/model-cards) -> fields."""

_CONFIG = {"_name_or_path": "origin", "model_type": "model_type", "architectures": "architecture"}

_SIZES = {
    "hidden_size": "width", "n_embd": "width", "d_model": "width",
    "num_hidden_layers": "blocks", "n_layer": "blocks", "num_layers": "blocks", "n_layers": "blocks",
    "vocab_size": "vocabulary",
    "intermediate_size": "neurons", "n_inner": "neurons", "ffn_dim": "neurons",
    "tie_word_embeddings": "tied",
}  # fmt: skip
"""Keys of config.json, as the architectures of transformers call them."""

_GGUF = {
    "general.name": "name",
    "general.license": "licence",
    "general.license.name": "licence_name",
    "general.license.link": "licence_link",
    "general.quantized_by": "quantised_by",
    "general.architecture": "model_type",
    "general.source.url": "origin",
    "general.source.repo_url": "origin",
    "general.source.huggingface.repository": "origin",
    "general.tags": "tag",
    "general.languages": "language",
}
"""https://github.com/ggml-org/ggml/blob/master/docs/gguf.md#general-metadata"""

_GGUF_SIZES = {
    "embedding_length": "width",
    "block_count": "blocks",
    "vocab_size": "vocabulary",
    "feed_forward_length": "neurons",
}

_METADATA = {
    "license": "licence",
    "modelspec.license": "licence",
    "base_model": "base_model",
    "modelspec.title": "name",
    "modelspec.architecture": "architecture",
}
"""Free-form metadata of safetensors; https://github.com/Stability-AI/ModelSpec."""

_MOST_BASES = 100
_SENTENCE = re.compile(r"[.!?]+|\n[ \t]*\n")
_AROUND = 200
"""Characters before and behind it that may deny it."""

_SCRATCH = re.compile(r"\b(?:pre-?)?train(?:ed|ing)?\b.{0,40}\bfrom[\s-]+scratch\b", re.IGNORECASE)
_DENIED = re.compile(
    r"\b(?:not|never|no|instead|rather|than|without|unlike|\w+n['’]t|tokeni[sz]er|head|heads|classifier|projector|to)\b",
    re.IGNORECASE,
)
_HEADING = re.compile(r"^#.*$", re.MULTILINE)
_TITLE = re.compile(r"^#[ \t]+(\S.*)$", re.MULTILINE)
_UNSEEN = re.compile(r"<!--.*?(?:-->|\Z)|```.*?(?:```|\Z)", re.DOTALL)


def of_name(name: str) -> Iterator[Claim]:
    """Yield the name under which the model lies on disk."""
    yield from _claims("name", name, "repository" if "/" in name else "folder or file name")


def of_card(fields: Mapping[str, Any], body: str) -> Iterator[Claim]:
    """Yield what a model card says: its front matter, its title, and sentences that say it was trained from scratch."""
    for key, field in _CARD.items():
        yield from _claims(field, fields.get(key), f"README.md: {key}")
    shown = prose(body)
    if title := _TITLE.search(shown):
        yield from _claims("title", title[1], "README.md: title")
    for sentence in _SENTENCE.split(_HEADING.sub(r"\n\n\g<0>\n\n", shown)):
        line = " ".join(sentence.split())
        found = _SCRATCH.search(line)
        said = line[max(0, found.start() - _AROUND) : found.end() + _AROUND] if found else ""
        if found and not _DENIED.search(said):
            yield from _claims("scratch", said, "README.md: text")


def prose(body: str) -> str:
    """Return what a reader of a card sees: no comments, no code, compatible letters unified."""
    return unified(_UNSEEN.sub(" ", body))


def of_config(config: Mapping[str, Any]) -> Iterator[Claim]:
    """Yield what config.json says; sizes are those of its language model."""
    for key, field in _CONFIG.items():
        yield from _claims(field, config.get(key), f"config.json: {key}")
    if config.get("is_encoder_decoder"):
        return
    inner = config.get("text_config")
    sizes = inner if isinstance(inner, dict) else config
    path = "config.json: text_config." if sizes is inner else "config.json: "
    for key, field in _SIZES.items():
        if isinstance(sizes.get(key), int):
            yield Claim(field, str(sizes[key]).lower()[:MAX_CLAIM_CHARACTERS], path + key)


def of_adapter(config: Mapping[str, Any]) -> Iterator[Claim]:
    """Yield what adapter_config.json says."""
    yield from _claims("base_model", config.get("base_model_name_or_path"), "adapter_config.json: base_model_name_or_path")
    yield from _claims("adapter", config.get("peft_type"), "adapter_config.json: peft_type")


def of_merge(config: Mapping[str, Any]) -> Iterator[Claim]:
    """Yield what mergekit_config.yml says (https://github.com/arcee-ai/mergekit/blob/main/docs/config.md)."""
    yield from _claims("merge_method", config.get("merge_method"), "mergekit_config.yml: merge_method")
    yield from _claims("base_model", _merged(config.get("base_model")), "mergekit_config.yml: base_model")
    parts = [("models", each) for each in _list(config.get("models"))]
    parts += [("slices", each) for part in _list(config.get("slices")) for each in _list(_get(part, "sources"))]
    for place, part in parts[:_MOST_BASES]:
        name = _merged(_get(part, "model"))
        yield from _claims("merge_parent", name, f"mergekit_config.yml: {place}")
        weight = _get(_get(part, "parameters"), "weight")
        if (
            name
            and isinstance(weight, str)
            and re.fullmatch(r"[+-]?\d{0,9}\.?\d{0,9}(e[+-]?\d)?", weight)
            and any(map(str.isdigit, weight))
        ):
            yield from _claims("merge_weight", f"{weight} {name}", f"mergekit_config.yml: {place}")


def of_gguf(config: Mapping[str, Any]) -> Iterator[Claim]:
    """Yield what a GGUF file's keys say."""
    for key, field in _GGUF.items():
        yield from _claims(field, config.get(key), f"GGUF: {key}")
    count = config.get("general.base_model.count")
    for number in range(min(count, _MOST_BASES) if isinstance(count, int) else 0):
        key = f"general.base_model.{number}"
        name, maker, url = (config.get(f"{key}.{part}") for part in ("name", "organization", "repo_url"))
        full = f"{maker}/{name}" if isinstance(maker, str) and isinstance(name, str) and maker else name
        yield from _claims("base_model", url or full, f"GGUF: {key}")
    for key, field in _GGUF_SIZES.items():
        full_key = f"{config.get('general.architecture')}.{key}"
        if type(config.get(full_key)) is int:
            yield Claim(field, str(config[full_key]), f"GGUF: {full_key}"[:MAX_CLAIM_CHARACTERS])


def of_metadata(metadata: Mapping[str, str]) -> Iterator[Claim]:
    """Yield what a safetensors file's metadata says."""
    for key, field in _METADATA.items():
        yield from _claims(field, metadata.get(key), f"safetensors: {key}")


def _claims(field: str, value: Any, source: str) -> Iterator[Claim]:
    for each in _list(value) if isinstance(value, list) else [value]:
        if isinstance(each, str) and each.strip():
            yield Claim(field, each.strip()[:MAX_CLAIM_CHARACTERS], source)


def _merged(model: Any) -> str | None:
    """Return a model's name; mergekit writes `model+adapter`, or a map with a path."""
    inner = _get(model, "model", "path") if isinstance(model, dict) else model
    inner = _get(inner, "path") if isinstance(inner, dict) else inner
    return inner.partition("+")[0] if isinstance(inner, str) else None


def _get(value: Any, *keys: str) -> Any:
    """Return what a map has under the first of the keys that it has; None if it is no map."""
    return next((value[key] for key in keys if key in value), None) if isinstance(value, dict) else None


def _list(value: Any) -> list[Any]:
    return value[:_MOST_BASES] if isinstance(value, list) else []
