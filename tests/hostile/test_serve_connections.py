"""Connections that take a place and say nothing, or never end what they say: they are let go of, and others are served."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.served import TOKEN, registry
from tensorguard.serve import connections
from tensorguard.serve.options import Options
from tensorguard.serve.server import _server
from tensorguard.serve.service import Service

SECONDS = 0.5


@pytest.fixture
def port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(connections, "HEAD_SECONDS", SECONDS)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        number = int(listening.getsockname()[1])
        service = Service.open(Options(registry(tmp_path / "known"), TOKEN, number))
        server = _server(service)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        yield number
        server.should_exit = True
        thread.join(20)
        service.close()


def get(line: socket.socket, port: int) -> bytes:
    line.sendall(f"GET /api/v1/health HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
    told = b""
    while not told.endswith(b'{"status":"ok"}') and (more := line.recv(4096)):
        told += more
    return told


def is_over(line: socket.socket) -> bool:
    try:
        return line.recv(100) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nHost: 127"])
def test_who_never_asks_gives_the_place_back(port: int, said: bytes) -> None:
    lines = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(80)]  # more than there are places
    for line in lines:
        line.sendall(said)
    started = time.monotonic()
    assert all(is_over(line) for line in lines)
    assert time.monotonic() - started >= SECONDS / 2
    for line in lines:
        line.close()
    with socket.create_connection(("127.0.0.1", port), timeout=20) as line:
        assert get(line, port).startswith(b"HTTP/1.1 200")


def test_one_byte_after_the_other_does_not_help(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as line:
        line.settimeout(0.05)
        started, over = time.monotonic(), False
        while not over and time.monotonic() - started < 20:
            try:
                line.sendall(b"G")
                over = line.recv(10) == b""
            except TimeoutError:
                continue
            except (BrokenPipeError, ConnectionResetError):
                over = True
        assert over


def test_who_asks_is_served_again_and_again_on_one_connection(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as line:
        for _ in range(3):
            assert get(line, port).startswith(b"HTTP/1.1 200")
            time.sleep(SECONDS * 1.2)  # between requests uvicorn waits for longer
