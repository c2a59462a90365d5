"""Text that is safe in a log: no secrets, no control characters, no forged lines, not endless."""

import os
import re

from tensorguard.errors import quote

LONGEST = 1_000
"""Characters of one text in a log line."""

HIDDEN = "[redacted]"

_LOOKED_AT = 4_000
_SHORTEST = 8
"""Characters of a value of the environment that is taken for a secret: shorter ones stand by chance in ordinary text."""
_SECRET_NAME = re.compile(
    "TOKEN|SECRET|PASSW|CREDENTIAL|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|AUTHORIZATION|OTLP_.*HEADERS", re.IGNORECASE
)
# What repeats is bounded in all of these: no text takes long to look through.
_URL = re.compile(r"\b([a-zA-Z][a-zA-Z0-9+.-]{0,30}://)([^\s'\"<>]*)")
_HEADER = re.compile(r"\b((?:bearer|basic)\s{1,3})[\w.~+/=-]{16,}", re.IGNORECASE)
_ASSIGNED = re.compile(
    r"((?:token|secret|passwd|password|signature|credential|api[-_]?key|access[-_]?key)[\w-]{0,30}['\"]?\s{0,3}[=:]\s{0,3}['\"]?)"
    r"[^\s'\"&,;]{6,}",
    re.IGNORECASE,
)
_KNOWN_SHAPES = re.compile(r"\b(?:hf_[A-Za-z0-9]{16,}|gh[pousr]_[A-Za-z0-9]{20,}|(?:AKIA|ASIA)[A-Z0-9]{16}|sk-[\w-]{20,})")


class Redaction:
    """Knows this process's secrets: what its environment calls one, and what it was told to hide."""

    def __init__(self) -> None:
        found = {value for name, value in os.environ.items() if _SECRET_NAME.search(name)}
        self._secrets = {value for value in found if len(value) >= _SHORTEST}

    def hide(self, secret: str) -> None:
        """Let a secret appear in no text from now on."""
        if secret:
            self._secrets.add(secret)

    def safe(self, text: object) -> str:
        """Return text for a log, on one line: without secrets, what cannot be printed escaped, and cut."""
        shown = str(text)[:_LOOKED_AT]
        for secret in sorted(self._secrets, key=len, reverse=True):
            shown = shown.replace(secret, HIDDEN)
        shown = _URL.sub(_without_credentials, shown)
        for pattern in (_HEADER, _ASSIGNED):
            shown = pattern.sub(rf"\g<1>{HIDDEN}", shown)
        return quote(_KNOWN_SHAPES.sub(HIDDEN, shown), LONGEST)[1:-1]


def _without_credentials(found: re.Match[str]) -> str:
    """Return an address without user, query and fragment: signed addresses carry their secret in these."""
    scheme, rest = found[1], found[2]
    rest, hash_, _ = rest.partition("#")
    rest, mark, _ = rest.partition("?")
    authority, slash, path = rest.partition("/")
    host = authority.rpartition("@")[2] if "@" in authority else authority
    user = f"{HIDDEN}@" if "@" in authority else ""
    return f"{scheme}{user}{host}{slash}{path}" + (f"{mark or hash_}{HIDDEN}" if mark or hash_ else "")
