"""Models whose matrices share units as trained ones do: the same latent unit stands behind both matrices that share it."""

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Arrays = dict[str, NDArray[np.float32]]

WIDTH, NEURONS, HEAD, VOCABULARY, LATENT = 48, 128, 8, 400, 24


def llama(layers: int = 4, groups: int = 6, seed: int = 0) -> Arrays:
    """A llama of width 48 with 6 query heads, under its own names.

    Signs of units are random, as initial weights make them, and the gate of a neuron follows the direction of up, not its sign.
    """
    random = np.random.default_rng(seed)
    stream = random.standard_normal((LATENT, WIDTH))
    common = random.standard_normal(WIDTH)
    embed = random.standard_normal((VOCABULARY, LATENT)) @ stream + random.standard_normal((VOCABULARY, WIDTH))
    tensors = {
        "model.embed_tokens.weight": embed,
        "lm_head.weight": random.standard_normal((VOCABULARY, WIDTH)) + 3 * common,
        "model.norm.weight": 1 + 0.1 * random.standard_normal(WIDTH),
    }
    for layer in range(layers):
        block = f"model.layers.{layer}"
        seen = stream + random.standard_normal((LATENT, WIDTH))

        def matrix(units: NDArray[np.float64], seen: NDArray[np.float64] = seen) -> NDArray[np.float64]:
            turned = units @ (seen + 0.3 * random.standard_normal(seen.shape))
            return turned + random.standard_normal(turned.shape)

        keys, values, neurons = (random.standard_normal((count, LATENT)) for count in (groups * HEAD, groups * HEAD, NEURONS))
        shared = [
            np.repeat(each.reshape(groups, HEAD, -1), 6 // groups, axis=0).reshape(6 * HEAD, -1) for each in (keys, values)
        ]
        up = matrix(neurons)
        signs = random.choice([-1.0, 1.0], (NEURONS, 1))
        attention_in, ffn_in = (np.exp(0.3 * random.standard_normal(WIDTH)) for _ in range(2))
        tensors |= {
            f"{block}.input_layernorm.weight": attention_in,
            f"{block}.post_attention_layernorm.weight": ffn_in,
            f"{block}.self_attn.q_proj.weight": matrix(shared[0]) * attention_in,
            f"{block}.self_attn.k_proj.weight": matrix(keys) * attention_in,
            f"{block}.self_attn.v_proj.weight": matrix(values) * attention_in,
            f"{block}.self_attn.o_proj.weight": matrix(shared[1]).T,
            f"{block}.mlp.gate_proj.weight": (signs * up + 2 * _noise(up, random)) * ffn_in,
            f"{block}.mlp.up_proj.weight": up * ffn_in,
            f"{block}.mlp.down_proj.weight": matrix(neurons).T,
        }
    return {name: np.ascontiguousarray(array, np.float32) for name, array in tensors.items()}


def _noise(like: NDArray[np.float64], random: Generator) -> NDArray[np.float64]:
    return random.standard_normal(like.shape) * like.std()
