"""How a server is set up."""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PORT = 8765
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
"""The names of this machine for itself, as they stand in a Host header."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a server is set up.

    Attributes:
        registry: Folder of the registry, or its address in object storage.
        token: Who has it may use the server.
        port: Port that it listens on.
        host: Address that it listens on.
        names: Further hosts, with their port where they have one, under which browsers may reach it: those of a reverse proxy.
        roots: Folders under which models may be read.
        device: What models are fingerprinted on.
        metrics_token: Who has it may read the metrics, and nothing else; nobody if it is empty.
    """

    registry: Path | str
    token: str
    port: int = PORT
    host: str = LOOPBACK[0]
    names: tuple[str, ...] = ()
    roots: tuple[Path, ...] = ()
    device: str = "cpu"
    metrics_token: str = ""

    def hosts(self) -> frozenset[str]:
        """Return every Host header that is answered: nobody's domain name leads here unless it was named."""
        return frozenset(host.lower() for host in (*self._own(), *self.names))

    def _own(self) -> Iterator[str]:
        bound = () if is_everywhere(self.host) else (f"[{self.host}]" if ":" in self.host else self.host,)
        for host in (*LOOPBACK, *bound):
            yield f"{host}:{self.port}"
            if self.port == 80:
                yield host


def is_loopback(host: str) -> bool:
    """Say whether nobody but this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_everywhere(host: str) -> bool:
    """Say whether an address means all of this machine's addresses, and is no name for any."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False
