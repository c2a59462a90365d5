"""One client: it asks at random, keeps its connection as browsers do, waits when it is told to, and judges every answer."""

import http.client
import json
import random
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from multiprocessing.synchronize import Event as Stop
from typing import Any

from benchmarks.storm.answers import API, RAW, Answers, Question

MIX: Mapping[str, float] = {
    "search": 25, "page": 20, "words": 17, "entry": 13, "family": 6, "about": 4, "wrong": 9, "scan": 3, "rude": 3,
}  # fmt: skip
"""How often each is asked, of 100."""
_FORMS = ("html", "json", "table", "sarif", "cyclonedx", "spdx", "card")
_PATIENCE = 600.0
_LONGEST_WAIT = 3.0
_KEPT = 5


@dataclass
class Told:
    """What one client saw: seconds by route, answers that say to wait by route, and what was wrong."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    wrongs: int = 0
    broken: int = 0

    def note(self, what: str) -> None:
        self.wrongs += 1
        if len(self.wrong) < _KEPT:
            self.wrong.append(what[:500])


class Client:
    """One client."""

    def __init__(self, port: int, token: str, answers: Answers, seed: int) -> None:
        self.port, self.token, self.answers, self.rng = port, token, answers, random.Random(seed)
        self.told = Told()
        self.line = self._connect()

    def run(self, stop: Stop, most: int) -> Told:
        """Ask until told to stop."""
        kinds, weights = list(MIX), list(MIX.values())
        for _ in range(most):
            if stop.is_set():
                break
            kind = self.rng.choices(kinds, weights)[0]
            if kind == "scan":
                self._scan(stop)
            elif kind == "rude":
                self._rude()
            else:
                self.ask(self.rng.choice(self.answers.questions[kind]))
        self.line.close()
        return self.told

    def ask(self, question: Question) -> bytes | None:
        """Ask one question; returns the body if it is what it should be."""
        headers = {"Authorization": f"Bearer {self.token}", **question.headers}
        started = time.perf_counter()
        answer, body = self._sent(question, headers)
        if answer is None:
            return None
        self.told.seconds.setdefault(question.route, []).append(time.perf_counter() - started)
        if answer.status == 429:
            self.told.refused[question.route] = self.told.refused.get(question.route, 0) + 1
            time.sleep(min(float(answer.headers.get("retry-after", 1)), _LONGEST_WAIT) * self.rng.random())
            return None
        if answer.status != question.status:
            self.told.note(
                f"{question.method} {question.path[:120]}: status {answer.status} for {question.status}: {body[:200]!r}"
            )
            return None
        found = question.judge(body)
        if found:
            self.told.note(f"{question.method} {question.path[:120]}: {found}")
            return None
        return body

    def _sent(self, question: Question, headers: Mapping[str, str]) -> tuple[http.client.HTTPResponse | None, bytes]:
        """Send a question; once more on a new connection if the server had let go of the old one, as it may."""
        for attempt in (0, 1):
            try:
                self.line.request(question.method, question.path, question.body or None, dict(headers))
                answer = self.line.getresponse()
                return answer, answer.read()
            except (OSError, http.client.HTTPException) as error:
                self.line.close()
                self.line = self._connect()
                if attempt or question.route == "wrong":  # what is refused early may be cut off while it is being sent
                    if question.route == "wrong":
                        self.told.broken += 1
                    else:
                        self.told.note(f"{question.method} {question.path[:120]}: {error!r}")
                    return None, b""
        raise AssertionError

    def _scan(self, stop: Stop) -> None:
        """Send a fingerprint, wait for its job, and fetch the report in every form."""
        path, expected = self.rng.choice(self.answers.scans)
        upload = Question("upload", "POST", f"{API}/jobs/upload?kind=scan&filename={path.name}", 202, path.read_bytes(), RAW)
        body = self.ask(upload)
        if body is None:
            return
        job, began = json.loads(body), time.monotonic()
        while job["status"] in ("queued", "running"):
            if stop.is_set():
                return
            if time.monotonic() - began > _PATIENCE:
                self.told.note(f"job {job['status']} for {_PATIENCE} s")
                return
            time.sleep(0.3)
            body = self.ask(Question("job", "GET", f"{API}/jobs/{job['id']}"))
            if body is None:
                return
            job = json.loads(body)
        if job["status"] != "done":
            self.told.note(f"job {job}")
            return
        for form in self.rng.sample(_FORMS, 3):
            report = Question("report", "GET", f"{API}/reports/{job['id']}/{form}")
            if form == "json":
                report = replace(report, judge=lambda body: _differs(json.loads(body)["result"], expected))
            self.ask(report)

    def _rude(self) -> None:
        """Break off: in the middle of a request, of a body, or of reading the answer."""
        head = f"POST {API}/search?top=50 HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nAuthorization: Bearer {self.token}\r\n"
        head += "Content-Type: application/octet-stream\r\nContent-Length: 300000\r\n\r\n"
        whole = head.replace("300000", str(len(self.answers.questions["search"][0].body))).encode()
        whole += self.answers.questions["search"][0].body
        sent = self.rng.choice(
            (head.encode()[:40], head.encode(), head.encode() + bytes(1000), whole, b"\x16\x03\x01nonsense\r\n\r\n")
        )
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=10) as line:
                line.sendall(sent)
                if self.rng.random() < 0.5:
                    time.sleep(0.05)
        except OSError:
            self.told.broken += 1

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=_PATIENCE)


def _differs(told: Any, expected: Any) -> str:
    return "" if told == expected else f"{json.dumps(told)[:200]} for {json.dumps(expected)[:200]}"
