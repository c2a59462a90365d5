"""The tables of `inspect`."""

from collections import Counter
from collections.abc import Mapping, Sequence

from tensorguard.inspection.base import BlockKind, Inspection
from tensorguard.reports.document import Cell, Table
from tensorguard.reports.sizes import bar, megabytes, numbers, share

_MOST_LISTED = 50
_INNER = ("expert up", "expert gate", "expert fc_in"), ("up", "gate", "fc_in")
_OF_ATTENTION = frozenset({"q", "k", "v", "o", "qkv", "q_a", "q_b", "kv_a", "kv_b", "attention", "relative"})
_OF_FFN = frozenset({"gate", "up", "down", "gate_up", "fc_in", "fc_out", "ffn"})


def parts(found: Inspection) -> Table | None:
    """Where parameters and bytes are."""
    if not found.parts or found.inventory is None:
        return None
    whole = found.storage.parameters
    rows: list[list[Cell]] = [
        [
            part.tower or "-",
            part.group,
            part.parameters,
            megabytes(part.bytes),
            f"{share(part.bytes, whole):>7} {bar(part.bytes, whole)}",
            _bits(part.bytes, part.parameters),
            ", ".join(part.dtypes),
        ]
        for part in found.parts
    ]
    if len(rows) > 1:
        rows.append(["all", "", found.inventory.parameters, megabytes(whole), "", _bits(whole, found.inventory.parameters), ""])
    columns = ("tower", "part", "parameters", "MB", "share of bytes", "bits each", "stored as")
    return Table("Where the bytes are", columns, rows, keys=2)


def kinds(found: Inspection) -> Table | None:
    """Which blocks are alike."""
    if not found.kinds:
        return None
    rows: list[list[Cell]] = [
        [each.tower, numbers(each.layers), len(each.layers), _holds(each), each.parameters, _between(each.bytes)]
        for each in found.kinds[:_MOST_LISTED]
    ]
    columns = ("tower", "blocks", "count", "hold", "parameters each", "MB each")
    return Table("Blocks that are alike", columns, rows, _more(len(found.kinds)), keys=2)


def components(found: Inspection) -> Table | None:
    """Weights by role."""
    if found.inventory is None:
        return None
    rows: list[list[Cell]] = [
        [
            each.stack,
            each.role,
            each.category,
            each.weights,
            each.parameters,
            megabytes(each.bytes),
            ", ".join(f"{out} x {inner}" for out, inner in each.shapes),
            ", ".join(each.dtypes),
        ]
        for each in found.inventory.components
    ]
    headings = ("tower", "role", "category", "weights", "parameters", "MB", "shapes", "stored as")
    note = f"{found.inventory.vectors:,} more numbers are in norms, biases and other vectors."
    return Table("Weights by role", headings, rows, note, keys=2)


def adapter(found: Inspection) -> Table | None:
    """What an adapter's own files hold."""
    if found.adapter is None or not found.adapter.modules:
        return None
    rows: list[list[Cell]] = [
        [
            each.target or "shared",
            each.modules,
            each.layers or None,
            "; ".join(f"{factor} {' x '.join(str(n) for n in shape)}" for factor, shape in each.factors),
            each.parameters,
            megabytes(each.bytes),
        ]
        for each in found.adapter.modules[:_MOST_LISTED]
    ]
    columns = ("module", "count", "layers", "factors", "parameters", "MB")
    return Table("What the adapter changes", columns, rows, _more(len(found.adapter.modules)))


def claims(found: Inspection) -> Table | None:
    """What it says of itself."""
    if not found.claims:
        return None
    note = "By its configuration or GGUF keys: shown, and never evidence. tensorguard check holds claims against the weights."
    return Table("What it says of itself", ("what", "claim"), [[what, claim] for what, claim in found.claims], note)


def files(found: Inspection) -> Table | None:
    """Its files, where they are several."""
    if len(found.files) < 2:
        return None
    whole = found.storage.files
    rows: list[list[Cell]] = [
        [each.name, megabytes(each.bytes), bar(each.bytes, whole), each.tensors] for each in found.files[:_MOST_LISTED]
    ]
    return Table("Files", ("file", "MB", "of all", "tensors"), rows, _more(len(found.files)))


def chosen(found: Inspection) -> Table | None:
    """What the paper's fingerprint is made of."""
    if found.inventory is None or not found.inventory.chosen:
        return None
    return Table("Read for the 16 numbers", ("tensor",), [[name] for name in found.inventory.chosen])


def unknown(found: Inspection) -> Table | None:
    """Names that no table knows."""
    if found.inventory is None or not found.inventory.unknown:
        return None
    names = found.inventory.unknown
    return Table("Names that no table knows", ("tensor",), [[name] for name in names[:_MOST_LISTED]], _more(len(names)))


def left_out(found: Inspection) -> Table | None:
    """What is no weight, by reason."""
    if found.inventory is None or not found.inventory.excluded:
        return None
    count = Counter(reason for _, reason in found.inventory.excluded)
    first: Mapping[str, str] = {reason: name for name, reason in reversed(found.inventory.excluded)}
    rows: list[list[Cell]] = [[reason, count[reason], first[reason]] for reason, _ in count.most_common(_MOST_LISTED)]
    return Table("Not read as weights", ("why", "tensors", "such as"), rows, _more(len(count)))


def _holds(kind: BlockKind) -> str:
    """Say in a few words what a block holds."""
    roles = [role for role, _, _ in kind.holds]
    words = []
    if not _OF_ATTENTION.isdisjoint(roles):
        words.append("attention with a table of relative positions" if "relative" in roles else "attention")
    if any(role.startswith("ssm") for role in roles):
        words.append("state space")
    experts = _first(kind, _INNER[0])
    if experts is not None:
        words.append(f"{experts[0]:,} experts of {experts[1]:,}")
    elif any(role.startswith("expert ") for role in roles):
        words.append("experts")
    inner = _first(kind, _INNER[1])
    if inner is not None:
        words.append(f"feed-forward {inner[1]:,}")
    elif not _OF_FFN.isdisjoint(roles):
        words.append("feed-forward")
    if not words:
        words = list(dict.fromkeys(roles))
    return ", ".join(words)


def _first(kind: BlockKind, wanted: Sequence[str]) -> tuple[int, int] | None:
    return next(((count, shape[0]) for role, count, shape in kind.holds if role in wanted), None)


def _between(found: tuple[int, int]) -> str:
    low, high = (megabytes(each) for each in found)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _bits(taken: int, parameters: int) -> float | None:
    return round(8 * taken / parameters, 2) if parameters else None


def _more(count: int) -> str:
    return f"{count - _MOST_LISTED:,} more; --json lists all." if count > _MOST_LISTED else ""
