"""Sizes, counts and shares as people read them."""

_UNITS = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))
_COUNTS = ((1e12, "T"), (1e9, "B"), (1e6, "M"))
_EIGHTHS = " ▏▎▍▌▋▊▉"
_WIDTH = 10


def size(count: int) -> str:
    """Return bytes with a unit, three significant digits: `98.4 MB`."""
    for unit, name in _UNITS:
        if count >= unit:
            return f"{_three(count / unit)} {name}"
    return f"{count} B"


def megabytes(count: int) -> float | int:
    """Return bytes in MB for a column of numbers: whole from 100 MB on."""
    return round(count / 1e6) if count >= 1e8 else float(f"{count / 1e6:.3g}")


def short(count: int) -> str:
    """Return a count in short, three significant digits: `134 M`."""
    for unit, name in _COUNTS:
        if count >= unit:
            return f"{_three(count / unit)} {name}"
    return f"{count:,}"


def share(part: int, whole: int) -> str:
    """Return a share in percent: `3.2 %`; what is there is never shown as none."""
    if not part or not whole:
        return "0 %"
    percent = 100 * part / whole
    if percent >= 99.95 and part < whole:
        return "> 99.9 %"
    return f"{percent:.0f} %" if percent >= 99.95 else f"{percent:.1f} %" if percent >= 0.1 else "< 0.1 %"


def bar(part: int, whole: int) -> str:
    """Return a bar of blocks, as long as the share."""
    eighths = round(8 * _WIDTH * part / whole) if whole else 0
    if part and not eighths:
        eighths = 1
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def numbers(ordered: tuple[int, ...], most: int = 8) -> str:
    """Return numbers with runs joined: `0 to 3, 7`; of many runs the first."""
    runs: list[list[int]] = []
    for number in ordered:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    words = [str(a) if a == b else f"{a}, {b}" if b == a + 1 else f"{a} to {b}" for a, b in runs]
    return ", ".join(words[:most]) + (" ..." if len(words) > most else "")


def _three(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
