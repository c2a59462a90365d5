"""Every command on small models, with what a plain installation has: in whatever environment these tests are run, the answers are right."""

import importlib
import json
import pkgutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import tensorguard
from compat.commands import called, told
from golden.models import MODELS
from support.hub_server import serving

EXTRAS = {"torch", "ray", "fastapi", "uvicorn", "starlette", "prometheus_client", "opentelemetry", "obstore"}
PICTURES = ("png", "svg", "html", "json", "table")
STARTS = {"png": b"\x89PNG", "svg": b"<svg", "html": b"<!doctype html", "json": b"{", "table": b""}


@pytest.fixture(scope="session")
def adapter(models: Path) -> Path:
    """A LoRA of rank 4 on q of the llama."""
    folder = models.parent / "adapter"
    folder.mkdir()
    stem, rng = "base_model.model.model.layers.{}.self_attn.q_proj.lora_{}.weight", np.random.default_rng(0)
    shapes = {"A": (4, 64), "B": (64, 4)}
    arrays = {stem.format(i, side): rng.normal(0, 0.2, shapes[side]).astype(np.float32) for i in range(2) for side in "AB"}
    save_file(arrays, folder / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": ["q_proj"], "base_model_name_or_path": "llama"}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture
def known(models: Path, tmp_path: Path) -> Path:
    """A registry of two models."""
    for name in ("llama", "gpt2"):
        facts = ("--repository", f"org/{name}", "--licence", "apache-2.0")
        told("registry", "add", models / name, *facts, "--registry", tmp_path / "known")
    return tmp_path / "known"


def written(folder: Path, *forms: str) -> tuple[str, ...]:
    return tuple(word for form in forms for word in ("-o", f"{form}={folder / f'report.{form}'}"))


def assert_written(folder: Path, *forms: str) -> None:
    for form in forms:
        made = sorted(folder.glob(f"report*.{form}"))
        assert made, form
        assert all(each.read_bytes().lower().startswith(STARTS.get(form, b"").lower()) for each in made), form


@pytest.mark.parametrize("name", MODELS)
def test_inspect_and_fingerprint(name: str, models: Path, tmp_path: Path) -> None:
    assert told("inspect", models / name)
    (model,) = told("fingerprint", models / name, "-o", tmp_path, "--features", "extended")
    assert model["status"] == "done"
    assert (tmp_path / f"{name}.tgfp").exists()


def test_fingerprints_of_processes_are_those_of_threads(models: Path, tmp_path: Path) -> None:
    paths = [models / name for name in ("llama", "bert", "mamba")]
    for workers in (1, 2):
        told("fingerprint", *paths, "-o", tmp_path / str(workers), "--workers", workers)
    for path in paths:
        assert (tmp_path / "1" / f"{path.name}.tgfp").read_bytes() == (tmp_path / "2" / f"{path.name}.tgfp").read_bytes()


def test_compare_and_its_reports(models: Path, tmp_path: Path) -> None:
    found = told("compare", models / "llama", models / "llama-tuned", *written(tmp_path, *PICTURES))
    assert found["verdict"] == "derived"
    assert_written(tmp_path, *PICTURES)
    deep = told("compare", models / "llama", models / "llama-tuned", "--deep")
    assert deep["deep"] is not None


def test_tree_and_parents(models: Path, tmp_path: Path) -> None:
    found = told(
        "tree", *(models / name for name in ("llama", "llama-tuned", "llama-other")), *written(tmp_path, "svg", "html")
    )
    assert len(found["edges"]) == 1
    assert_written(tmp_path, "svg", "html")
    assert told("parents", models / "llama-merged", models / "llama", models / "llama-tuned")


def test_scan_and_check_and_their_reports(models: Path, known: Path, tmp_path: Path) -> None:
    forms = ("sarif", "cyclonedx", "spdx", "card", "html", "png")
    assert told("scan", models / "llama-tuned", "--registry", known, *written(tmp_path, *forms))["verdict"] == "derived"
    assert_written(tmp_path, *forms)
    assert "findings" in told("check", models / "llama-tuned", "--registry", known, *written(tmp_path, "sarif"))


def test_a_registry_from_the_first_entry_to_the_last(
    models: Path, known: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(told("registry", "list", "--registry", known)) == 2
    told("registry", "show", "org/llama", "--registry", known)
    told("registry", "export", tmp_path / "known.tar", "--registry", known)
    told("registry", "import", tmp_path / "known.tar", "--registry", tmp_path / "theirs")
    told("registry", "diff", known, tmp_path / "theirs")
    told("registry", "index", "--registry", known)
    told("registry", "compact", "--registry", known)
    told("registry", "verify", "--registry", known)
    told("registry", "remove", "org/gpt2", "--registry", known)
    monkeypatch.setenv("TENSORGUARD_REGISTRY", str(known))
    assert told("compare", "registry:org/llama", models / "llama-copy")["verdict"] == "same-weights"


def test_models_that_lie_on_a_server(models: Path, known: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TENSORGUARD_ALLOW_PRIVATE", "1")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with serving({f"org/{name}": models / name for name in ("bert", "llama", "llama-tuned")}) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        assert told("inspect", "org/bert")
        assert told("compare", "org/llama", "org/llama-tuned")["verdict"] == "derived"
        (tmp_path / "list.txt").write_text("org/bert\n")
        told("registry", "build", "list.txt", "--remote", "--registry", known)
    assert len(told("registry", "list", "--registry", known)) == 3


def test_families(models: Path, tmp_path: Path) -> None:
    paths = [models / name for name in ("llama", "llama-tuned", "bert", "mixtral")]
    told("fingerprint", *paths, "-o", tmp_path / "prints", "--no-lineage", "--workers", 1)
    saved = tmp_path / "families.json"
    asked = ("--bases", "llama,bert,mixtral", "--save", saved, *written(tmp_path, "svg"))
    told("cluster", tmp_path / "prints", *asked)
    assert_written(tmp_path, "svg")
    assert told("classify", models / "llama-tuned", "--families", saved)["verdict"] == "llama"


def test_sensitivity(models: Path, tmp_path: Path) -> None:
    told("sensitivity", models / "llama", "--repeats", "5", *written(tmp_path, "png"))
    assert_written(tmp_path, "png")


def test_an_adapter_is_recognised_and_merged(models: Path, adapter: Path, tmp_path: Path) -> None:
    assert told("adapter", adapter, models / "llama")
    told("merge", adapter, "--base", models / "llama", "-o", tmp_path / "merged.safetensors")
    merged, base = load_file(tmp_path / "merged.safetensors"), load_file(models / "llama" / "model.safetensors")
    parts = load_file(adapter / "adapter_model.safetensors")
    stem, name = "base_model.model.model.layers.1.self_attn.q_proj.lora_", "model.layers.1.self_attn.q_proj.weight"
    wanted = base[name] + 2 * parts[f"{stem}B.weight"] @ parts[f"{stem}A.weight"]
    np.testing.assert_allclose(merged[name], wanted, rtol=1e-6, atol=1e-6)
    assert set(merged) == set(base)


def test_a_table_is_shown_as_well(models: Path) -> None:
    assert "derives from" in " ".join(called("compare", models / "llama", models / "llama-tuned").split())


def test_every_module_is_imported_where_extras_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """All but those that are of an extra alone: names that a dependency's lowest version lacks are seen here."""
    for extra in EXTRAS:
        if extra not in sys.modules:
            monkeypatch.setitem(sys.modules, extra, None)
    names = [each.name for each in pkgutil.walk_packages(tensorguard.__path__, "tensorguard.", onerror=lambda _: None)]
    missing = {}
    for name in names:
        try:
            importlib.import_module(name)
        except ImportError as error:
            missing[name] = str(error.name).partition(".")[0]
    assert set(missing.values()) <= EXTRAS, missing
    assert len(names) > 200


def test_help_needs_no_heavy_library() -> None:
    """And a comparison needs neither torch nor what reports alone use."""
    code = "import sys, tensorguard.cli.main as m; m.run(['--help']); print(*{n.split('.')[0] for n in sys.modules}, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "fingerprint" in done.stdout
    heavy = {"torch", "ray", "matplotlib", "scipy", "sklearn", "huggingface_hub", "cyclonedx", "fastapi", "numpy"}
    assert not heavy & set(done.stderr.split())
