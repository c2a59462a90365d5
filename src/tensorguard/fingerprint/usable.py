"""Which responses may be averaged: values that are not finite are reported, never averaged in silently."""

from tensorguard.errors import InputError, quote
from tensorguard.fingerprint.responses import LayerResponse


def why_unusable(response: LayerResponse, *, skip_nonfinite: bool) -> str:
    """Return why a response cannot be averaged, or nothing if it can.

    Raises:
        InputError: The weight holds values that are not finite, and `skip_nonfinite` is not set.
    """
    weight = response.weight
    if response.nan or response.infinite:
        found = f"{response.nan} NaN and {response.infinite} infinite values"
        if not skip_nonfinite:
            raise InputError(
                f"tensor {quote(weight.name)} holds {found}",
                where=weight.stored.where,
                hint="the file is damaged or training diverged; --skip-nonfinite leaves such tensors out and lists them",
            )
        return found
    if not response.finite:
        return "its response overflows float32"
    return "its response is zero, so it has no gradient" if response.silent else ""
