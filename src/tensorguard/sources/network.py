"""Connections to servers: which addresses may be reached, told when the connection is made.

A host's name is resolved once, what it resolved to is checked, and that address is connected to, so that a name that changes its mind
(DNS rebinding) gains nothing. TLS still proves the host's name.
"""

import functools
import ipaddress
import os
import socket
import ssl
import urllib.request
from collections.abc import Iterable
from typing import Any, NamedTuple, NoReturn
from urllib.parse import SplitResult, urlsplit

import certifi
import httpcore

from tensorguard.errors import InputError, NotFoundError, quote

ALLOW_PRIVATE = "TENSORGUARD_ALLOW_PRIVATE"
"""The environment's variable that, set to 1, lets redirects lead to private addresses: a mirror with a store of its own."""

_PORTS = {"https": 443, "http": 80}
_CONNECTIONS = 64
_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")
"""Addresses that stand for one of IPv4 (RFC 6052)."""


class Origin(NamedTuple):
    """Whom a URL names: the scope of a token and of a user's trust."""

    scheme: str
    host: str
    port: int


def origin(url: str) -> Origin:
    """Return a URL's origin.

    Raises:
        InputError: It is no URL of https or http, or one with a name and password in it.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        _no_url(url)
    if (
        parts.scheme not in _PORTS
        or not parts.hostname
        or parts.username is not None
        or not url.isascii()
        or not url.isprintable()
    ):
        _no_url(url)
    return Origin(parts.scheme, parts.hostname, port or _PORTS[parts.scheme])


def shown(url: str) -> str:
    """Return a URL without its query, which may be a signature."""
    parts: SplitResult = urlsplit(url)
    return parts._replace(query="", fragment="").geturl()


def pool(target: Origin, given: Origin) -> httpcore.ConnectionPool:
    """Return this process's connections for reaching a server.

    Args:
        target: Where to.
        given: What the user named; its address may be a private one, and it alone may be spoken to without TLS, on this machine.
    """
    private = target == given or os.environ.get(ALLOW_PRIVATE) == "1"
    return _pool(target.scheme == "https", private, _proxy(target), os.getpid())


@functools.lru_cache(maxsize=16)
def _pool(secure: bool, private: bool, proxy: str, _process: int) -> httpcore.ConnectionPool:
    backend = _Checked(secure, private, through_proxy=bool(proxy))
    return httpcore.ConnectionPool(
        ssl_context=_trusted_certificates(),
        proxy=_proxy_of(proxy) if proxy else None,
        max_connections=_CONNECTIONS,
        keepalive_expiry=30.0,
        network_backend=backend,
    )


class _Checked(httpcore.NetworkBackend):
    """Resolves, checks, connects."""

    def __init__(self, secure: bool, private: bool, *, through_proxy: bool) -> None:
        self._secure, self._private, self._through_proxy = secure, private, through_proxy
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first of a host's addresses that answers; all of them have to be allowed."""
        addresses = _addresses(host, port)
        for address in addresses:
            if not self._through_proxy:  # a proxy is the environment's choice, and resolves names itself
                self._require_allowed(ipaddress.ip_address(address), host)
        for address in addresses[:-1]:
            try:
                return self._plain.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return self._plain.connect_tcp(addresses[-1], port, timeout, local_address, socket_options)

    def _require_allowed(self, address: ipaddress.IPv4Address | ipaddress.IPv6Address, host: str) -> None:
        if isinstance(address, ipaddress.IPv6Address):
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if address in _TRANSLATED else None
            address = address.ipv4_mapped or address.sixtofour or inner or address
        if not self._secure and not (self._private and address.is_loopback):
            raise InputError("plain http is spoken to this machine alone", where=host, hint="give an https address")
        if not self._private and not (address.is_global and not address.is_multicast):
            raise InputError(
                f"leads to the private address {address}", where=host, hint=f"if that is meant, set {ALLOW_PRIVATE}=1"
            )


def _addresses(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NotFoundError("this host cannot be found", where=host, hint="check the name and the network") from error
    return list(dict.fromkeys(str(each[4][0]).partition("%")[0] for each in found))


def _proxy(target: Origin) -> str:
    """Return the proxy that the environment names for a server, or an empty text."""
    return "" if urllib.request.proxy_bypass(target.host) else urllib.request.getproxies().get(target.scheme, "")


def _proxy_of(url: str) -> httpcore.Proxy:
    parts = urlsplit(url if "://" in url else f"http://{url}")
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    address = f"{parts.scheme}://{host}:{parts.port or _PORTS.get(parts.scheme, 80)}"
    return httpcore.Proxy(address, auth=(parts.username, parts.password or "") if parts.username else None)


@functools.cache
def _trusted_certificates() -> ssl.SSLContext:
    """The system's certificates or those of SSL_CERT_FILE, and the ones that come with Python's tools."""
    context = ssl.create_default_context()
    if not os.environ.get("SSL_CERT_FILE"):
        context.load_verify_locations(certifi.where())
    return context


def _no_url(url: str) -> NoReturn:
    raise InputError("no address of a file that can be read", where=quote(shown_safely(url)), hint="give https://HOST/PATH")


def shown_safely(url: str) -> str:
    """Return a malformed URL up to where secrets may begin."""
    return url.partition("?")[0].rpartition("@")[2]
