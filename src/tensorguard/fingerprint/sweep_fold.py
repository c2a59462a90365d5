"""Sums over the answers of a sweep: of one tensor, and of all tensors that make one matrix of the sketches."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tensorguard.fingerprint.base import TensorDigest
from tensorguard.fingerprint.sketches import Place
from tensorguard.fingerprint.sweep_tasks import Answer, extent_of
from tensorguard.probes.rademacher import RESPONSE
from tensorguard.signals.digest import tensor_digest
from tensorguard.signals.sample import BUCKETS
from tensorguard.signals.traces import TRACES, Traces
from tensorguard.tensors.base import Float32
from tensorguard.tensors.view import Vector
from tensorguard.tensors.weight import Weight


class Folded:
    """The answers of one tensor, added up in the order of its rows."""

    def __init__(self) -> None:
        self._digests: list[bytes] = []
        self._constants: set[float | None] = set()
        self._responses: list[Float32] = []
        self._backward: Float32 | None = None
        self.nan = self.infinite = 0
        self.traces = Traces()
        self.response = np.zeros(RESPONSE)
        self.total = np.zeros(RESPONSE[1])
        self.sample: NDArray[np.int8] | None = None

    def add(self, part: Answer) -> None:
        """Add the rows that follow."""
        self._digests.append(part.digests)
        self._constants.add(part.constant)
        if part.responses is not None:
            self._responses.append(part.responses)
        if part.backward is not None:
            with np.errstate(over="ignore", invalid="ignore"):
                if self._backward is None:
                    self._backward = part.backward
                else:
                    self._backward += part.backward
        self.nan += part.nan
        self.infinite += part.infinite
        self.traces.add(part.traces)
        with np.errstate(over="ignore", invalid="ignore"):
            self.response += part.response
            self.total += part.total
        self.sample = part.sample if self.sample is None else self.sample

    def block_response(self) -> Float32 | None:
        """Return what a block's operators need: W^T X of a writer, W X of a reader, float32 of shape (rows or d, columns)."""
        if self._backward is not None:
            return self._backward
        return np.concatenate(self._responses) if self._responses else None

    def digest(self, member: Weight | Vector) -> TensorDigest:
        """Return the digest of the whole tensor."""
        rows, columns = extent_of(member)
        return TensorDigest(
            role=member.role if isinstance(member, Weight) else f"{member.role}:{member.part}",
            layer=member.layer,
            expert=member.expert,
            stack=member.stack,
            elements=rows * columns,
            constant=not self._constants or (len(self._constants) == 1 and None not in self._constants),
            nan=self.nan,
            infinite=self.infinite,
            digest=tensor_digest(member.shape if isinstance(member, Weight) else member.stored.shape, self._digests),
        )


class Matrices:
    """The per-matrix part of the sketches.

    What shares a place is summed, so that its order does not matter: a layer's experts, and matrices whose role is known by half only.

    Args:
        weights: All weights in canonical order.
    """

    def __init__(self, weights: Sequence[Weight]) -> None:
        members: dict[tuple[str, int | None, str], list[Weight]] = {}
        for weight in weights:
            members.setdefault(_place(weight), []).append(weight)
        self._index = {place: index for index, place in enumerate(members)}
        self.places = tuple(_described(group) for group in members.values())
        self._response = np.zeros((len(members), *RESPONSE))
        self._total = np.zeros((len(members), RESPONSE[1]))
        self._traces = [Traces() for _ in members]
        self._samples: dict[int, NDArray[np.int8]] = {}
        self._read = [0] * len(members)
        self._parts = [len(group) for group in members.values()]

    def take(self, weight: Weight, found: Folded, *, whole: bool = True) -> None:
        """Add a weight's sums to those of its place."""
        index = self._index[_place(weight)]
        if not self._read[index]:
            self._traces[index] = Traces()  # those of the first rows alone, if these were read before
        self._read[index] += whole
        with np.errstate(over="ignore", invalid="ignore"):
            self._response[index] += found.response
            self._total[index] += found.total
        self._traces[index].add(found.traces)
        if found.sample is not None:
            self._samples[index] = found.sample

    def responses(self) -> NDArray[np.float32]:
        """Return the response sketches with the precision of their file, float32 of shape (N, 64, 16)."""
        return rounded(_finite(self._response))

    def row_means(self) -> NDArray[np.float32]:
        """Return the mean responses, float32 of shape (N, 16)."""
        rows = np.array([max(place.rows, 1) for place in self.places], np.float64).reshape(-1, 1)
        return _finite(self._total / rows).astype(np.float32)

    def traces(self) -> NDArray[np.float32]:
        """Return the traces, float32 of shape (N, 7)."""
        found = [traces.numbers() for traces in self._traces]
        return np.array(found, np.float32).reshape(len(found), len(TRACES))

    def whole(self) -> tuple[int, ...] | None:
        """Return which places were read whole, None for all."""
        found = tuple(index for index, (read, parts) in enumerate(zip(self._read, self._parts, strict=True)) if read == parts)
        return None if len(found) == len(self.places) else found

    def samples(self) -> tuple[tuple[int, ...], NDArray[np.int8]]:
        """Return which places were sampled and the samples, int8 of shape (S, 4096)."""
        places = tuple(sorted(self._samples))
        return places, np.array([self._samples[place] for place in places], np.int8).reshape(len(places), BUCKETS)


def rounded(responses: NDArray[np.float64]) -> NDArray[np.float32]:
    """Round response sketches to float16 times a scale per matrix, float32 of shape (N, 64, 16)."""
    half, scale = halved(responses)
    return half.astype(np.float32) * scale[:, None, None]


def halved(responses: NDArray[np.float64] | Float32) -> tuple[NDArray[np.float16], NDArray[np.float32]]:
    """Return response sketches as float16 of shape (N, 64, 16) and their scales, float32 of shape (N,)."""
    scale = np.abs(responses).max((1, 2), initial=0).astype(np.float32)
    return (responses / np.where(scale > 0, scale, 1)[:, None, None]).astype(np.float16), scale


def _place(weight: Weight) -> tuple[str, int | None, str]:
    return weight.stack, weight.layer, weight.role


def _described(group: list[Weight]) -> Place:
    first = group[0]
    rows, columns = sum(w.shape[0] for w in group), max(w.shape[1] for w in group)
    parts = len(group) if len(group) > 1 or first.expert is not None else 0
    return Place(first.role, first.layer, first.stack, rows, columns, parts)


def _finite(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.abs(values) < np.finfo(np.float32).max, values, 0)
