"""A served registry of toy models, and clients of it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

from support.known import known
from tensorguard.fingerprint.file import encode_fingerprint
from tensorguard.registry.entry import Facts
from tensorguard.registry.registry import Registry
from tensorguard.serve.app import application
from tensorguard.serve.options import Options
from tensorguard.serve.service import Service

TOKEN = "a-token-of-the-tests-0123456789"
ORIGIN = "http://127.0.0.1:8765"
API = "/api/v1"
JSON = {"content-type": "application/json"}
RAW = {"content-type": "application/octet-stream"}
EVIL = "<img src=x onerror=alert(1)>'\"&amp;</script>\u202e\x1b[31m"


def registry(folder: Path) -> Path:
    """A parent, two children of it of which one has a hostile name, and a stranger."""
    with Registry(folder, create=True) as opened:
        opened.add(known(1), Facts(repository="org/parent", family="Toy 1", licence="mit"), name="org/parent")
        opened.add(
            known(1, tuning=0.2),
            Facts(parents=("org/parent",), relation="finetune"),
            name="org/child",
            origin="imported",
            verified=False,
        )
        opened.add(known(1, tuning=0.3), Facts(parents=("org/parent", "nobody/knows"), publisher=EVIL), name=EVIL)
        opened.add(known(2), Facts(licence="apache-2.0", family="100%_sure"), name="stranger")
    return folder


def sent(seed: int = 1, tuning: float = 0.1, name: str = "sent") -> bytes:
    """The bytes of a fingerprint that somebody sends."""
    return encode_fingerprint(known(seed, name, tuning=tuning))


class Client(TestClient):
    """A client that knows what it is served by."""

    service: Service


@contextmanager
def served(folder: Path, **more: Any) -> Iterator[Client]:
    """A client that shows the token."""
    service = Service.open(Options(folder, TOKEN, **more))
    try:
        with Client(application(service), base_url=ORIGIN, headers={"authorization": f"Bearer {TOKEN}"}) as client:
            client.service = service
            yield client
    finally:
        service.close()


def finished(client: TestClient, job: dict[str, Any], seconds: float = 60.0) -> dict[str, Any]:
    """The job when it is over."""
    end = time.monotonic() + seconds
    while job["status"] in ("queued", "running"):
        assert time.monotonic() < end, job
        time.sleep(0.02)
        job = client.get(f"{API}/jobs/{job['id']}").json()
    return job


def error_kind(answer: Any) -> str:
    """The word for machines of an answer that has to be an error."""
    error = answer.json()["error"]
    assert set(error) == {"kind", "message", "where", "hint"}
    assert error["message"]
    return str(error["kind"])
