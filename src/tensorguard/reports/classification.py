"""What `classify` tells: the nearest family, how sure, and by which measure of sureness."""

from tensorguard.errors import quote
from tensorguard.family.classify import Classification
from tensorguard.family.clustering import Clustering
from tensorguard.reports.document import Cell, Document, Picture, Table, number
from tensorguard.reports.similarity import LIMITS


def report(found: Classification, clustering: Clustering) -> Document:
    """Return the document of one classification."""
    rows: list[list[Cell]] = [[family, distance] for family, distance in found.distances.items()]
    return Document(
        kind="classify",
        title=f"The family of {quote(found.name)}",
        summary=_summary(found),
        result={"verdict": found.verdict, "classification": found},
        settings={"threshold": found.threshold},
        inputs=[{"model": found.name}],
        notices=(*found.notices, LIMITS),
        tables=[
            Table("Distance to each family's centroid", ("family", "distance"), rows),
            Table("How sure", ("measure", "value", "what it means"), _sureness(found)),
        ],
        pictures=(_picture(found, clustering),),
    )


def _summary(found: Classification) -> str:
    name, distance = quote(found.name), number(found.distance)
    if found.family is None:
        return f"{name} is out of cluster: the nearest family, {quote(found.nearest)}, is {distance} away (limit {found.threshold:g})."
    return f"{name} belongs to the family of {quote(found.family)}, at distance {distance} (limit {found.threshold:g})."


def _sureness(found: Classification) -> list[list[str | float | None]]:
    strict = found.leave_one_family_out_threshold
    inside = {True: "inside", False: "outside", None: "not known"}[found.within_leave_one_family_out]
    return [
        ["margin", found.margin, "1 - d1 / d2: 0 is halfway between two families, 1 is on a centroid"],
        ["members farther away", found.farther_members, "share of the family's members farther from its centroid"],
        ["leave-one-family-out threshold", strict, f"the stricter limit chosen from the population: {inside}"],
    ]


def _picture(found: Classification, clustering: Clustering) -> Picture:
    def draw() -> object:
        from tensorguard.reports.figures.classification import draw_classification

        return draw_classification(found, clustering)

    return Picture(
        "distances", "The model's distance to every family, with the members' own distances and the thresholds.", draw
    )
