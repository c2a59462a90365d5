"""Make the golden files of this version: `make goldens`. Those of a version that was released are never made again; README.md says why.

Everything is made by the commands that users have, of the models of `models.py`.
"""

import contextlib
import io
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import blake3

from golden.models import KEY, MODELS, save
from support.shared import in_folder, opened
from tensorguard.api.fingerprints import Settings
from tensorguard.api.lineage import compare_models
from tensorguard.cli.main import run
from tensorguard.fingerprint.file import read_fingerprint
from tensorguard.probes.rademacher import PUBLIC, Key
from tensorguard.registry.entry import Facts
from tensorguard.version import __version__

GOLDEN = Path(__file__).parent
SCHEMAS = GOLDEN.parents[1] / "schema"
WHOLE = ("llama", "llama-tuned", "llama-other", "gpt2", "bert", "mixtral", "deepseek", "mamba")
"""Models whose fingerprints are kept; of the other models tests make them anew and compare them with these."""

PAIRS: tuple[tuple[str, str, str], ...] = (
    ("fingerprints/llama.tgfp", "fingerprints/llama-tuned.tgfp", "derived"),
    ("fingerprints/llama.tgfp", "fingerprints/llama-other.tgfp", "independent"),
    *(("fingerprints/llama.tgfp", f"fingerprints/{name}.tgfp", "independent") for name in WHOLE[3:]),
    ("keyed/llama.tgfp", "keyed/llama-tuned.tgfp", "derived"),
    ("sampled/llama.tgfp", "fingerprints/llama-tuned.tgfp", "derived"),
    ("sampled/llama.tgfp", "fingerprints/llama-other.tgfp", "independent"),
    ("sampled-keyed/llama.tgfp", "keyed/llama-tuned.tgfp", "derived"),
    ("fingerprints/llama.tgfp", "models/llama-copy", "same-weights"),
    ("fingerprints/llama.tgfp", "models/llama-embeddings", "shares-components"),
    ("fingerprints/llama-tuned.tgfp", "models/llama-merged", "derived"),
    ("fingerprints/llama-other.tgfp", "models/llama-merged", "independent"),
    ("keyed/llama.tgfp", "models/llama-tuned", "derived"),
    *((f"fingerprints/{name}.tgfp", f"models/{name}", "identical") for name in WHOLE),
)
"""What is compared, and what it is; `models/` are made anew by whoever compares."""


def command(*arguments: object) -> str:
    """Run a command of this version and return what it printed."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = run([str(argument) for argument in arguments])
    if code != 0:
        raise SystemExit(f"tensorguard {' '.join(map(str, arguments))}: exit code {code}")
    return out.getvalue()


def make(folder: Path) -> None:
    """Make all golden files in a folder in which the models are under `models`."""
    Path("key").write_bytes(KEY)
    whole = [f"models/{name}" for name in WHOLE]
    command("fingerprint", *whole, "-o", folder / "fingerprints", "--workers", 1)
    command("fingerprint", *whole[:2], "-o", folder / "keyed", "--key-file", "key", "--workers", 1)
    command("fingerprint", whole[0], "-o", folder / "plain", "--no-lineage", "--features", "extended")
    command("fingerprint", whole[0], "-o", folder / "sampled", "--quick")
    command("fingerprint", whole[0], "-o", folder / "sampled-keyed", "--quick", "--key-file", "key")
    known = ("--registry", folder / "registry")
    facts = ("--licence", "apache-2.0", "--family", "golden", "--publisher", "golden")
    command("registry", "add", "models/llama", "--repository", "golden/llama", *facts, *known)
    command("registry", "add", "models/llama", "--repository", "golden/llama", "--key-file", "key", *known)
    command("registry", "add", "models/mamba", "--repository", "golden/mamba", "--licence", "mit", *known)
    command("registry", "export", folder / "registry.tar", "golden/mamba", *known)
    make_shared(folder)
    labels = {"bases": ["llama", "bert"], "labels": {"llama": "llama", "llama-tuned": "llama", "bert": "bert"}}
    (folder / "labels.json").write_text(json.dumps(labels, indent=2) + "\n")
    three = [folder / "fingerprints" / f"{name}.tgfp" for name in ("llama", "llama-tuned", "bert", "gpt2")]
    clustering = ("--labels", folder / "labels.json", "--save", folder / "clustering.json")
    documents = {
        "cluster": ("cluster", *three, *clustering),
        "classify": ("classify", folder / "fingerprints/llama-tuned.tgfp", "--families", folder / "clustering.json"),
        "compare": ("compare", "models/llama", "models/llama-tuned"),
        "tree": ("tree", "models/llama", "models/llama-tuned", "models/llama-other"),
        "scan": ("scan", "models/llama-tuned", *known),
        "check": ("check", "models/llama-tuned", *known),
        "inspect": ("inspect", "models/deepseek"),
        "registry-list": ("registry", "list", *known),
    }
    for name, arguments in documents.items():
        write_json(folder / "documents" / f"{name}.json", json.loads(command(*arguments, "--json")))
    write_json(folder / "expected.json", [measured(folder, *pair) for pair in PAIRS])
    write_json(
        folder / "schemas.json",
        {each.name: blake3.blake3(each.read_bytes()).hexdigest() for each in sorted(SCHEMAS.glob("*.json"))},
    )


def make_shared(folder: Path) -> None:
    """Make a registry as object storage holds it, each object a file: two entries, and one that was removed."""
    with contextlib.closing(opened(in_folder(folder / "shared"), Path("mirror"))) as registry:
        for name in ("bert", "llama", "mamba"):
            made, facts = read_fingerprint(folder / "fingerprints" / f"{name}.tgfp"), Facts(licence="mit", family="golden")
            registry.add(made, facts, name=f"golden/{name}")
        registry.remove("golden/bert")


def measured(folder: Path, first: str, second: str, verdict: str) -> dict[str, Any]:
    """Return what a comparison finds, which has to be the truth."""
    settings = Settings(key=Key(KEY) if "keyed" in first else PUBLIC)
    (pair,) = compare_models(
        [each if each.startswith("models/") else folder / each for each in (first, second)], settings=settings
    )
    found = pair.lineage
    if found.verdict != verdict:
        raise SystemExit(f"{first} and {second}: {found.verdict} instead of {verdict}")
    return {
        "first": first,
        "second": second,
        "verdict": verdict,
        "effect": found.effect,
        "log10_p": found.log10_p,
        "how": found.how,
    }


def write_json(path: Path, document: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def main() -> None:
    folder = GOLDEN / __version__
    with tempfile.TemporaryDirectory() as place, contextlib.chdir(place):
        for name in MODELS:
            save(Path("models"), name)
        made = Path("golden")
        make(made)  # by relative names, since documents say them
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(made, folder)
    files = [each for each in folder.rglob("*") if each.is_file()]
    sys.stdout.write(f"{folder}: {len(files)} files, {sum(each.stat().st_size for each in files):,} bytes\n")


if __name__ == "__main__":
    main()
