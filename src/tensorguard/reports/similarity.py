"""What `compare` tells: how far apart models are, and what that can and cannot mean."""

from collections.abc import Sequence

from tensorguard.errors import quote
from tensorguard.family.similarity import Neighbour, Similarity
from tensorguard.reports import identities
from tensorguard.reports.document import Cell, Document, Picture, Table, number
from tensorguard.reports.identities import Pair

LIMITS = (
    "These distances compare architecture, size and the statistics of weights. A small one does not prove descent: models of one "
    "shape that were trained independently can be as close. A large one means another shape, or weights of another character."
)
_MOST_SHOWN = 12


def report(similarity: Similarity, pairs: Sequence[Pair] = ()) -> Document:
    """Return the document of one comparison: distances, and what equal tensors prove where models have digests."""
    neighbours = similarity.neighbours()
    pair = len(similarity.names) == 2
    tables = [] if pair else [_neighbours(similarity)]
    if pairs:
        tables.insert(0, identities.of_pair(pairs[0]) if pair else identities.of_many(pairs))
    if 2 < len(similarity.names) <= _MOST_SHOWN:
        tables.append(_matrix(similarity))
    if pair:
        tables.append(_differences(similarity))
    closest = min(neighbours, key=lambda each: each.distance)
    return Document(
        kind="compare",
        title="How far apart the models are",
        summary=_summary(similarity, closest, pairs),
        result=_result(similarity, pairs),
        settings={"method": similarity.method, "columns": similarity.columns, "specification": similarity.specification},
        inputs=[{"model": name} for name in similarity.names],
        notices=(*similarity.notices, LIMITS),
        tables=tables,
        pictures=(_bars(similarity) if pair else _heatmap(similarity),),
    )


def _result(similarity: Similarity, pairs: Sequence[Pair]) -> dict[str, object]:
    """Return what machines read; `verdict` is one word for two models with digests, else null."""
    return {
        "verdict": pairs[0][2].verdict if pairs and len(similarity.names) == 2 else None,
        "identities": [{"first": first, "second": second, "finding": found} for first, second, found in pairs],
        "names": similarity.names,
        "distance": similarity.distances[0][1] if len(similarity.names) == 2 else None,
        "distances": similarity.distances,
        "plane_distances": similarity.plane_distances,
        "neighbours": similarity.neighbours(),
        "differences": similarity.differences,
        "order": similarity.order(),
    }


def _summary(similarity: Similarity, closest: Neighbour, pairs: Sequence[Pair]) -> str:
    first, second, distance = quote(closest.name), quote(closest.nearest), number(closest.distance)
    if len(similarity.names) > 2:
        said = f"Of {len(similarity.names)} models the closest are {first} and {second}, at distance {distance}."
        same = sum(found.verdict == "same-weights" for _, _, found in pairs)
        shared = len(pairs) - same
        return f"{said} Pairs with the same weights: {same}; with some in common: {shared} (certain)." if pairs else said
    if closest.distance == 0:
        apart = f"The 16 numbers of {first} and {second} are equal."
    elif similarity.method == "standardised":
        apart = f"The 16 numbers of {first} and {second} are {distance} apart in the standardised space."
    else:
        apart = f"The 16 numbers of {first} and {second} are {distance} apart on a scale from 0 (equal) to 2."
    return f"{identities.sentence(pairs[0])} {apart}" if pairs else apart


def _neighbours(similarity: Similarity) -> Table:
    rows: list[list[Cell]] = [[each.name, each.nearest, each.distance] for each in similarity.neighbours()]
    return Table("Nearest neighbour of each model", ("model", "nearest", "distance"), rows)


def _matrix(similarity: Similarity) -> Table:
    order = similarity.order()
    names = [similarity.names[row] for row in order]
    rows: list[list[Cell]] = [
        [str(i + 1), names[i], *(similarity.distances[row][column] for column in order)] for i, row in enumerate(order)
    ]
    headings = ("", "model", *(str(i + 1) for i in range(len(names))))
    return Table("Distances", headings, rows, "Neighbours in the tree of the picture stand together; columns by number.")


def _differences(similarity: Similarity) -> Table:
    rows: list[list[Cell]] = [[each.feature, each.first, each.second, each.relative] for each in similarity.differences]
    headings = ("feature", similarity.names[0], similarity.names[1], "relative difference")
    return Table("Feature by feature", headings, rows, "|a - b| / ((|a| + |b|) / 2): 0 is equal, 2 is opposite.")


def _heatmap(similarity: Similarity) -> Picture:
    def draw() -> object:
        from tensorguard.reports.figures.heatmap import draw_heatmap

        return draw_heatmap(similarity)

    return Picture("distances", "Distances between all models; the tree joins the closest first.", draw)


def _bars(similarity: Similarity) -> Picture:
    def draw() -> object:
        from tensorguard.reports.figures.differences import draw_differences

        return draw_differences(similarity)

    return Picture("differences", "The two models feature by feature.", draw)
