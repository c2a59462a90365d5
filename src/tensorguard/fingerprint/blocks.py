"""From the responses of a block's matrices to its operators and its unit table, released as soon as a block is complete."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from tensorguard.fingerprint.questions import FIXED_COLUMNS, ID_COLUMNS, WORD_COLUMNS
from tensorguard.signals.latent import LatentSizes, latent_query_key, latent_value_output
from tensorguard.signals.operators import OPERATORS, down_up, gate_up, query_key, value_output, without_identity
from tensorguard.signals.unit_table import UnitTable
from tensorguard.tensors.base import Float32
from tensorguard.tensors.weight import Weight

_GATED, _PLAIN = {"gate", "up", "down"}, {"fc_in", "fc_out"}
_LATENT, _STATES = {"kv_a", "kv_b", "o"}, {"ssm_in", "ssm_gates", "ssm_b", "ssm_c", "ssm_out"}
_KIND = {**dict.fromkeys({"q", "k", "v", "q_b", *_LATENT}, "attention"), **dict.fromkeys(_STATES, "state")}
_PAIRS = (
    ("QK", "ssm_c", "ssm_b"),
    ("VO", "ssm_out", "ssm_in"),
    ("DG", "ssm_out", "ssm_gates"),
    ("GU", "ssm_gates", "ssm_in"),
)
"""Operators of a state space, and what they are products of."""
_BASES = (FIXED_COLUMNS, WORD_COLUMNS, ID_COLUMNS)
_LIKELY_HEADS = (128, 64)

_Unit = tuple[str, int, int | None, str]
"""Stack, layer, expert, kind: what operators are made of together."""

Arrays = tuple[NDArray[np.int8], NDArray[np.float16], NDArray[np.float16]]


class Blocks:
    """Takes responses in, gives operators and unit tables out.

    Args:
        blocks: (stack, layer) of every block.
        head: Tells rows per head from (layer, query rows, key rows, stack), or None.
    """

    def __init__(self, blocks: Sequence[tuple[str, int]], head: Callable[[int, int, int, str], int | None]) -> None:
        self._head = head
        self._index = {block: place for place, block in enumerate(blocks)}
        self._waiting: dict[_Unit, dict[str, Float32]] = {}
        self._latent: dict[_Unit, int] = {}
        self._sums = [
            np.zeros((len(blocks), len(OPERATORS), columns.stop - columns.start, columns.stop - columns.start))
            for columns in _BASES
        ]
        self.units = [UnitTable() for _ in blocks]
        self.guessed_heads = False

    def take(self, weight: Weight, response: Float32) -> None:
        """Take a matrix's responses: W X of a reader, W^T X of a writer, float32 of shape (rows or d, columns).

        A block's matrices come one after the other: what is not complete when the next block begins never will be.
        """
        if weight.layer is None:
            return
        key = (weight.stack, weight.layer, weight.expert, _KIND.get(weight.role, "neurons"))
        if self._waiting and next(iter(self._waiting))[:2] != key[:2]:
            self._waiting.clear()
            self._latent.clear()
        held = self._waiting.setdefault(key, {})
        if not np.isfinite(response).all():  # it may have overflowed
            response = np.nan_to_num(response, nan=0, posinf=0, neginf=0)
        held[weight.role] = response
        if weight.role == "kv_b":
            self._latent[key] = weight.shape[1]
        roles = held.keys()
        if roles >= {"q", "k"}:
            self._query_key(key, held.pop("q"), held.pop("k"))
        if roles >= {"v", "o"}:
            self._value_output(key, held.pop("v"), held.pop("o"))
        if roles >= _LATENT and roles & {"q", "q_b"}:
            self._compressed(key, self._waiting.pop(key))
        if key[3] == "state":
            self._state(key, held, weight.role)
        if roles >= _GATED or roles >= _PLAIN:
            self._neurons(key, self._waiting.pop(key))

    def operators(self) -> Arrays:
        """Return the operators as they are stored: see `Sketches.fixed`, `words` and `ids`."""
        fixed, words, ids = self._sums
        return (
            np.round(127 * _scaled(without_identity(fixed))).astype(np.int8),
            _scaled(words).astype(np.float16),
            _scaled(ids).astype(np.float16),
        )

    def _add(self, key: _Unit, operator: str, form: Callable[[slice], NDArray[np.float64]]) -> None:
        place, which = self._index[key[0], key[1]], OPERATORS.index(operator)
        for sums, columns in zip(self._sums, _BASES, strict=True):
            sums[place, which] += form(columns)

    def _query_key(self, key: _Unit, Q: Float32, K: Float32) -> None:
        head = self._head_rows(key, len(Q), len(K))
        if head:
            self._add(key, "QK", lambda c: query_key(Q[:, c], K[:, c], head))

    def _value_output(self, key: _Unit, V: Float32, O: Float32) -> None:  # noqa: E741
        head = self._head_rows(key, len(O), len(V))
        if head:
            self._add(key, "VO", lambda c: value_output(V[:, c], O[:, c], len(V) // head))

    def _compressed(self, key: _Unit, held: dict[str, Float32]) -> None:
        """Latent attention."""
        Q, A, B, O = held.get("q_b", held.get("q")), held["kv_a"], held["kv_b"], held["o"]  # noqa: E741
        sizes = LatentSizes.of(len(Q), len(A), self._latent[key], len(B), len(O)) if Q is not None else None
        if Q is not None and sizes is not None:
            self._add(key, "QK", lambda c: latent_query_key(Q[:, c], A[:, c], B[:, c], sizes))
            self._add(key, "VO", lambda c: latent_value_output(B[:, c], O[:, c], sizes))

    def _state(self, key: _Unit, held: dict[str, Float32], came: str) -> None:
        """Take what came last of a state space with what came before: every pair once."""
        for operator, left, right in _PAIRS:
            if came in (left, right) and left in held and right in held and len(held[left]) == len(held[right]):
                self._product(key, operator, held[left], held[right])

    def _product(self, key: _Unit, operator: str, left: Float32, right: Float32) -> None:
        self._add(key, operator, lambda c: down_up(left[:, c], right[:, c]))

    def _neurons(self, key: _Unit, held: dict[str, Float32]) -> None:
        table = self.units[self._index[key[0], key[1]]]
        if "fc_in" in held:
            reads, writes = held["fc_in"], held["fc_out"]
            if len(reads) != len(writes):
                return
            self._add(key, "DU", lambda c: down_up(writes[:, c], reads[:, c]))
            table.add(reads[:, FIXED_COLUMNS], [writes[:, FIXED_COLUMNS]])
            return
        gate, up, down = held["gate"], held["up"], held["down"]
        if not len(gate) == len(up) == len(down):
            return
        self._add(key, "DU", lambda c: down_up(down[:, c], up[:, c]))
        self._add(key, "DG", lambda c: down_up(down[:, c], gate[:, c]))
        self._add(key, "GU", lambda c: gate_up(gate[:, c], up[:, c]))
        table.add(gate[:, FIXED_COLUMNS], [up[:, FIXED_COLUMNS], down[:, FIXED_COLUMNS]])

    def _head_rows(self, key: _Unit, many: int, few: int) -> int | None:
        """Return rows per head; where nothing says it, any number that divides will do unless heads are grouped."""
        if many == few:
            return few
        if not few or many % few:
            return None
        known = self._head(key[1], many, few, key[0])
        if known and few % known == 0:
            return known
        self.guessed_heads = True
        return next((head for head in _LIKELY_HEADS if few % head == 0), few)


def _scaled(matrices: NDArray[np.float64]) -> NDArray[np.float64]:
    largest = np.abs(matrices).max((-2, -1), keepdims=True)
    return matrices / np.where(largest > 0, largest, 1)
