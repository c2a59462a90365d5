"""The sweep against dense matrices of the definition: operators, anchors, responses and their places."""

import numpy as np
import pytest
from numpy.typing import NDArray

from support.checkpoints import Arrays
from support.sweeps import BLOCKS, CONFIG, EXPERTS, HEAD, HEADS, KEYS, WIDTH, WORDS, gpt2, llama, sketches, swept, view_of
from tensorguard.fingerprint.sketches import Sketches
from tensorguard.probes.anchors import ANCHOR_IDS
from tensorguard.probes.rademacher import PUBLIC, Key, fixed_basis, response_inputs, response_rows
from tensorguard.signals.operators import OPERATORS

Array = NDArray[np.float64]
TOKENS = [*WORDS, *ANCHOR_IDS]
CENTRE = np.eye(WIDTH) - 1 / WIDTH
GPT2 = {"model_type": "gpt2", "n_head": HEADS}


def unit(rows: Array) -> Array:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def attention(q: Array, k: Array, v: Array, o: Array, groups: int) -> tuple[Array, Array]:
    """QK and VO of folded matrices, head by head."""
    qk, vo = np.zeros((2, WIDTH, WIDTH))
    for head in range(HEADS):
        mine, shared = slice(head * HEAD, (head + 1) * HEAD), head * groups // HEADS
        theirs = slice(shared * HEAD, (shared + 1) * HEAD)
        qk += q[mine].T @ k[theirs]
        vo += o[:, mine] @ v[theirs]
    return qk, vo


def of_llama(model: Arrays, block: int, experts: int = 0) -> dict[str, Array]:
    stem = f"model.layers.{block}"
    wide = {name.removeprefix(f"{stem}."): array.astype(np.float64) for name, array in model.items()}
    before, after = wide["input_layernorm.weight"], wide["post_attention_layernorm.weight"]
    q, k, v = (wide[f"self_attn.{name}_proj.weight"] * before for name in "qkv")
    found = dict(zip(("QK", "VO"), attention(q, k, v, wide["self_attn.o_proj.weight"], KEYS), strict=True))
    mlps = [[f"block_sparse_moe.experts.{e}.w{n}" for n in "132"] for e in range(experts)]
    for names in mlps or [["mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"]]:
        gate, up, down = (wide[f"{name}.weight"] for name in names)
        gate, up = gate * after, up * after
        for name, M in (("DU", down @ up), ("DG", down @ gate), ("GU", gate.T @ up)):
            found[name] = found.get(name, 0) + M
    return found


def of_gpt2(model: Arrays, block: int) -> dict[str, Array]:
    stem = f"transformer.h.{block}"
    wide = {name.removeprefix(f"{stem}."): array.astype(np.float64) for name, array in model.items()}
    q, k, v = np.split(wide["attn.c_attn.weight"].T * wide["ln_1.weight"] @ CENTRE, 3)
    qk, vo = attention(q, k, v, CENTRE @ wide["attn.c_proj.weight"].T, HEADS)
    inner = wide["mlp.c_fc.weight"].T * wide["ln_2.weight"] @ CENTRE
    return {"QK": qk, "VO": vo, "DU": CENTRE @ wide["mlp.c_proj.weight"].T @ inner}


def require_operators(found: Sketches, block: int, dense: dict[str, Array], anchors: Array) -> None:
    X = fixed_basis(PUBLIC, WIDTH).astype(np.float64)
    for place, name in enumerate(OPERATORS):
        M = dense.get(name, np.zeros((WIDTH, WIDTH)))
        seen = X.T @ M @ X
        seen -= np.trace(seen) / len(seen) * np.eye(len(seen))
        expected = [seen, anchors[:32] @ M @ anchors[:32].T, anchors[32:] @ M @ anchors[32:].T]
        for array, matrix, scale, most in zip(
            (found.fixed, found.words, found.ids), expected, (127, 1, 1), (0.51, 6e-4, 6e-4), strict=True
        ):
            largest = np.abs(matrix).max() or 1
            assert np.abs(array[block, place].astype(np.float64) - scale * matrix / largest).max() <= most, name


@pytest.mark.parametrize("experts", [0, EXPERTS], ids=["dense", "experts"])
def test_operators_of_a_llama(experts: int) -> None:
    model = llama(experts=experts)
    found = sketches(model, CONFIG | ({"model_type": "mixtral"} if experts else {}))
    assert found.width == WIDTH
    assert found.blocks == tuple(("decoder", block) for block in range(BLOCKS))
    anchors = unit(model["model.embed_tokens.weight"][TOKENS].astype(np.float64))
    for block in range(BLOCKS):
        require_operators(found, block, of_llama(model, block, experts), anchors)


def test_operators_of_a_gpt2() -> None:
    model = gpt2()
    found = sketches(model, GPT2)
    anchors = unit(unit(model["transformer.wte.weight"][TOKENS].astype(np.float64)) @ CENTRE)
    for block in range(BLOCKS):
        require_operators(found, block, of_gpt2(model, block), anchors)


@pytest.mark.parametrize("tied", [False, True], ids=["untied", "tied"])
def test_anchors_and_head(tied: bool) -> None:
    model = llama(tied=tied)
    embed = model["model.embed_tokens.weight"][TOKENS].astype(np.float64)
    head = embed if tied else model["lm_head.weight"][TOKENS].astype(np.float64)
    E, H, X = unit(embed), unit(head * model["model.norm.weight"]), fixed_basis(PUBLIC, WIDTH)
    found = sketches(model)
    expected = {
        "word_rows": (E @ X)[:32],
        "id_rows": (E @ X)[32:],
        "word_gram": E[:32] @ E[:32].T,
        "id_gram": E[32:] @ E[32:].T,
        "head_word_rows": (H @ X)[:32],
        "head_id_rows": (H @ X)[32:],
        "head_word_gram": H[:32] @ E[:32].T,
        "head_id_gram": H[32:] @ E[32:].T,
    }
    for name, array in expected.items():
        assert getattr(found, name).dtype == np.float32
        assert np.abs(getattr(found, name) - array).max() < 1e-5, name


def test_a_copied_head_is_a_tied_one() -> None:
    tied, untied = llama(tied=True), llama(tied=True)
    untied["lm_head.weight"] = untied["model.embed_tokens.weight"].copy()
    one, other = sketches(tied), sketches(untied)
    for name in ("head_word_rows", "head_id_rows", "head_word_gram", "head_id_gram", "words", "fixed"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name


def test_missing_words_are_zeros_and_the_others_stay() -> None:
    words = (None, *WORDS[1:-2], -1, 10**9)
    whole, found = sketches(llama()), sketches(llama(), words=words)
    missing = np.array([0, 30, 31])
    rest = np.delete(np.arange(32), missing)
    for name in ("word_rows", "head_word_rows"):
        assert not getattr(found, name)[missing].any(), name
        assert np.array_equal(getattr(found, name)[rest], getattr(whole, name)[rest]), name
    for name in ("word_gram", "head_word_gram"):
        assert not getattr(found, name)[missing].any(), name
        assert np.abs(getattr(found, name) - getattr(whole, name))[np.ix_(rest, rest)].max() < 1e-6, name
    assert not found.words[:, :, missing].any()
    assert not found.words[..., missing].any()
    assert np.array_equal(found.ids, whole.ids)
    nothing = sketches(llama(), words=())
    assert not nothing.words.any()
    assert not nothing.word_gram.any()
    assert np.array_equal(nothing.fixed, whole.fixed)


@pytest.mark.parametrize("key", [PUBLIC, Key(b"sixteen secret bytes")], ids=["public", "secret"])
def test_responses_are_p_w_x_of_the_raw_matrices(key: Key) -> None:
    model = llama(experts=EXPERTS)
    found = sketches(model, CONFIG | {"model_type": "mixtral"}, key=key)
    assert found.key == key.identity()
    members: dict[tuple[str, int | None], list[Array]] = {}
    for weight in view_of(model, CONFIG | {"model_type": "mixtral"}).weights:
        members.setdefault((weight.role, weight.layer), []).append(weight.rows(0, weight.shape[0]).astype(np.float64))
    assert [(place.role, place.layer) for place in found.places] == list(members)
    for index, matrices in enumerate(members.values()):
        place = found.places[index]
        assert (place.rows, place.columns) == (sum(len(W) for W in matrices), matrices[0].shape[1])
        assert place.parts == (0 if len(matrices) == 1 else len(matrices))
        answers = [W @ response_inputs(key, W.shape[1]) for W in matrices]
        response = sum(response_rows(key, 0, len(each)).T.astype(np.float64) @ each for each in answers)
        assert np.abs(found.response[index] - response).max() < 6e-4 * np.abs(response).max()
        mean = sum(each.sum(0) for each in answers) / place.rows
        assert np.abs(found.row_mean[index] - mean).max() < 1e-4


def test_sketches_of_a_merge_are_the_merge_of_sketches() -> None:
    a, b = llama(1), llama(2)
    merged = {name: (0.3 * a[name] + 0.7 * b[name]).astype(np.float32) for name in a}
    one, two, both = (sketches(model) for model in (a, b, merged))
    expected = 0.3 * one.response + 0.7 * two.response
    scale = np.abs(one.response).max((1, 2)) + np.abs(two.response).max((1, 2))
    assert (np.abs(both.response - expected).max((1, 2)) < 1e-3 * scale).all()
    assert np.abs(both.row_mean - (0.3 * one.row_mean + 0.7 * two.row_mean)).max() < 1e-4


def test_samples_are_of_whole_matrices_only() -> None:
    dense, mixture = sketches(llama()), sketches(llama(experts=EXPERTS), CONFIG | {"model_type": "mixtral"})
    assert [dense.places[index].role for index in dense.sampled] == ["v", "up", "down"] * BLOCKS
    assert [mixture.places[index].role for index in mixture.sampled] == ["v"] * BLOCKS
    assert dense.sample.shape == (3 * BLOCKS, 4096)
    assert dense.sample.any(1).all()


def test_secret_probes_ask_everything_else() -> None:
    public, secret = sketches(llama()), swept(llama(), key=Key(b"sixteen secret bytes")).sketches
    for name in ("traces", "unit_count"):
        assert np.array_equal(getattr(public, name), getattr(secret, name)), name
    for name in ("fixed", "words", "word_gram", "word_rows", "unit_vectors", "response", "sample"):
        assert not np.array_equal(getattr(public, name), getattr(secret, name)), name
