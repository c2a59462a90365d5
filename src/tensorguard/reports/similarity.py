"""The distances of the 16 numbers: what `compare` says where there is nothing better, and a second opinion where there is."""

from typing import TYPE_CHECKING

from tensorguard.errors import quote
from tensorguard.reports.document import Cell, Picture, Table, number

if TYPE_CHECKING:
    from tensorguard.family.similarity import Similarity  # it loads scikit-learn, and most reports take but `LIMITS` from here

LIMITS = (
    "These distances compare architecture, size and the statistics of weights. A small one does not prove descent: models of one "
    "shape that were trained independently can be as close. A large one means another shape, or weights of another character."
)
_SECOND = "A second opinion, by the paper's 16 numbers: they know architecture and size, not descent."
_MOST_SHOWN = 12


def sentence(similarity: "Similarity") -> str:
    """Return how far apart models are."""
    closest = min(similarity.neighbours(), key=lambda each: each.distance)
    first, second, distance = quote(closest.name), quote(closest.nearest), number(closest.distance)
    if len(similarity.names) > 2:
        return f"Of {len(similarity.names)} models the closest are {first} and {second}, at distance {distance}."
    if closest.distance == 0:
        return f"The 16 numbers of {first} and {second} are equal."
    if similarity.method == "standardised":
        return f"The 16 numbers of {first} and {second} are {distance} apart in the standardised space."
    return f"The 16 numbers of {first} and {second} are {distance} apart on a scale from 0 (equal) to 2."


def tables(similarity: "Similarity", *, second: bool) -> list[Table]:
    """Return the tables of distances; of two models feature by feature.

    Args:
        similarity: The distances.
        second: There is better evidence: say that this is a second opinion.
    """
    lead = f"{sentence(similarity)} {_SECOND}" if second else ""
    if len(similarity.names) == 2:
        return [_differences(similarity, lead)]
    return [_neighbours(similarity, lead), *([_matrix(similarity)] if len(similarity.names) <= _MOST_SHOWN else [])]


def picture(similarity: "Similarity") -> Picture:
    """Return the bars of two models, or the clustered heat map of many."""
    return _bars(similarity) if len(similarity.names) == 2 else _heatmap(similarity)


def machine(similarity: "Similarity | None") -> dict[str, object]:
    """Return what machines read; all null without distances."""
    if similarity is None:
        return dict.fromkeys(("names", "distance", "distances", "plane_distances", "neighbours", "differences", "order"))
    return {
        "names": similarity.names,
        "distance": similarity.distances[0][1] if len(similarity.names) == 2 else None,
        "distances": similarity.distances,
        "plane_distances": similarity.plane_distances,
        "neighbours": similarity.neighbours(),
        "differences": similarity.differences,
        "order": similarity.order(),
    }


def _neighbours(similarity: "Similarity", note: str) -> Table:
    rows: list[list[Cell]] = [[each.name, each.nearest, each.distance] for each in similarity.neighbours()]
    return Table("The 16 numbers: nearest neighbour of each model", ("model", "nearest", "distance"), rows, note)


def _matrix(similarity: "Similarity") -> Table:
    order = similarity.order()
    names = [similarity.names[row] for row in order]
    rows: list[list[Cell]] = [
        [str(i + 1), names[i], *(similarity.distances[row][column] for column in order)] for i, row in enumerate(order)
    ]
    headings = ("", "model", *(str(i + 1) for i in range(len(names))))
    return Table(
        "The 16 numbers: distances", headings, rows, "Neighbours in the tree of the picture stand together; columns by number."
    )


def _differences(similarity: "Similarity", lead: str) -> Table:
    rows: list[list[Cell]] = [[each.feature, each.first, each.second, each.relative] for each in similarity.differences]
    headings = ("feature", similarity.names[0], similarity.names[1], "relative difference")
    note = f"{lead} |a - b| / ((|a| + |b|) / 2): 0 is equal, 2 is opposite.".strip()
    return Table("The 16 numbers: feature by feature", headings, rows, note)


def _heatmap(similarity: "Similarity") -> Picture:
    def draw() -> object:
        from tensorguard.reports.figures.heatmap import draw_heatmap

        return draw_heatmap(similarity)

    return Picture("distances", "Distances of the 16 numbers between all models; the tree joins the closest first.", draw)


def _bars(similarity: "Similarity") -> Picture:
    def draw() -> object:
        from tensorguard.reports.figures.differences import draw_differences

        return draw_differences(similarity)

    return Picture("differences", "The 16 numbers of the two models, one by one.", draw)
