"""Who may use the server: whoever has the token, and a browser that showed it once and got a cookie for it."""

import hashlib
import hmac
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from tensorguard.errors import InputError, NotFoundError

SHORTEST = 20
"""Characters of a token from a file."""
_LONGEST = 1_024
_TRIES, _SECONDS = 10, 3.0
"""Wrong tokens that one address may show at once, and how long it waits for one more."""
_ADDRESSES = 1_000


def new_token() -> str:
    """Return a token of 256 random bits."""
    return secrets.token_urlsafe(32)


def read_token(path: Path) -> str:
    """Read a token from a file, one line.

    Raises:
        NotFoundError: There is no such file.
        InputError: It is too short or too long to be a token, or holds characters that no header can.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_LONGEST + 2).decode("utf-8", "replace").strip()
    except OSError as error:
        raise NotFoundError(f"the token cannot be read ({error.strerror})", where=path) from error
    if not SHORTEST <= len(text) <= _LONGEST or not all("!" <= each <= "~" for each in text):
        hint = "make one with: python -c 'import secrets; print(secrets.token_urlsafe(32))'"
        raise InputError(
            f"a token is one line of {SHORTEST} to {_LONGEST} ASCII characters without spaces", where=path, hint=hint
        )
    return text


class Access:
    """Compares tokens and cookies, in constant time, and slows down who guesses. Safe from several threads."""

    def __init__(self, token: str, port: int, clock: Callable[[], float] = time.monotonic, metrics_token: str = "") -> None:
        self.cookie = f"tensorguard-{port}"  # browsers keep the cookies of all ports of a host together
        self.session = secrets.token_urlsafe(32)
        self._token, self._clock = token, clock
        self._metrics_token = metrics_token
        self._wrong: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def renew(self) -> None:
        """Make the cookies that were given worthless."""
        self.session = secrets.token_urlsafe(32)

    def is_session(self, cookie: str) -> bool:
        """Say whether a cookie is this server's."""
        return _same(cookie, self.session)

    def is_token(self, given: str) -> bool:
        """Say whether a token is the right one."""
        return _same(given, self._token)

    def is_metrics_token(self, given: str) -> bool:
        """Say whether a token is the one that opens the metrics and nothing else."""
        return bool(self._metrics_token) and _same(given, self._metrics_token)

    def wait(self, address: str) -> float:
        """Return for how many seconds no token of an address is looked at."""
        with self._lock:
            tries, at = self._wrong.get(address, (0.0, 0.0))
            return max(0.0, (tries - _TRIES + 1) * _SECONDS - (self._clock() - at))

    def failed(self, address: str) -> None:
        """Take note of a wrong token."""
        with self._lock:
            now = self._clock()
            tries, at = self._wrong.pop(address, (0.0, now))
            self._wrong[address] = (max(0.0, tries - (now - at) / _SECONDS) + 1.0, now)
            while len(self._wrong) > _ADDRESSES:
                self._wrong.popitem(last=False)


def _same(given: str, right: str) -> bool:
    """Compare digests, so that not even lengths can be told from the time it takes."""
    digests = [hashlib.sha256(each.encode("utf-8", "surrogatepass")).digest() for each in (given, right)]
    return hmac.compare_digest(*digests)
