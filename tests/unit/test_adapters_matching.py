"""Names across prefixes, and the orientation of square matrices."""

import numpy as np
import pytest

from support.memory import MemoryTensor
from tensorguard.adapters.matching import BaseTensors
from tensorguard.adapters.settings import Settings
from tensorguard.errors import InputError


def base(*names: str, flag: bool = False, **shapes: tuple[int, ...]) -> BaseTensors:
    tensors = [MemoryTensor(name, np.zeros(shapes.get(name, (2, 2)), np.float32)) for name in (*names, *shapes)]
    return BaseTensors(tensors, Settings({"fan_in_fan_out": flag}, "adapter"))


@pytest.mark.parametrize(
    ("wanted", "names", "expected"),
    [
        ("model.layers.0.q.weight", ["model.layers.0.q.weight"], "model.layers.0.q.weight"),
        ("model.layers.0.q.weight", ["layers.0.q.weight", "layers.1.q.weight"], "layers.0.q.weight"),
        ("layers.0.q.weight", ["model.layers.0.q.weight"], "model.layers.0.q.weight"),
        ("layers.0.q.weight", ["layers.0.q.weight", "vision.layers.0.q.weight"], "layers.0.q.weight"),
        (
            "model.layers.0.q.weight",
            ["text.model.layers.0.q.weight", "vision.layers.0.q.weight"],
            "text.model.layers.0.q.weight",
        ),
        ("lm_head.weight", ["lm_head.weight", "model.norm.weight"], "lm_head.weight"),
        ("transformer.wte.weight", ["wte.weight"], "wte.weight"),
        ("model.layers.7.q.weight", ["model.layers.0.q.weight"], None),
        ("q.weight", ["model.layers.0.q.weight"], None),
        ("model.layers.0.q.weight", ["q.weight"], None),
        ("encoder.layers.0.q.weight", ["decoder.layers.0.q.weight"], None),
        ("xlayers.0.q.weight", ["layers.0.q.weight"], None),
        ("weight", ["weight"], "weight"),
    ],
)
def test_names_match_at_dots_and_never_another_layer(wanted: str, names: list[str], expected: str | None) -> None:
    found = base(*names).find(wanted)
    assert (found.name if found else None) == expected


def test_ambiguous_name_is_refused() -> None:
    with pytest.raises(InputError, match="could be 2 tensors"):
        base("text.layers.0.q.weight", "vision.layers.0.q.weight").find("layers.0.q.weight")


def weight(**shapes: tuple[int, ...]) -> BaseTensors:
    return base(**{name.replace("_", "."): shape for name, shape in shapes.items()})


@pytest.mark.parametrize(("outputs", "inputs", "turned"), [(6, 4, False), (4, 6, True), (6, None, False), (None, 6, True)])
def test_sizes_decide(outputs: int | None, inputs: int | None, turned: bool) -> None:
    tensors = weight(a_weight=(6, 4))
    assert tensors.fan_in_fan_out(tensors.weight("a"), outputs, inputs) is turned


@pytest.mark.parametrize("flag", [False, True])
def test_configuration_decides_where_nothing_else_does(flag: bool) -> None:
    tensors = base("a.weight", flag=flag)
    assert tensors.fan_in_fan_out(tensors.weight("a"), 2, 2) is flag


@pytest.mark.parametrize(("shape", "bias", "turned"), [((8, 2), (2,), True), ((2, 8), (2,), False)])
def test_layers_of_that_name_decide_before_the_configuration(shape: tuple[int, int], bias: tuple[int], turned: bool) -> None:
    tensors = base("0.attn.c.weight", flag=not turned, **{"0.mlp.c.weight": shape, "0.mlp.c.bias": bias})
    assert tensors.fan_in_fan_out(tensors.weight("0.attn.c"), 2, 2) is turned


def test_other_sizes_are_another_base() -> None:
    tensors = weight(a_weight=(6, 4))
    with pytest.raises(InputError, match="another base"):
        tensors.fan_in_fan_out(tensors.weight("a"), 5, 4)
