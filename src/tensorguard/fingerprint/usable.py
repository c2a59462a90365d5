"""What may be averaged: values that are not finite are reported, never averaged in silently."""

from tensorguard.errors import InputError, quote
from tensorguard.fingerprint.responses import LayerResponse


def require_finite(name: str, where: str, nan: int, infinite: int) -> None:
    """Refuse a tensor with values that are not finite.

    Raises:
        InputError: There are some.
    """
    if nan or infinite:
        raise InputError(
            f"tensor {quote(name)} holds {nonfinite(nan, infinite)}",
            where=where,
            hint="the file is damaged or training diverged; --skip-nonfinite leaves such tensors out and lists them",
        )


def nonfinite(nan: int, infinite: int) -> str:
    """Return in words how many values are not finite."""
    return f"{nan} NaN and {infinite} infinite values"


def why_unusable(response: LayerResponse, *, skip_nonfinite: bool) -> str:
    """Return why a response cannot be averaged, or nothing if it can.

    Raises:
        InputError: The weight holds values that are not finite, and `skip_nonfinite` is not set.
    """
    if response.nan or response.infinite:
        if not skip_nonfinite:
            require_finite(response.weight.name, response.weight.stored.where, response.nan, response.infinite)
        return nonfinite(response.nan, response.infinite)
    if not response.finite:
        return "its response overflows float32"
    return "its response is zero, so it has no gradient" if response.silent else ""
