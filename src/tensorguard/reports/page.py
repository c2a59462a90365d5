"""A document as one self-contained HTML page: no script, no request, pictures inline."""

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from tensorguard.reports.document import Cell, Document, number, to_json
from tensorguard.reports.terminal import printable, printable_sentence
from tensorguard.version import __version__


def to_html(document: Document) -> str:
    """Return the page. Everything that came from a file is escaped, and the page's own policy forbids scripts and requests."""
    from tensorguard.reports.figures.base import to_svg

    environment = Environment(loader=PackageLoader("tensorguard.reports"), autoescape=True, undefined=StrictUndefined)
    environment.filters |= {"cell": _cell, "sentence": printable_sentence, "line": printable}
    pictures = [(picture.caption, Markup(to_svg(picture.draw()))) for picture in document.pictures]  # noqa: S704 - our own SVG
    template = environment.get_template("page.html")
    return template.render(document=document, pictures=pictures, version=__version__, json=to_json(document))


def _cell(cell: Cell) -> str:
    if cell is None:
        return "–"
    return printable_sentence(cell) if isinstance(cell, str) else number(cell)
