"""Many models pair by pair as a chart: how alike each two act."""

import math
from collections.abc import Sequence

from tensorguard.lineage.pair import Pair
from tensorguard.reports.charts import Chart, Heatmap, Panel
from tensorguard.reports.effects import effects

_NOTE = (
    "How alike the blocks of each two models act: 1 is a copy, 0 chance, empty not comparable. Like models stand side by side."
)


def charts(pairs: Sequence[Pair]) -> list[Chart]:
    """Return the map of effects, models numbered as in the tables; empty without pairs."""
    if not pairs:
        return []
    found = effects(pairs)
    values = [[None if math.isnan(value) else value for value in row] for row in found.values.tolist()]
    names, panel = found.names, Panel("effect", values)
    measure = "mean cosine of operators, less chance"
    return [
        Heatmap("effects", "How alike the models act", _NOTE, "model", "model", names, names, [panel], measure, numbered=True)
    ]
