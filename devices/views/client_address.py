"""From which address a request was sent."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """The client's address; empty where it has none, as on a Unix socket.

    Where a proxy with TLS is set up, and this machine's loopback asks, it is the last entry of
    `X-Forwarded-For`: the one that the proxy itself wrote, whatever it was sent. Anybody else's
    header is not believed, and without that header it is the peer's address.
    """
    peer = _parsed(request.META.get("REMOTE_ADDR", ""))
    if peer is None:
        return ""
    if settings.SECURE_PROXY_SSL_HEADER and peer.is_loopback:
        said = request.META.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2]
        return str(_parsed(said) or peer)
    return str(peer)


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text.strip())
    except ValueError:
        return None
    # an IPv4 client of a socket that listens for both
    return getattr(address, "ipv4_mapped", None) or address
