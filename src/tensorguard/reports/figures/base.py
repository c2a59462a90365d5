"""What all pictures share: style, colours, harmless names, and bytes that are the same every time."""

import io
from collections.abc import Callable, Sequence
from functools import cache, wraps
from pathlib import Path
from typing import ParamSpec

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font

from tensorguard.errors import UsageError
from tensorguard.formats.atomic import replacing

INK = "#1b1f24"
SOFT = "#6b7480"
PAPER_GREY = "#c3c9d0"
WRONG = "#cc3311"

# Paul Tol's muted scheme (personal.sron.nl/~pault), distinguishable with any common colour blindness.
COLOURS = ("#332288", "#88ccee", "#117733", "#ddcc77", "#cc6677", "#aa4499", "#44aa99", "#999933", "#882255")

_STYLE = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so a picture is the same on every machine
    "font.size": 9.0,
    "text.parse_math": False,  # a model's name may hold $
    "text.color": INK,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "axes.titlesize": 10.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "svg.fonttype": "path",
    "svg.hashsalt": "tensorguard",
    "savefig.dpi": 150,
    "figure.dpi": 100,
}

P = ParamSpec("P")


def drawing(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Draw in our style, whatever the user's matplotlib settings say, and leave those as they are."""

    @wraps(draw)
    def styled(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with mpl.rc_context():
            mpl.rcdefaults()
            mpl.rcParams.update(_STYLE)
            return draw(*args, **kwargs)

    return styled


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure with a canvas of its own, sizes in inches; pyplot and its global state stay out of it."""
    figure = Figure(figsize=(width, height), facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def to_png(figure: Figure) -> bytes:
    """Return the picture as PNG, 150 dots per inch; the same figure gives the same bytes."""
    return _encoded(figure, "png", {"Software": None})


def to_svg(figure: Figure) -> str:
    """Return the picture as an `<svg>` element, ready for a page or a file; text is outlines, so it looks the same everywhere."""
    text = _encoded(figure, "svg", {"Date": None, "Creator": None, "Format": None, "Type": None}).decode("utf-8")
    return text[text.index("<svg") :]


def save(figure: Figure, path: Path) -> None:
    """Write the picture, whole or not at all; the suffix, `.png` or `.svg`, says as what.

    Raises:
        UsageError: Another suffix.
        ResourceError: The folder cannot be written, or the disk is full.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (".png", ".svg"):
        raise UsageError("pictures are written as .png or .svg", where=path)
    content = to_png(figure) if suffix == ".png" else to_svg(figure).encode("utf-8")
    with replacing(path) as file:
        file.write(content)


def colour(family: str, families: Sequence[str]) -> str:
    """Return a family's colour, the same in every picture of one clustering; beyond nine they repeat."""
    return COLOURS[families.index(family) % len(COLOURS)]


def shown(name: str, limit: int = 44) -> str:
    """Return an untrusted name on one line of at most `limit` characters, cut in the middle, since both ends tell.

    Control characters, and characters that the font lacks, are escaped.
    """
    if len(name) > 4 * limit:
        name = name[: 2 * limit] + name[-2 * limit :]  # more is never shown; the middle goes anyway
    drawn = "".join(c if c.isprintable() and ord(c) in _glyphs() else c.encode("unicode_escape").decode("ascii") for c in name)
    if len(drawn) <= limit:
        return drawn
    head = limit * 3 // 5
    return f"{drawn[:head]}…{drawn[head + 1 - limit :]}"


@cache
def _glyphs() -> frozenset[int]:
    return frozenset(get_font(findfont(FontProperties(family="DejaVu Sans"))).get_charmap())


def _encoded(figure: Figure, kind: str, metadata: dict[str, None]) -> bytes:
    buffer = io.BytesIO()
    with mpl.rc_context(_STYLE):
        figure.savefig(buffer, format=kind, metadata=metadata)
    return buffer.getvalue()
