"""Real models with their tokenizers: two rivals read text, and the packages that the models come out of left the tokenizer behind."""

from pathlib import Path

TOKENIZER = "tokenizer.json"
CONFIGURATIONS = ("config.json", "adapter_config.json")


def tokenised(models: dict[Path, str], tokenizers: dict[str, str], out: Path) -> dict[Path, str]:
    """Return the models, with those that lack a tokenizer replaced by a folder of links to the same files and a tokenizer.

    Args:
        models: Each folder's family.
        tokenizers: Family -> the folder, beside the model, that has the tokenizer of all its models (`tokenizer.json` or a GGUF file).
            A model whose family is not named is left as it is; so is one whose donor is missing, or that is
            a GGUF file. An adapter's base is replaced too, and lies beside it again.
        out: Where to make folders; each keeps its model's name.
    """
    return {_with_tokenizer(model, tokenizers.get(family), out): family for model, family in models.items()}


def _with_tokenizer(model: Path, donor: str | None, out: Path) -> Path:
    if donor is None or (model / TOKENIZER).exists() or not any((model / name).exists() for name in CONFIGURATIONS):
        return model
    tokenizer = _tokenizer(model.parent / donor, out)
    if tokenizer is None:
        return model
    folder = out / model.name
    folder.mkdir(parents=True, exist_ok=True)
    for source in (*model.iterdir(), tokenizer):
        link = folder / (TOKENIZER if source == tokenizer else source.name)
        link.unlink(missing_ok=True)
        link.symlink_to(source.resolve())
    return folder


def _tokenizer(donor: Path, out: Path) -> Path | None:
    """The donor's `tokenizer.json`; made from its GGUF file if that is all it has."""
    if (donor / TOKENIZER).exists():
        return donor / TOKENIZER
    files = sorted(donor.glob("*.gguf"))
    if not files:
        return None
    made = out / f"tokenizer-of-{donor.name}"
    if not (made / TOKENIZER).exists():
        from transformers import AutoTokenizer

        AutoTokenizer.from_pretrained(str(donor), gguf_file=files[0].name, local_files_only=True).save_pretrained(str(made))
    return made / TOKENIZER
