"""The names that may stand in a pickle of torch.save, and the records of tensors they stand for.

Nothing is looked up and nothing is called: a name is text, and every name that is not listed here is refused.
What each name means: https://github.com/pytorch/pytorch/blob/main/torch/_utils.py (`_rebuild_*`) and torch/serialization.py.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeGuard

from tensorguard.errors import quote
from tensorguard.limits import MAX_DIMENSIONS, MAX_ELEMENTS

DTYPES: Mapping[str, str] = {
    "float64": "F64", "double": "F64", "float32": "F32", "float": "F32", "float16": "F16", "half": "F16", "bfloat16": "BF16",
    "int64": "I64", "long": "I64", "int32": "I32", "int": "I32", "int16": "I16", "short": "I16", "int8": "I8", "uint8": "U8",
    "uint16": "U16", "uint32": "U32", "uint64": "U64", "bool": "BOOL", "complex64": "C64", "float8_e4m3fn": "F8_E4M3",
    "float8_e5m2": "F8_E5M2", "float8_e4m3fnuz": "F8_E4M3FNUZ", "float8_e5m2fnuz": "F8_E5M2FNUZ", "float8_e8m0fnu": "F8_E8M0",
}  # fmt: skip
"""torch's dtypes and their canonical names."""

_STORAGES: Mapping[str, str] = {
    "DoubleStorage": "F64", "FloatStorage": "F32", "HalfStorage": "F16", "BFloat16Storage": "BF16", "LongStorage": "I64",
    "IntStorage": "I32", "ShortStorage": "I16", "CharStorage": "I8", "ByteStorage": "U8", "BoolStorage": "BOOL",
    "ComplexFloatStorage": "C64",
}  # fmt: skip
"""torch's typed storages and the dtype of their elements."""

_UNTYPED = frozenset({"torch.storage.UntypedStorage", "torch.UntypedStorage"})
_BYTES = "U8"
"""What an untyped storage is counted in."""

_REFUSED: Mapping[str, str] = {
    "torch._utils._rebuild_qtensor": "a quantised tensor of PyTorch",
    "torch._utils._rebuild_sparse_tensor": "a sparse tensor",
    "torch._utils._rebuild_nested_tensor": "a nested tensor",
    "torch._utils._rebuild_wrapper_subclass": "a tensor subclass (torchao and others)",
    "torch._utils._rebuild_meta_tensor_no_storage": "a tensor without values (meta device)",
}
"""Ways to make a tensor that are known and not read."""

SAFE = "save it as safetensors on a machine you trust: safetensors.torch.save_file(state_dict, FILE)"


@dataclass(frozen=True, slots=True)
class Storage:
    """A record of the archive as the pickle declares it.

    Attributes:
        key: The record is `data/KEY`; untrusted text.
        dtype: Canonical dtype of its elements; U8 where it is untyped.
        numel: Number of elements.
    """

    key: str
    dtype: str
    numel: int


@dataclass(frozen=True, slots=True)
class TensorRecord:
    """A view of a storage; nothing in it has been checked against the storage.

    Attributes:
        storage: What it lies in.
        dtype: Canonical dtype.
        offset: First element, counted in elements of `dtype`.
        shape: Extents.
        strides: Elements from one index to the next, for each dimension.
    """

    storage: Storage
    dtype: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Name:
    """A name that a pickle mentions: one of those known here."""

    text: str


class FaultError(Exception):
    """What is wrong, and perhaps a hint; the file is named where it is caught."""


def known(module: str, attribute: str) -> Name:
    """Return a name if it is one of those that stand for parts of tensors; refuse any other."""
    text = f"{module}.{attribute}"
    kind, _, name = text.rpartition(".")
    is_dtype = kind == "torch" and name in DTYPES
    is_storage = (kind == "torch" and name in _STORAGES) or text in _UNTYPED
    if text in _RECORDS or text in _CLASSES or is_dtype or is_storage:
        return Name(text)
    if text in _REFUSED:
        raise FaultError(f"holds {_REFUSED[text]}, which is not read", SAFE)
    raise FaultError(f"its pickle would run {quote(text)}: refused, nothing of it was run", SAFE)


def storage(identity: object) -> Storage:
    """Return what a persistent id refers to: ('storage', type, key, location, number of elements)."""
    match identity:
        case ("storage", Name(text), str(key), _, numel, *_) if _is_extent(numel):
            kind = text.rpartition(".")[2]
            if kind in _STORAGES or text in _UNTYPED:
                return Storage(key, _STORAGES.get(kind, _BYTES), numel)
    raise FaultError("its pickle refers to something outside that is no storage")


def record(function: object, arguments: object) -> Any:
    """Return what a call that torch.save writes stands for."""
    if type(function) is not Name or function.text not in _RECORDS or type(arguments) is not tuple:
        raise FaultError("its pickle calls what is no known function")
    try:
        return _RECORDS[function.text](*arguments)
    except TypeError as error:
        raise FaultError(f"its pickle gives {quote(function.text)} the wrong arguments") from error


def _tensor(stored: object, offset: object, shape: object, strides: object, *_: object) -> TensorRecord:
    """`_rebuild_tensor` and `_rebuild_tensor_v2`; what follows (requires_grad, hooks, metadata) changes no value."""
    if type(stored) is not Storage or not _is_extent(offset) or not _are_extents(shape) or not _are_extents(strides):
        raise FaultError("its pickle describes a tensor by what is no storage, offset, shape and strides")
    if len(shape) != len(strides) or len(shape) > MAX_DIMENSIONS:
        raise FaultError(f"a tensor with {len(shape)} dimensions and {len(strides)} strides")
    return TensorRecord(stored, stored.dtype, offset, shape, strides)


def _typed_tensor(
    stored: object, offset: object, shape: object, strides: object, _grad: object, _hooks: object, dtype: object, *_: object
) -> TensorRecord:
    """`_rebuild_tensor_v3`: the storage is untyped, the dtype stands with the tensor."""
    if type(dtype) is not Name or dtype.text.removeprefix("torch.") not in DTYPES:
        raise FaultError("its pickle describes a tensor with an unknown dtype")
    return replace(_tensor(stored, offset, shape, strides), dtype=DTYPES[dtype.text.removeprefix("torch.")])


def _parameter(data: object, *_: object) -> TensorRecord:
    """`_rebuild_parameter`: a parameter is its tensor."""
    if type(data) is not TensorRecord:
        raise FaultError("its pickle has a parameter that is no tensor")
    return data


def _of_type(function: object, kind: object, arguments: object, *_: object) -> Any:
    """`_rebuild_from_type_v2`, which torch.save writes for tensors with attributes."""
    if type(kind) is not Name or kind.text not in _CLASSES:
        raise FaultError("its pickle has a tensor of an unknown class", SAFE)
    if function == _OF_TYPE:
        raise FaultError("its pickle describes a tensor by itself")
    return _parameter(record(function, arguments))


def _ordered(pairs: object = (), *_: object) -> dict[Any, Any]:
    """`OrderedDict()`, and `OrderedDict([[key, value], ...])` of old Pythons."""
    if not isinstance(pairs, list | tuple):
        raise FaultError("its pickle has an ordered dict of what are no pairs")
    return fill({}, [value for pair in pairs for value in _pair(pair)])


def _pair(pair: object) -> tuple[Any, Any]:
    if not isinstance(pair, list | tuple) or len(pair) != 2:
        raise FaultError("its pickle has an ordered dict of what are no pairs")
    return pair[0], pair[1]


def fill(target: object, values: list[Any]) -> dict[Any, Any]:
    """Add keys and values, one after the other, to a dict. Keys are texts or integers; a later value replaces an earlier one."""
    if type(target) is not dict or len(values) % 2:
        raise FaultError("its pickle adds pairs to what is no dict")
    for key, value in zip(values[::2], values[1::2], strict=True):
        if type(key) not in (str, int):
            raise FaultError("its pickle has a dict with keys that are neither text nor integers")
        target[key] = value
    return target


def _nothing(*_: object) -> None:
    """`torch.device(...)`: where a tensor was."""


def _size(extents: object = (), *_: object) -> object:
    """`torch.Size(...)`."""
    return extents


def _is_extent(value: object) -> TypeGuard[int]:
    return type(value) is int and 0 <= value <= MAX_ELEMENTS


def _are_extents(values: object) -> TypeGuard[tuple[int, ...]]:
    return type(values) is tuple and all(_is_extent(value) for value in values)


_OF_TYPE = Name("torch._tensor._rebuild_from_type_v2")
_CLASSES = frozenset({"torch.Tensor", "torch._tensor.Tensor", "torch.nn.parameter.Parameter"})
"""Classes of a tensor that add nothing to its values."""

_RECORDS: Mapping[str, Callable[..., Any]] = {
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _typed_tensor,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    _OF_TYPE.text: _of_type,
    "collections.OrderedDict": _ordered,
    "torch.Size": _size,
    "torch.device": _nothing,
}
"""What each call stands for."""
