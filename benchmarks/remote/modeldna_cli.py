"""modelDNA's own command line with two changes: it asks the hub that HF_ENDPOINT names, and keeps as many connections to it as over https.

Version 0.1.0 has https://huggingface.co written into `HubSource._url`, and mounts its pool of 32 connections for https alone.
"""

import os
from typing import Any

from modeldna.cli import app
from modeldna.io.source import HubSource
from requests.adapters import HTTPAdapter

_made = HubSource.__init__


def _url(self: Any, filename: str) -> str:
    return f"{os.environ['HF_ENDPOINT']}/{self.repo_id}/resolve/{self.revision}/{filename}"


def _init(self: Any, *arguments: Any, **named: Any) -> None:
    _made(self, *arguments, **named)
    self._session.mount("http://", HTTPAdapter(pool_connections=4, pool_maxsize=self.concurrency))


if __name__ == "__main__":
    HubSource._url = _url
    HubSource.__init__ = _init
    app()
