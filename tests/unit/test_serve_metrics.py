"""`/metrics` of a server: who may read it, what it counts, and that no request adds to its labels."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from support.commands import CommandLine
from support.log_lines import lines
from support.metrics import Series, parsed, value
from support.served import API, EVIL, RAW, TOKEN, Client, finished, registry, sent, served
from support.serving import serving

METRICS_TOKEN = "a-token-for-the-metrics-0123456789"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return registry(tmp_path_factory.mktemp("served") / "known")


@pytest.fixture
def client(folder: Path) -> Iterator[Client]:
    with served(folder, metrics_token=METRICS_TOKEN) as found:
        yield found


def scraped(client: httpx.Client) -> Series:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return parsed(answer.text)


def test_it_takes_a_token_and_the_one_for_it_opens_nothing_else(client: Client) -> None:
    def status(path: str, token: str) -> int:
        return client.get(path, headers={"authorization": f"Bearer {token}"} if token else {"authorization": ""}).status_code

    assert [status("/metrics", token) for token in ("", "wrong", METRICS_TOKEN, TOKEN)] == [401, 401, 200, 200]
    for path in (f"{API}/about", f"{API}/jobs", f"{API}/entries", "/metrics/", "/Metrics"):
        assert status(path, METRICS_TOKEN) == 401, path
    assert client.post("/metrics", headers={"authorization": f"Bearer {METRICS_TOKEN}"}).status_code == 405
    assert client.get("/metrics", headers={"origin": "https://evil.example"}).status_code == 403
    assert client.get("/metrics", headers={"host": "evil.example"}).status_code == 421


def test_without_a_second_token_only_the_first_opens_it(folder: Path) -> None:
    with served(folder) as client:
        assert client.get("/metrics", headers={"authorization": "Bearer "}).status_code == 401
        assert client.get("/metrics").status_code == 200


def test_requests_jobs_answers_and_the_registry_are_counted(client: Client) -> None:
    for _ in range(3):
        assert client.get(f"{API}/entry", params={"name": EVIL}).status_code == 200
    done = finished(client, client.post(f"{API}/jobs/upload", content=sent(), headers=RAW).json())
    client.post(f"{API}/jobs/upload", content=b"x", headers=RAW)
    client.get(f"{API}/health", headers={"authorization": ""})
    found = scraped(client)
    assert value(found, "tensorguard_http_requests_total", method="GET", route="/entry", status="200") == 3
    assert value(found, "tensorguard_http_requests_total", method="POST", route="/jobs/upload", status="422") == 1
    assert value(found, "tensorguard_http_requests_total", method="GET", route="/health", status="200") == 1
    assert value(found, "tensorguard_http_request_seconds_bucket", method="GET", route="/entry", le="+Inf") == 3
    assert value(found, "tensorguard_http_requests_in_flight") == 1  # this one
    assert value(found, "tensorguard_jobs_total", kind="scan", status="done") == 1
    assert value(found, "tensorguard_jobs_total", kind="check", status="failed") == 0
    assert value(found, "tensorguard_job_seconds_count", kind="scan") == 1
    assert value(found, "tensorguard_answers_total", kind="scan", answer=done["word"]) == 1
    assert value(found, "tensorguard_jobs_now", status="done") == 1
    assert value(found, "tensorguard_registry_entries") == 4
    assert value(found, "tensorguard_registry_file_bytes", file="database") > 4096
    assert value(found, "tensorguard_process_open_fds") > 3
    assert EVIL not in client.get("/metrics").text


def test_no_request_adds_to_the_labels(client: Client) -> None:
    def ask(number: int) -> None:
        evil = f'{secrets.token_hex(4)}%22%0a{{}}"\\{number}'
        for path in (
            f"/{evil}",
            f"{API}/jobs/{evil}",
            f"{API}/reports/{evil}/{evil}",
            f"/static/{evil}",
            f"{API}/entry?name={evil}",
        ):
            client.get(path)
            client.request("M" + secrets.token_hex(3).upper(), path)
            client.get(path, headers={"authorization": ""})

    for number in range(4):
        ask(number)
    scraped(client)
    before = set(scraped(client))
    for number in range(4, 16):
        ask(number)
    after = set(scraped(client))
    assert {name for name, _ in after} == {name for name, _ in before}
    assert after == before
    assert len(after) < 400


def test_a_real_server_logs_and_is_scraped_and_shows_no_token(cli: CommandLine, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "metrics").write_text(METRICS_TOKEN)
    log = tmp_path / "log"
    tokens = ("--token-file", tmp_path / "token", "--metrics-token-file", tmp_path / "metrics")
    with serving(folder, *tokens, "--log-file", log) as server:
        with httpx.Client(base_url=server.origin, headers={"authorization": f"Bearer {METRICS_TOKEN}"}) as client:
            assert value(scraped(client), "tensorguard_registry_entries") == 4
            client.get(f"/{TOKEN}", headers={"authorization": f"Bearer {TOKEN}"})
            client.post(
                f"{API}/jobs/upload",
                content=sent(name=f"x\n{METRICS_TOKEN}"),
                headers={"authorization": f"Bearer {TOKEN}"} | RAW,
            )
        assert server.stopped()[0] == 143
    found = lines(log.read_text())
    assert [line["event"] for line in found][:3] == ["command-started", "serving", "request"]
    assert {line["route"] for line in found if line["event"] == "request"} == {"/metrics", "other", "/jobs/upload"}
    assert (found[-1]["event"], found[-1]["code"]) == ("command-ended", 143)
    assert TOKEN not in log.read_text()
    assert METRICS_TOKEN not in log.read_text()
    refused = cli("serve", "--registry", folder, "--log", "json")
    assert refused.code == 2
    assert "--token-file" in lines(refused.err)[-1]["hint"]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(capsys)
