"""Scans and checks over the API: the queue, progress, cancelling, reports."""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from support import kin
from support.commands import check
from support.served import API, EVIL, RAW, finished, registry, sent, served
from tensorguard.errors import InputError, NotFoundError, ResourceError
from tensorguard.fingerprint.file import write_fingerprint
from tensorguard.reports.document import Document
from tensorguard.serve.answers import JobState
from tensorguard.serve.jobs import MAX_AGE, MAX_KEPT, MAX_QUEUE, Jobs
from tensorguard.serve.listener import Listener
from tensorguard.serve.problems import RefusedError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return registry(tmp_path_factory.mktemp("served") / "known")


@pytest.fixture
def client(folder: Path, tmp_path: Path) -> Iterator[TestClient]:
    (tmp_path / "root").mkdir()
    with served(folder, roots=(tmp_path / "root",)) as found:
        yield found


def test_a_fingerprint_is_scanned_and_reported_in_every_form(client: TestClient) -> None:
    answer = client.post(f"{API}/jobs/upload", params={"filename": f"../{EVIL}.tgfp"}, content=sent(name=EVIL), headers=RAW)
    assert answer.status_code == 202
    job = finished(client, answer.json())
    assert job["status"] == "done", job
    assert "org/parent" in job["summary"]
    assert "/" not in job["subject"]
    assert job["forms"] == ["html", "json", "table", "sarif", "cyclonedx", "spdx", "card"]
    for form in job["forms"]:
        report = client.get(f"{API}/reports/{job['id']}/{form}", params={"download": True})
        assert report.status_code == 200
        assert report.text
        assert report.headers["content-disposition"].startswith('attachment; filename="')
    document = client.get(f"{API}/reports/{job['id']}/json").json()
    check(document)
    assert document["inputs"][0]["location"] == job["subject"]
    page = client.get(f"{API}/reports/{job['id']}/html")
    assert "sandbox allow-scripts" in page.headers["content-security-policy"]
    assert "script-src 'sha256-" in page.headers["content-security-policy"]
    assert "<img src=x" not in page.text
    assert client.get(f"{API}/reports/{job['id']}/pdf").status_code == 404


def test_a_model_under_a_root_is_checked(client: TestClient, tmp_path: Path, folder: Path) -> None:
    model = kin.save(tmp_path / "root" / "mine", kin.kin()["base"])
    (model / "README.md").write_text("---\nlicense: mit\nbase_model: org/parent\n---\n")
    answer = client.post(f"{API}/jobs", json={"path": "mine", "kind": "check", "name": "my/name"})
    job = finished(client, answer.json())
    assert (job["status"], job["kind"], job["subject"]) == ("done", "check", "mine"), job
    document = client.get(f"{API}/reports/{job['id']}/json").json()
    check(document)
    assert document["inputs"][0]["location"] == str(model)


def test_what_is_wrong_is_said_in_one_line(client: TestClient, tmp_path: Path) -> None:
    (tmp_path / "root" / "bad.safetensors").write_bytes(b"\xff" * 100)
    job = finished(client, client.post(f"{API}/jobs", json={"path": "bad.safetensors"}).json())
    assert job["status"] == "failed"
    assert job["error"]["kind"] == "input"
    assert "\n" not in job["error"]["message"]
    assert client.get(f"{API}/reports/{job['id']}/html").status_code == 404


def test_an_adapter_takes_its_base_from_a_root(client: TestClient, tmp_path: Path) -> None:
    answer = client.post(f"{API}/jobs", json={"path": str(kin.save(tmp_path / "root" / "m", kin.kin()["base"])), "base": "m"})
    assert answer.status_code == 400
    assert "base" in answer.json()["error"]["message"]


@contextlib.contextmanager
def made(clock: Callable[[], float] = time.time, elapsed: Callable[[], float] = time.monotonic) -> Iterator[Jobs]:
    jobs = Jobs(clock, elapsed)
    try:
        yield jobs
    finally:
        jobs.close()


def document(text: str = "fine") -> Document:
    return Document("scan", text, text, {})


def over(jobs: Jobs, name: str) -> JobState:
    end = time.monotonic() + 20
    while (state := jobs.state(name)).status in ("queued", "running"):
        assert time.monotonic() < end
        time.sleep(0.005)
    return state


class Held:
    """Work that goes on, reporting, until it is let go."""

    def __init__(self) -> None:
        self.begun, self.go = threading.Event(), threading.Event()

    def __call__(self, listener: Listener) -> Document:
        listener.start("work", 100, "steps")
        self.begun.set()
        while not self.go.wait(0.005):
            listener.advance("work", 0)
        listener.advance("work", 100)
        listener.finish("work")
        return document()


def test_jobs_run_one_at_a_time_in_order_and_the_queue_ends() -> None:
    with made() as jobs:
        first = Held()
        running = jobs.add("scan", "first", first)
        assert first.begun.wait(20)
        order: list[int] = []

        def work(at: int) -> Callable[[Listener], Document]:
            return lambda _: (order.append(at), document())[1]

        waiting = [jobs.add("scan", str(at), work(at)) for at in range(MAX_QUEUE)]
        assert [state.ahead for state in waiting] == [*range(1, MAX_QUEUE + 1)]
        cleaned = contextlib.ExitStack()
        gone = threading.Event()
        cleaned.callback(gone.set)
        with pytest.raises(RefusedError) as refused:
            jobs.add("scan", "too much", document, cleaned)  # type: ignore[arg-type]
        assert refused.value.status == 429
        assert gone.is_set()
        assert jobs.state(running.id).tasks[0].total == 100
        first.go.set()
        assert [over(jobs, state.id).status for state in waiting] == ["done"] * MAX_QUEUE
        assert order == [*range(MAX_QUEUE)]


def test_what_waits_and_what_runs_can_be_cancelled_and_what_is_over_forgotten() -> None:
    with made() as jobs:
        held, gone = Held(), threading.Event()
        running = jobs.add("scan", "runs", held)
        assert held.begun.wait(20)
        cleanup = contextlib.ExitStack()
        cleanup.callback(gone.set)
        waiting = jobs.add("check", "waits", lambda _: document(), cleanup)
        assert jobs.cancel(waiting.id).status == "cancelled"
        assert gone.is_set()
        jobs.cancel(running.id)
        assert over(jobs, running.id).status == "cancelled"
        assert {state.status for state in jobs.states()} == {"cancelled"}
        jobs.cancel(running.id)
        with pytest.raises(NotFoundError):
            jobs.state(running.id)


def test_results_are_let_go_of_when_they_are_old_or_many() -> None:
    now = [1_000_000.0]
    with made(elapsed=lambda: now[0]) as jobs:
        states = [over(jobs, jobs.add("scan", str(at), lambda _: document()).id) for at in range(MAX_KEPT + 3)]
        assert [state.subject for state in jobs.states()] == [state.subject for state in reversed(states[3:])]
        now[0] += MAX_AGE + 1
        assert jobs.states() == []


def test_no_result_is_lost_when_the_clock_is_set() -> None:
    now = [1_000_000.0]
    with made(lambda: now[0]) as jobs:
        for moment in (1_000_000.0, 9_000_000.0, 1.0):
            now[0] = moment
            over(jobs, jobs.add("scan", str(moment), lambda _: document()).id)
        assert [state.subject for state in jobs.states()] == ["1.0", "9000000.0", "1000000.0"]


@pytest.mark.parametrize(
    ("error", "kind"),
    [(InputError("bad\x1b[31m", where="x"), "input"), (OSError(28, "full"), "resource"), (KeyError("secret"), "fault")],
)
def test_a_failed_job_says_why_and_the_next_one_runs(error: Exception, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    def fails(_: Listener) -> Document:
        raise error

    with made() as jobs:
        state = over(jobs, jobs.add("scan", "x", fails).id)
        assert state.status == "failed"
        assert state.error is not None
        assert state.error.kind == kind
        assert "secret" not in state.error.message
        assert ("secret" in caplog.text) == (kind == "fault")
        assert "\x1b" not in state.error.message
        assert over(jobs, jobs.add("scan", "y", lambda _: document()).id).status == "done"


def test_closing_stops_what_runs_and_takes_no_more() -> None:
    with made() as jobs:
        held, gone = Held(), threading.Event()
        cleanup = contextlib.ExitStack()
        cleanup.callback(gone.set)
        jobs.add("scan", "x", held, cleanup)
        assert held.begun.wait(20)
        jobs.close()
        assert gone.is_set()
        with pytest.raises(ResourceError):
            jobs.add("scan", "y", lambda _: document())


def test_the_queue_over_http(client: TestClient) -> None:
    assert client.get(f"{API}/jobs").json() == []
    answer = client.post(f"{API}/jobs/upload", content=sent(), headers=RAW).json()
    job: dict[str, Any] = finished(client, answer)
    assert [each["id"] for each in client.get(f"{API}/jobs").json()] == [job["id"]]
    assert client.delete(f"{API}/jobs/{job['id']}").status_code == 200
    assert client.get(f"{API}/jobs/{job['id']}").status_code == 404


def test_a_fingerprint_under_a_root(client: TestClient, tmp_path: Path) -> None:
    from support.known import known

    write_fingerprint(tmp_path / "root" / "one.tgfp", known(1))
    job = finished(client, client.post(f"{API}/jobs", json={"path": "one.tgfp"}).json())
    assert job["status"] == "done"
    assert (
        json.loads(client.get(f"{API}/reports/{job['id']}/json").text)["result"]["relatives"][0]["entry"]["name"]
        == "org/parent"
    )
