"""The picture of a scan."""

from functools import partial

from tensorguard.licences.audit import Audit
from tensorguard.reports.document import Picture

_CAPTION = (
    "Known models that the model was compared with, ranked, with the least effect that counts as derived; beside them the blocks of the "
    "best against the model's own."
)


def pictures(audit: Audit) -> list[Picture]:
    """Return the picture of relatives; empty if nothing was compared."""
    scan = audit.scan
    return [Picture("relatives", _CAPTION, partial(_draw, audit))] if scan.relatives or scan.others else []


def _draw(audit: Audit) -> object:
    from tensorguard.reports.figures.relatives import draw_relatives

    return draw_relatives(audit.scan)
