"""`tensorguard serve`: what it refuses, how it ends, and what it leaves behind."""

import signal
import socket
from pathlib import Path

import httpx
import pytest

from support.commands import CommandLine
from support.served import RAW, TOKEN, registry, sent
from support.serving import serving


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return registry(tmp_path_factory.mktemp("served") / "known")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_it_with_its_code_and_nothing_stays(
    folder: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    (tmp_path / "token").write_text(TOKEN)
    with serving(folder, "--token-file", tmp_path / "token", TMPDIR=str(tmp_path)) as server:
        assert server.token == TOKEN
        headers = {"authorization": f"Bearer {TOKEN}"}
        for _ in range(3):
            answer = httpx.post(f"{server.origin}/api/v1/jobs/upload", content=sent(), headers=headers | RAW)
            assert answer.status_code == 202
        assert "server" not in answer.headers
        ended, rest = server.stopped(number)
    assert (ended, rest) == (code, "")
    assert [path.name for path in tmp_path.iterdir()] == ["token"]


def test_nonsense_fills_no_terminal(folder: Path) -> None:
    with serving(folder) as server:
        port = int(server.origin.rpartition(":")[2])
        for raw in (b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nHost: evil\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
                connection.sendall(raw)
                assert connection.recv(100).startswith(b"HTTP/1.1 4")
        assert server.stopped() == (143, "")


def test_headers_that_never_end_are_refused(folder: Path) -> None:
    with serving(folder) as server:
        port = int(server.origin.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\n" + b"x: " + b"y" * 100_000)
            assert connection.recv(100).startswith(b"HTTP/1.1 400")


def test_what_it_refuses(cli: CommandLine, folder: Path, tmp_path: Path) -> None:
    refused = cli("serve", "--registry", folder, "--host", "0.0.0.0")
    assert refused.code == 2
    assert "--expose" in refused.err
    assert cli("serve", "--registry", tmp_path / "none").code == 4
    assert cli("serve", "--registry", folder, "--port", "0", "--root", tmp_path / "none").code == 4
    assert cli("serve", "--registry", folder, "--token-file", tmp_path / "none").code == 4
    with socket.create_server(("127.0.0.1", 0)) as taken:
        answer = cli("serve", "--registry", folder, "--port", taken.getsockname()[1])
    assert answer.code == 6
    assert "--port" in answer.err


def test_without_its_libraries_it_says_how_to_get_them(cli: CommandLine, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tensorguard.cli.serve.find_spec", lambda name: None)
    answer = cli("serve", "--registry", folder)
    assert answer.code == 6
    assert "tensorguard-llm[serve]" in answer.err
