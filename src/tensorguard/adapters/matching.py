"""Names of an adapter's modules to the base's tensors, and which way round the base stores a square matrix."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from tensorguard.adapters.errors import refuse
from tensorguard.adapters.settings import MERGE_FIRST, Settings
from tensorguard.errors import quote
from tensorguard.formats.safetensors import BITS
from tensorguard.tensors.base import Stored

OTHER_BASE = "give the base that the adapter was trained on (base_model_name_or_path in its adapter_config.json)"

_CHANGEABLE = frozenset({"F32", "F16", "BF16"})
"""Plain dtypes that float32 arithmetic is exact enough for; weights that were unpacked have none of these names."""


class BaseTensors:
    """The base's tensors by name, in order; a tensor can be exchanged for what an adapter makes of it.

    An adapter may have been made on a model whose names have another prefix (`model.layers.0...` against `layers.0...`). Names
    are the same if one is the end of the other at a dot and what is cut off holds no number, so never another layer's.
    """

    def __init__(self, tensors: Iterable[Stored], settings: Settings) -> None:
        self._current = {stored.name: stored for stored in tensors}
        self._settings = settings
        self._ends: defaultdict[str, list[str]] = defaultdict(list)
        for name in self._current:
            self._ends[_end(name)].append(name)
        self._evidence: dict[str, bool | None] = {}

    def __iter__(self) -> Iterator[Stored]:
        """Iterate over the tensors as they are now, in the base's order."""
        return iter(self._current.values())

    def exchange(self, name: str, stored: Stored) -> None:
        """Put another tensor in a tensor's place; a name that is new comes last."""
        self._current[name] = stored

    def find(self, name: str) -> Stored | None:
        """Return the tensor that a name of the adapter's model means, or None.

        Raises:
            InputError: It could be several.
        """
        if name in self._current:
            return self._current[name]
        found = [other for other in self._ends.get(_end(name), ()) if other.endswith(f".{name}") or name.endswith(f".{other}")]
        if len(found) > 1:
            shown = " and ".join(quote(other) for other in found[:2])
            refuse(f"{quote(name)} could be {len(found)} tensors of the base ({shown})", self._settings.where, OTHER_BASE)
        return self._current[found[0]] if found else None

    def weight(self, module: str) -> Stored:
        """Return a module's weight, which must be there, of a floating-point dtype, and a matrix.

        Raises:
            InputError: It is not; an adapter for another base ends here.
        """
        stored = self.find(f"{module}.weight")
        if stored is None:
            hint = OTHER_BASE
            if module.rpartition(".")[2] == "lm_head":
                hint = f"the base has no lm_head of its own (it may be tied to the embeddings): {MERGE_FIRST}"
            refuse(
                f"it is for another base, which has {quote(module + '.weight')}; this one does not", self._settings.where, hint
            )
        self._check_dtype(stored)
        if len(stored.shape) != 2:
            self._settings.refuse_unmergeable(f"changing {quote(stored.name)}, which has {len(stored.shape)} dimensions,")
        return stored

    def bias(self, weight: Stored) -> Stored | None:
        """Return the bias that goes with a weight, of a floating-point dtype, or None.

        Raises:
            InputError: It is of another dtype.
        """
        stored = self._bias(weight)
        if stored is not None:
            self._check_dtype(stored)
        return stored

    def fan_in_fan_out(self, weight: Stored, outputs: int | None, inputs: int | None) -> bool:
        """Say whether a weight is stored as in x out (GPT-2's Conv1D) and not as out x in.

        The sizes that the factors have decide; for a square matrix the base's other layers of that name, whose biases have the
        length of the outputs; then the configuration, which PEFT overwrites by the last layer it meets.

        Args:
            weight: A matrix of the base.
            outputs: Output features as the factors have it; None if they do not show it.
            inputs: Input features, likewise.

        Raises:
            InputError: The weight has other sizes either way.
        """
        rows, columns = weight.shape
        straight = outputs in (rows, None) and inputs in (columns, None)
        turned = outputs in (columns, None) and inputs in (rows, None)
        if not straight and not turned:
            sizes = " x ".join(str(size) for size in (outputs, inputs) if size is not None)
            reason = f"it is for another base: {quote(weight.name)} is {rows} x {columns} here, its factors are for {sizes}"
            refuse(reason, self._settings.where, OTHER_BASE)
        if straight != turned:
            return turned
        evidence = self._layers_like(weight.name)
        return self._settings.flag("fan_in_fan_out") if evidence is None else evidence

    def _bias(self, weight: Stored) -> Stored | None:
        return self._current.get(f"{weight.name.removesuffix('weight')}bias")

    def _check_dtype(self, stored: Stored) -> None:
        if stored.dtype in BITS and stored.dtype not in _CHANGEABLE:
            reason = f"it changes {quote(stored.name)}, which the base stores as {quote(stored.dtype)}"
            refuse(reason, self._settings.where, "convert the base to BF16, F16 or F32 safetensors first")

    def _layers_like(self, name: str) -> bool | None:
        """Return whether all layers of a name's last part that show their orientation are in x out; None if they disagree."""
        leaf = name.split(".")[-2]
        if leaf not in self._evidence:
            weights = (stored for stored in self._current.values() if stored.name.split(".")[-2:] == [leaf, "weight"])
            ways = {way for weight in weights if (way := self._shown_by_bias(weight)) is not None}
            self._evidence[leaf] = ways.pop() if len(ways) == 1 else None
        return self._evidence[leaf]

    def _shown_by_bias(self, weight: Stored) -> bool | None:
        bias = self._bias(weight)
        if bias is None or len(weight.shape) != 2 or weight.shape[0] == weight.shape[1]:
            return None
        ways: dict[tuple[int, ...], bool] = {weight.shape[:1]: False, weight.shape[1:]: True}
        return ways.get(bias.shape)


def _end(name: str) -> str:
    """Return what two names of one tensor must share: all from the segment before the first number; without one, two segments."""
    parts = name.split(".")
    first = next((i for i, part in enumerate(parts) if part.isdigit()), len(parts) - 1)
    return ".".join(parts[max(0, first - 1) :])
