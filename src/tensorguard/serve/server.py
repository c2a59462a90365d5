"""The server itself, by uvicorn: one process, one socket, gone with Ctrl-C or SIGTERM."""

import logging
import socket
from collections.abc import Callable
from dataclasses import replace

import uvicorn

from tensorguard.engines.memory import share_arenas
from tensorguard.errors import ResourceError
from tensorguard.serve.app import application
from tensorguard.serve.connections import Connection
from tensorguard.serve.options import LOOPBACK, Options, is_everywhere
from tensorguard.serve.service import Service

_CONNECTIONS = 64
_HEADERS = 16_384
"""Longest headers of a request, in bytes."""
_IDLE, _GRACE = 10, 3
"""Seconds that a quiet connection is kept, and that answers under way get at the end."""


def serve(options: Options, announce: Callable[[str], None]) -> None:
    """Serve until a signal comes; the signal is then dealt with as it would have been without a server.

    Args:
        options: How; with port 0 a free one is taken.
        announce: Gets the address of the page, which holds the token, when it can be opened.

    Raises:
        NotFoundError: There is no registry, or a root is no folder.
        InputError: The registry is something else.
        ResourceError: The port is taken, or the address is not of this machine.
    """
    share_arenas()
    with _bound(options.host, options.port) as listening:
        options = replace(options, port=int(listening.getsockname()[1]))
        service = Service.open(options)
        try:
            announce(address(options))
            _server(service).run(sockets=[listening])
        finally:
            service.close()


def address(options: Options) -> str:
    """Return where the page is; what stands behind # is never sent over the network."""
    host = LOOPBACK[0] if is_everywhere(options.host) else options.host
    return f"http://{f'[{host}]' if ':' in host else host}:{options.port}/#token={options.token}"


def _server(service: Service) -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(
            application(service),
            http=Connection,  # bounds the headers, in length and in time
            ws="none",
            lifespan="off",
            log_config=None,
            log_level=None if logging.getLogger().hasHandlers() else "error",  # nonsense from outside is for a log alone
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=_CONNECTIONS,
            h11_max_incomplete_event_size=_HEADERS,
            timeout_keep_alive=_IDLE,
            timeout_graceful_shutdown=_GRACE,
        )
    )


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_CONNECTIONS)
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ResourceError(f"cannot listen on {host}, port {port}: {reason}", hint="choose another: --port PORT") from error
