"""Headers of every answer: what a browser may do with it (Content Security Policy Level 3, Fetch)."""

from tensorguard.reports.page import policy

PAGE = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; frame-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
"""Of our page: its own files and nothing inline; text can become markup nowhere."""

DATA = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox"
"""Of everything that is no page."""

ALWAYS = {
    "cache-control": "no-store",
    "content-security-policy": DATA,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
"""What an answer says unless its route says otherwise."""


def report() -> dict[str, str]:
    """Return the headers of a report's page: its own policy, an origin of its own that has nothing, in no frame but ours."""
    guarded = f"{policy()}; frame-ancestors 'self'; sandbox allow-scripts allow-modals"
    return {"content-security-policy": guarded, "x-frame-options": "SAMEORIGIN"}
