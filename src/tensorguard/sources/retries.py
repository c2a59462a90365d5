"""How often to try again, and how long to wait in between: exponential back-off with jitter, or as long as the server asks."""

import random
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from tensorguard.errors import NotFoundError
from tensorguard.sources.pacing import PACE

TRIES = 6
"""How often a request is made that gets nowhere."""

FIRST_WAIT = 0.5
"""Seconds before the second try; each further wait is twice as long, up to a random part."""

_MOST = 30.0
sleep = time.sleep


class Attempts:
    """Counts tries at one thing that is to be fetched."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._tried = 0

    def again(self, reason: str, headers: Mapping[str, str] | None = None) -> None:
        """Wait before another try.

        Args:
            reason: Why the last one failed.
            headers: What the server answered, lower-case names; its Retry-After is obeyed.

        Raises:
            NotFoundError: It was tried often enough, or the server asks for a longer wait than anybody has.
        """
        self._tried += 1
        wait = min(_MOST, FIRST_WAIT * 2 ** (self._tried - 1)) * random.uniform(0.5, 1.0)  # noqa: S311
        asked = _seconds((headers or {}).get("retry-after", ""))
        if asked > PACE.patience:
            raise NotFoundError(f"{reason}; it asks to wait {asked:.0f} s", where=self._where, hint="try again after that time")
        if self._tried >= TRIES:
            raise NotFoundError(
                f"{reason}, {self._tried} times", where=self._where, hint="try again later, or check the network"
            )
        PACE.busy(asked)
        sleep(max(wait, asked))

    def succeeded(self) -> None:
        """Begin to count anew: the last try got somewhere."""
        self._tried = 0


def _seconds(retry_after: str) -> float:
    """Return the seconds of a Retry-After header (RFC 9110, 10.2.3), which is a number or a date; 0 if it is neither."""
    if retry_after.isdigit() and len(retry_after) < 10:
        return float(retry_after)
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except (ValueError, OverflowError):
        return 0.0
