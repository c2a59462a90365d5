"""A finished job's report in every form in which it can be fetched."""

import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from tensorguard.errors import NotFoundError
from tensorguard.reports.document import Document, to_json

# Registered at iana.org/assignments/media-types, but SARIF's, which is of its specification (3.3 of SARIF 2.1.0).
TYPES: Mapping[str, tuple[str, str]] = {
    "html": ("text/html; charset=utf-8", "html"),
    "json": ("application/json", "json"),
    "table": ("text/plain; charset=utf-8", "txt"),
    "sarif": ("application/sarif+json", "sarif"),
    "cyclonedx": ("application/vnd.cyclonedx+json", "cdx.json"),
    "spdx": ("application/spdx+json", "spdx.json"),
    "card": ("text/markdown; charset=utf-8", "md"),
}
"""Media type and the end of a file's name, by form."""

_drawing = threading.Lock()
"""Pictures are drawn one at a time: matplotlib's settings are the process's."""


class Report:
    """A document, its forms made when they are asked for first."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self._made: dict[str, str] = {}

    def forms(self) -> Iterator[str]:
        """Yield the names of its forms."""
        return (form for form in TYPES if form in self._makers())

    def text(self, form: str) -> str:
        """Return it in a form.

        Raises:
            NotFoundError: It has no such form.
        """
        maker = self._makers().get(form)
        if maker is None:
            raise NotFoundError("there is no such form of this report", hint=f"one of: {', '.join(self.forms())}")
        with _drawing:
            if form not in self._made:
                self._made[form] = maker()
            return self._made[form]

    def _makers(self) -> Mapping[str, Callable[[], str]]:
        own = {
            "html": partial(_html, self.document),
            "json": partial(to_json, self.document),
            "table": partial(_table, self.document),
        }
        return {**own, **self.document.exports}


def _html(document: Document) -> str:
    from tensorguard.reports.page import to_html

    return to_html(document)


def _table(document: Document) -> str:
    from tensorguard.reports.terminal import plain

    return plain(document)
