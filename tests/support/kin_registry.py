"""A registry of the kin, under names and licences of the world."""

from pathlib import Path

from tensorguard.fingerprint.file import read_fingerprint
from tensorguard.registry.entry import Facts
from tensorguard.registry.registry import Registry

BASE, STRANGER = "meta-llama/Llama-3.2-1B", "mistralai/Mistral-7B-v0.1"
NAMES = {"base": BASE, "tuned-a": "somebody/tuned-a", "tuned-b": "somebody/tuned-b", "stranger": STRANGER}
FACTS = {
    "base": Facts(repository=BASE, licence="llama3.2", publisher="Meta", family="Llama 3.2"),
    "tuned-a": Facts(licence="mit", parents=(BASE,), relation="finetune"),
    "tuned-b": Facts(licence="cc-by-nc-4.0"),
    "stranger": Facts(repository=STRANGER, licence="apache-2.0"),
}


def make(folder: Path, prints: Path, *models: str) -> Path:
    """Make a registry of these of the kin, in this order; of all four by default."""
    with Registry(folder, create=True) as known:
        for model in models or NAMES:
            known.add(read_fingerprint(prints / f"{model}.tgfp"), FACTS[model], name=NAMES[model])
    return folder
