"""The remote benchmark measures what it says: its models are what they claim to be, and its hub speaks as the real one does."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from huggingface_hub import HfApi, hf_hub_download
from safetensors.numpy import load_file
from safetensors.torch import load_file as load_torch
from transformers import LlamaConfig, LlamaForCausalLM

from benchmarks.remote import link, server
from benchmarks.remote.measuring import Bench, Measured
from benchmarks.remote.repository import Repository
from benchmarks.remote.shapes import SHAPES, Shape, shards
from benchmarks.remote.streams import NORMAL, key_of, rows_of_words, to_bits, to_float
from benchmarks.remote.tools import ours
from benchmarks.remote.weights import Changed, Permuted, Random, Stored, Weights

TINY = Shape("tiny", 64, 96, 4, 4, 2, 2000, tied=False, tokenizer_bytes=60_000)


def repository(name: str, weights: Weights) -> Repository:
    return Repository(f"tiny/{name}", TINY, weights)


def written(folder: Path, weights: Weights) -> Path:
    model = repository("model", weights)
    folder.mkdir()
    for name, file in model.files.items():
        (folder / name).write_bytes(b"".join(model.read(name, 0, file.size)))
    return folder / "model.safetensors"


def test_any_rows_of_a_stream_are_those_of_the_whole() -> None:
    whole = rows_of_words(key_of("a"), np.arange(50), 37)
    assert np.array_equal(rows_of_words(key_of("a"), np.array([3, 4, 5, 41, 0, 1, 7]), 37), whole[[3, 4, 5, 41, 0, 1, 7]])
    assert not np.array_equal(rows_of_words(key_of("b"), np.arange(50), 37), whole)


def test_words_are_uniform_and_stand_for_normal_numbers() -> None:
    words = rows_of_words(key_of("a"), np.arange(1000), 1000)
    counts = np.bincount(words.ravel() >> 8, minlength=256)
    assert ((counts - 1e6 / 256) ** 2 / (1e6 / 256)).sum() < 350  # chi-square, 255 degrees of freedom: 1e-4
    values = NORMAL[words]
    assert abs(values.mean()) < 5e-3
    assert abs(values.std() - 1) < 5e-3
    assert np.array_equal(to_bits(to_float(words[:9, :9] & 0x7F7F)), words[:9, :9] & 0x7F7F)


@pytest.mark.parametrize(
    ("size", "files", "parameters"), [("1B", 1, 1_235_814_400), ("8B", 4, 8_030_261_248), ("70B", 30, 70_553_706_496)]
)
def test_shapes_are_those_of_the_published_models(size: str, files: int, parameters: int) -> None:
    tensors = SHAPES[size].tensors()
    assert sum(tensor.rows * tensor.columns for tensor in tensors) == parameters
    parts = shards(tensors)
    assert len(parts) == files
    assert sorted(tensor for part in parts for tensor in part) == sorted(tensors)


def test_a_file_is_read_by_the_safetensors_library_and_any_range_is_a_part_of_it(tmp_path: Path) -> None:
    model = repository("base", Random("seed"))
    path = written(tmp_path / "base", Random("seed"))
    tensors = load_torch(path)
    assert {name: list(tensor.shape) for name, tensor in tensors.items()} == {t.name: t.shape for t in TINY.tensors()}
    whole, random = path.read_bytes(), np.random.default_rng(0)
    for start, stop in np.sort(random.integers(0, len(whole) + 1, (50, 2))).tolist():
        assert b"".join(model.read("model.safetensors", start, stop)) == whole[start:stop]


def test_a_model_on_disk_gives_its_own_bytes(tmp_path: Path) -> None:
    path = written(tmp_path / "base", Random("seed"))
    copy = written(tmp_path / "copy", Stored(path))
    assert copy.read_bytes() == path.read_bytes()


def test_a_changed_model_differs_by_as_much_as_it_says(tmp_path: Path) -> None:
    base = load_torch(written(tmp_path / "base", Random("seed")))
    changed = load_torch(written(tmp_path / "changed", Changed(Random("seed"), "change", 0.1)))
    for name, values in base.items():
        if values.dim() == 2:
            assert float((changed[name].float() - values.float()).norm() / values.float().norm()) == pytest.approx(0.1, rel=0.1)


def test_a_disguised_model_computes_the_same(tmp_path: Path) -> None:
    config = LlamaConfig(**TINY.config())

    def logits(folder: str, weights: Weights) -> torch.Tensor:
        model = LlamaForCausalLM(config).float().eval()
        tensors = {name: values.float() for name, values in load_torch(written(tmp_path / folder, weights)).items()}
        model.load_state_dict(tensors)
        with torch.no_grad():
            answer: torch.Tensor = model(torch.tensor([[5, 17, 400, 3, 88]])).logits
        return answer

    base = Random("seed")
    disguised = Permuted(base, "disguise", TINY.permuted())
    expected = logits("base", base)
    assert torch.allclose(logits("disguised", disguised), expected, atol=1e-4 * float(expected.abs().max()))
    moved = load_file(written(tmp_path / "again", Changed(disguised, "none", 0.0)))
    there = load_file(tmp_path / "base" / "model.safetensors")
    assert all(not np.array_equal(moved[name], values) for name, values in there.items())


@pytest.fixture(scope="module")
def hub() -> Iterator[server.Client]:
    base = Random("base")
    suspects = {"base": base, "fine-tuned": Changed(base, "tuning", 0.02), "stranger": Random("stranger")}
    with server.serving([repository(name, weights) for name, weights in suspects.items()], 0.0, 1e9) as client:
        yield client


def test_the_hubs_own_client_downloads_what_the_repository_holds(
    hub: server.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = repository("base", Random("base"))
    hub.counts()
    found = HfApi(endpoint=hub.url).model_info("tiny/base", files_metadata=True)
    assert {each.rfilename: each.size for each in found.siblings or []} == {n: f.size for n, f in model.files.items()}
    assert hub.counts().read == 0
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    for name, file in model.files.items():
        path = hf_hub_download("tiny/base", name, endpoint=hub.url, cache_dir=tmp_path, token=False)
        assert Path(path).read_bytes() == b"".join(model.read(name, 0, file.size))
    assert hub.counts().read == model.size


def test_a_comparison_is_measured(hub: server.Client) -> None:
    told: list[Measured] = []
    those = {name: repository(name, Random("unused")) for name in ("base", "fine-tuned", "stranger")}
    bench = Bench(hub, 60.0, told.append)
    (found,) = bench.comparisons("tiny", those, ["fine-tuned"], [ours("tensorguard", "--quick")])
    assert told == [found]
    assert (found.answer.verdict, found.outcome) == ("derived", "right")
    assert found.offered == 2 * those["base"].size
    assert 0 < found.counts.read < found.offered
    assert found.counts.requests > 4
    assert found.memory > 1 << 24
    failed = next(
        bench.comparisons("tiny", {n: replace(r, name="no/such") for n, r in those.items()}, ["stranger"], [ours("x")])
    )
    assert (failed.answer.linked, failed.outcome) == (None, "no answer")
    assert failed.answer.verdict.startswith("failed: ")


def test_the_line_carries_what_it_can_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=5.0)
    clock.monotonic = lambda: clock.now
    clock.sleep = lambda seconds: setattr(clock, "now", clock.now + seconds)
    monkeypatch.setattr(link, "time", clock)
    line = link.Link(round_trip=0.02, bandwidth=1e6)
    line.connected()
    line.asked()
    assert clock.now == pytest.approx(5.06)
    body = bytes(range(256)) * 4000
    assert b"".join(line.paced(body)) == body
    assert clock.now == pytest.approx(5.06 + len(body) / 1e6)


def test_a_tokenizer_has_the_words_and_the_length_that_it_should() -> None:
    body = b"".join(repository("base", Random("base")).read("tokenizer.json", 0, 1 << 30))
    document: dict[str, Any] = json.loads(body)
    assert len(document["model"]["vocab"]) == TINY.vocabulary
    assert document["model"]["vocab"]["Ġthe"] > 255
    assert TINY.tokenizer_bytes <= len(body) < TINY.tokenizer_bytes + 200
