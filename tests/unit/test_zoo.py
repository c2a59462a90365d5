"""The zoo's trained half: its manifest, its plan, training that a seed decides, and derivatives that are what they say."""

import gzip
import json
import zipfile
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import LlamaConfig

from benchmarks.wheels import FetchError
from benchmarks.zoo import __main__ as command
from benchmarks.zoo import corpus, manifest, plan
from benchmarks.zoo.bases import BASES, RATE, Base, initial, make_base
from benchmarks.zoo.corpus import LENGTH, Corpora
from benchmarks.zoo.trained import FINE_TUNES, OTHERS, Job, make_derivative
from benchmarks.zoo.training import next_token_loss, train

CONFIG = partial(
    LlamaConfig,
    vocab_size=2048,
    hidden_size=16,
    intermediate_size=24,
    num_hidden_layers=1,
    num_attention_heads=2,
    num_key_value_heads=1,
    initializer_range=0.05,
    bos_token_id=0,
    eos_token_id=0,
)
TINY = Base("tiny-a", "development", CONFIG, "code")
TWIN = Base("tiny-b", "development", CONFIG, "code", twin_of="tiny-a")
SAME_INIT = Base("tiny-same-init-a", "development", CONFIG, "code", reads="prose", init_of="tiny-a")
RECIPES = {**FINE_TUNES, **OTHERS}


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    random = np.random.default_rng(0)
    words = {"code": ["def", "return", "x", "y", "(", ")", "+", "1"], "prose": ["the", "service", "returns", "a", "list", "of"]}
    texts = {name: [" ".join(random.choice(them, 400)) for _ in range(4)] for name, them in words.items()}
    made = Corpora(tmp_path_factory.mktemp("corpora"), texts)
    for name in texts:
        for other in texts:
            made.tokens(made.tokenizer(name), other)
    return made


@pytest.fixture(scope="module")
def zoo(corpora, tmp_path_factory):
    """A base and each of its derivatives that can be made of it, two steps each."""
    out = tmp_path_factory.mktemp("zoo")
    make_base(TINY, out, corpora, 2)
    for made, recipe in RECIPES.items():
        make_derivative(Job(TINY, made, replace(recipe, steps=2)), out, corpora)
    return out


def weights(folder):
    return load_file(folder / "model.safetensors")


def test_a_manifest_is_read_as_it_was_written_and_only_finished_models_are_listed(tmp_path):
    entry = manifest.Entry(
        "a.cut", "evaluation", "derived", ["a"], {"a": 0.5}, "layers", "cut", "llama", layer_map=[[0, 1], [1, None]], seed=7
    )
    for name in ("a.cut", ".a.cut.partial", "unfinished"):
        (tmp_path / name).mkdir()
    manifest.write(entry, tmp_path / "a.cut")
    manifest.write(entry, tmp_path / ".a.cut.partial")
    assert manifest.read(tmp_path / "a.cut") == entry
    assert manifest.load(tmp_path) == [entry]
    assert manifest.is_finished(tmp_path, "a.cut")
    assert not manifest.is_finished(tmp_path, "unfinished")


def test_the_seed_decides_the_bytes_and_twins_differ(tmp_path, corpora):
    for folder in ("one", "again"):
        make_base(TINY, tmp_path / folder, corpora, 3)
    make_base(TWIN, tmp_path / "one", corpora, 3)
    one, again, twin = (tmp_path / name / "model.safetensors" for name in ("one/tiny-a", "again/tiny-a", "one/tiny-b"))
    assert one.read_bytes() == again.read_bytes()
    flat = [
        torch.cat([load_file(path)[name].flatten() for name in sorted(load_file(path)) if "norm" not in name])
        for path in (one, twin)
    ]
    assert abs(float(torch.corrcoef(torch.stack(flat))[0, 1])) < 0.1  # another seed, not a small change


def test_a_twin_reads_the_same_in_the_same_order_and_a_shared_initialisation_is_one(tmp_path, corpora, monkeypatch):
    seen = []
    original = Corpora.batches

    def spy(self, tokenizer, mixture, seed, steps):
        seen.append((mixture, seed))
        return original(self, tokenizer, mixture, seed, steps)

    monkeypatch.setattr(Corpora, "batches", spy)
    for base in (TINY, TWIN, SAME_INIT):
        make_base(base, tmp_path, corpora, 1)
    assert seen[0] == seen[1] != seen[2]
    assert seen[2][0] == {"prose": 1.0}
    first, other = (initial(CONFIG(), manifest.seed_of(name)).state_dict() for name in ("tiny-a", "tiny-b"))
    for name, value in weights(tmp_path / "tiny-same-init-a").items():
        assert float((value - first[name]).abs().max()) < 1.5 * RATE  # what one step of Adam with decay can do
        assert "norm" in name or float((value - other[name]).abs().max()) > 10 * RATE
    entry = manifest.read(tmp_path / "tiny-same-init-a")
    assert (entry.relation, entry.shared_with) == ("shared-initialisation", "tiny-a")


def test_batches_are_pieces_of_the_corpus(corpora):
    tokenizer = corpora.tokenizer("code")
    ids = corpora.tokens(tokenizer, "prose")
    windows = {row.tobytes() for row in np.lib.stride_tricks.sliding_window_view(ids.astype(np.int64), LENGTH)}
    one, again = ([*corpora.batches(tokenizer, {"prose": 1.0}, 5, 3)] for _ in range(2))
    assert all(row.numpy().tobytes() in windows for batch in one for row in batch)
    assert all(torch.equal(a, b) for a, b in zip(one, again, strict=True))
    assert not torch.equal(one[0], one[1])


def test_training_brings_the_loss_below_the_unigram_entropy(corpora):
    tokenizer = corpora.tokenizer("prose")
    model = initial(CONFIG(), 1)
    data = corpora.batches(tokenizer, {"prose": 1.0}, 1, 80)
    loss = train(model, next_token_loss(model), data, steps=80, rate=2e-2)
    assert loss < corpora.unigram_entropy(tokenizer, "prose") < np.log(2048)
    assert not model.training


def test_every_derivative_is_made_and_says_what_it_is(zoo):
    entries = {entry.transformation: entry for entry in manifest.load(zoo) if entry.transformation}
    assert entries.keys() == RECIPES.keys() - {"disguised-ft", "upcycled-ft"}  # what these start from was not there
    assert {name for name, entry in entries.items() if entry.relation != "derived"} == {"distilled", "shared-embeddings"}
    for entry in entries.values():
        assert entry.bases == (["tiny-a"] if entry.relation == "derived" else [])
        assert set(entry.parents) <= {"tiny-a", "tiny-a.lora"}
    assert entries["distilled"].teacher == entries["shared-embeddings"].shared_with == "tiny-a"
    assert entries["continued"].kind == "continued"
    assert not [path for path in zoo.iterdir() if path.name.startswith(".")]


def test_fine_tunes_change_every_matrix_and_keep_names(zoo):
    parent = weights(zoo / "tiny-a")
    for made in ("ft-short", "ft-a", "ft-b", "dora-merged"):
        child = weights(zoo / f"tiny-a.{made}")
        assert child.keys() == parent.keys()
        assert not any(torch.equal(child[name], value) for name, value in parent.items() if "proj" in name)


def test_the_merged_adapter_is_the_base_and_the_product_of_the_adapter(zoo):
    name = "model.layers.0.self_attn.q_proj"
    adapter = load_file(zoo / "tiny-a.lora" / "adapter_model.safetensors")
    config = json.loads((zoo / "tiny-a.lora" / "adapter_config.json").read_text())
    change = adapter[f"base_model.model.{name}.lora_B.weight"] @ adapter[f"base_model.model.{name}.lora_A.weight"]
    expected = weights(zoo / "tiny-a")[f"{name}.weight"] + config["lora_alpha"] / config["r"] * change
    torch.testing.assert_close(weights(zoo / "tiny-a.lora-merged")[f"{name}.weight"], expected)
    assert config["base_model_name_or_path"] == "tiny-a"
    assert config["target_modules"] == sorted(config["target_modules"])
    assert float(change.abs().max()) > 0


def test_fresh_models_share_the_embeddings_or_nothing(zoo):
    parent = weights(zoo / "tiny-a")
    shared, distilled = (weights(zoo / f"tiny-a.{name}") for name in ("shared-embeddings", "distilled"))
    assert [name for name in parent if torch.equal(parent[name], shared[name])] == ["model.embed_tokens.weight"]
    assert not any(torch.equal(parent[name], distilled[name]) for name in parent)


def test_a_fine_tune_of_a_disguise_waits_for_it(zoo, corpora, tmp_path):
    job = Job(TINY, "disguised-ft", replace(RECIPES["disguised-ft"], steps=1))
    (tmp_path / "tiny-a").symlink_to(zoo / "tiny-a")
    assert not make_derivative(job, tmp_path, corpora)
    (tmp_path / "tiny-a.all-disguises").symlink_to(zoo / "tiny-a.ft-a")
    assert make_derivative(job, tmp_path, corpora)
    assert manifest.read(tmp_path / "tiny-a.disguised-ft").parents == {"tiny-a.all-disguises": 1.0}


def test_a_second_run_skips_what_is_there_and_a_failure_leaves_nothing(tmp_path, corpora, monkeypatch, capsys):
    (tmp_path / ".corpora").symlink_to(corpora.tokenizer("code").parent)
    broken = Job(TINY, "broken", replace(RECIPES["ft-short"], make=lambda *_: 1 / 0))
    jobs = [TINY, Job(TINY, "ft-short", replace(RECIPES["ft-short"], steps=1)), broken]
    monkeypatch.setattr(plan, "jobs", lambda _: jobs)
    monkeypatch.setattr(plan, "base_steps", lambda _: 1)
    with pytest.raises(ZeroDivisionError):
        command.main(["train", str(tmp_path)])
    assert {path.name for path in tmp_path.iterdir()} == {".corpora", "tiny-a", "tiny-a.ft-short"}
    del jobs[2]
    capsys.readouterr()
    assert command.main(["train", str(tmp_path)]) == 0
    assert capsys.readouterr().out == ""
    assert command.main(["list", str(tmp_path), "--only", "*.ft-*"]) == 0
    assert [line.split("\t")[0] for line in capsys.readouterr().out.splitlines()] == ["tiny-a.ft-short"]


def test_the_plan_makes_parents_first_and_gives_twins_short_fine_tunes_alone():
    jobs = list(plan.jobs("full"))
    names = [job.name for job in jobs]
    assert len(names) == len(set(names))
    assert {job.name for job in jobs if isinstance(job, Base)} == BASES.keys()
    for number, job in enumerate(jobs):
        if isinstance(job, Job):
            assert job.base.name in names[:number]
            assert job.start in names[:number] or job.recipe.start in ("all-disguises", "upcycled-moe")
    assert {job.transformation for job in jobs if isinstance(job, Job) and job.base.twin_of} == {"ft-short", "ft-long"}
    assert {name.split("-")[0] for name in names if name.endswith("upcycled-ft")} == {"llama", "mistral"}
    smoke = list(plan.jobs("smoke"))
    assert [job.name for job in smoke if isinstance(job, Base)] == ["llama-a", "llama-b", "gpt2-a"]
    assert len(smoke) == 9
    for base in BASES.values():
        if base.twin_of:
            assert (base.config, base.corpus, base.split) == tuple(
                getattr(BASES[base.twin_of], field) for field in ("config", "corpus", "split")
            )


def test_a_wheel_becomes_documents(tmp_path, monkeypatch):
    wheel = tmp_path / "a.whl"
    service = {"documentation": "<p>One&nbsp;&amp; two</p>", "shapes": [{"documentation": "Three"}, {"documentation": "Three"}]}
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("botocore/data/a/1/service-2.json.gz", gzip.compress(json.dumps(service).encode()))
        archive.writestr("sympy/a.py", "a = 1")
        archive.writestr("sympy/b.py", "b = 1")
        archive.writestr("sympy/tests/c.py", "c = 1")
    monkeypatch.setattr(corpus, "fetch", lambda *_: wheel)
    assert corpus.read_wheel("prose") == ["One & two\nThree"]
    assert sorted(corpus.read_wheel("code")) == ["a = 1", "b = 1"]
    monkeypatch.setitem(corpus.FACTS["code"], "bytes", 1)
    assert len(corpus.read_wheel("code")) == 1


def test_a_corpus_that_cannot_be_had_is_one_line_and_exit_code_1(tmp_path, monkeypatch, capsys):
    def offline(*_):
        raise FetchError("no network")

    monkeypatch.setattr(corpus, "fetch", offline)
    assert command.main(["train", str(tmp_path), "--set", "smoke"]) == 1
    assert capsys.readouterr().err == "the zoo's corpora cannot be had: no network\n"
