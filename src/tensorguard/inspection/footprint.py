"""How many bytes of its files a weight takes, whatever it is packed in or adapted by."""

from collections.abc import Iterator

from tensorguard.tensors.base import Stored, extent
from tensorguard.tensors.storage import StoredTensor
from tensorguard.tensors.weight import Weight


def tensors_of(stored: object) -> Iterator[StoredTensor]:
    """Yield every tensor of a file that a tensor's numbers are computed from.

    Packed weights, adapted ones and their updates hold them as fields (`quantisations.base.Packed`, `adapters.base.AdaptedTensor`).
    """
    if isinstance(stored, StoredTensor):
        yield stored
        return
    for name in getattr(type(stored), "__dataclass_fields__", ()):  # what `dataclasses.fields` reads, which is slow
        value = getattr(stored, name)
        for part in value if isinstance(value, tuple) else (value,):
            yield from tensors_of(part)


class Footprints:
    """Bytes of stored tensors; what several share counts for the first that is asked about."""

    def __init__(self) -> None:
        self._known: dict[int, int] = {}
        self._counted: set[tuple[int, int]] = set()

    def of(self, stored: Stored) -> int:
        """Return the bytes of all that a tensor is computed from."""
        found = self._known.get(id(stored))
        if found is None:
            found = 0
            for part in tensors_of(stored):
                place = (id(part.info.source), part.info.offset)
                if place not in self._counted:
                    self._counted.add(place)
                    found += part.info.nbytes
            self._known[id(stored)] = found
        return found

    def share(self, weight: Weight) -> int:
        """Return the bytes of a weight: of a fused tensor or a stack of experts its part by the number of elements."""
        rows, columns = extent(weight.stored)
        return self.of(weight.stored) * (weight.shape[0] * weight.shape[1]) // max(1, rows * columns)
