"""What `compare` tells: how models are related, on what evidence, and last how far apart their 16 numbers are."""

from collections.abc import Sequence
from dataclasses import asdict

from tensorguard.errors import quote
from tensorguard.family.similarity import Similarity
from tensorguard.fingerprint.base import Coverage
from tensorguard.lineage.pair import Pair
from tensorguard.lineage.verdict import LINKED
from tensorguard.reports import deep, evidence_pictures, lineage, lineage_charts, many, many_charts, similarity, wording
from tensorguard.reports.document import Document, Picture, Table

_PUBLIC = (
    "the probes are public, so agreement can be forged or erased by whoever takes the trouble: confirm what would accuse somebody with "
    "fingerprints of a secret key (--key-file) or by --deep"
)
_OTHER_NUMBERS = "the 16 numbers were computed with different settings and are not compared"
_NO_NUMBERS = "a sample has no 16 numbers: they are not compared"


def report(close: Similarity | None, pairs: Sequence[Pair], notices: Sequence[str] = ()) -> Document:
    """Return the document of one comparison.

    Args:
        close: How far apart the 16 numbers are; None where they cannot be compared.
        pairs: How models are related, pair by pair; empty where none has a whole fingerprint.
        notices: Things to know.
    """
    names = list(dict.fromkeys(name for pair in pairs for name in (pair.first, pair.second)))
    names = list(close.names) if close and len(close.names) > len(names) else names
    alone = pairs[0] if len(pairs) == 1 and len(names) == 2 else None
    return Document(
        kind="compare",
        title=f"{quote(names[0])} and {quote(names[1])}" if len(names) == 2 else f"How {len(names)} models are related",
        summary=_summary(close, pairs, alone),
        result={
            "verdict": alone.lineage.verdict if alone else None,
            "lineage": alone.lineage if alone else None,
            "deep": alone.deep if alone else None,
            "pairs": [many.machine(pair) for pair in pairs],
            "coverage": [{"model": name, **asdict(part)} for name, part in _sampled(pairs).items()],
            **similarity.machine(close),
        },
        settings={
            "key": next((pair.key for pair in pairs if pair.key), None),
            "method": close.method if close else None,
            "columns": close.columns if close else None,
            "specification": close.specification if close else None,
        },
        inputs=[{"model": name} for name in names],
        notices=(*notices, *_notices(close, pairs)),
        tables=_tables(close, pairs, alone),
        pictures=_pictures(close, pairs, alone),
        headline=lineage_charts.headline(alone.lineage) if alone else None,
        charts=lineage_charts.charts(alone) if alone else many_charts.charts(pairs),
    )


def _summary(close: Similarity | None, pairs: Sequence[Pair], alone: Pair | None) -> str:
    if alone is not None:
        return wording.sentence(alone) + (f" Value by value: {alone.deep.sentence}." if alone.deep else "")
    if pairs:
        return many.sentence(pairs)
    return similarity.sentence(close) if close else ""


def _tables(close: Similarity | None, pairs: Sequence[Pair], alone: Pair | None) -> list[Table]:
    made = lineage.tables(alone) if alone else many.tables(pairs)
    if alone and alone.deep:
        made = [*deep.tables(alone, alone.deep), *made]
    return [*made, *(similarity.tables(close, second=bool(pairs)) if close else ())]


def _pictures(close: Similarity | None, pairs: Sequence[Pair], alone: Pair | None) -> list[Picture]:
    made = evidence_pictures.pictures(alone) if alone else many.pictures(pairs)
    return [*made, *([similarity.picture(close)] if close else [])]


def _sampled(pairs: Sequence[Pair]) -> dict[str, Coverage]:
    """Return how much was read of each model that was not read whole."""
    return {name: part for pair in pairs for name, part in zip((pair.first, pair.second), pair.coverage, strict=True) if part}


def _notices(close: Similarity | None, pairs: Sequence[Pair]) -> list[str]:
    said = []
    if any(pair.key == "public" and pair.lineage.verdict in LINKED for pair in pairs):
        said.append(_PUBLIC)
    sampled = _sampled(pairs)
    said += [wording.coverage(name, part) for name, part in sampled.items()]
    if close is None:
        said.append(_NO_NUMBERS if sampled else _OTHER_NUMBERS)
    elif pairs:
        said += [notice for notice in close.notices if len(pairs) > 1 or close.method == "standardised"]
    else:
        said += [*close.notices, similarity.LIMITS]
    return said
