"""Whether the ports are free, and who has them when they are not."""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Collection

import psutil
from django.conf import settings

from fleetdash.deploy.errors import DeployError
from fleetdash.deploy.sockets import addresses, listen, refusal


def check(*, ours: Collection[int]) -> None:
    """Make sure that web and gateway can be opened; raises DeployError for all that cannot.

    A port held by one of our own processes (`ours`: their numbers), left by a supervisor that was
    killed, counts as free: its successor takes it over.
    """
    wanted = addresses()
    (_, web, _), (_, gateway, _) = wanted["web"], wanted["gateway"]
    if web == gateway:
        raise DeployError(
            f"FLEETDASH_PORT and FLEETDASH_GATEWAY_PORT are both {web}; they must differ."
        )
    sentences = [
        sentence
        for host, port, setting in wanted.values()
        if (sentence := _trouble(host, port, setting, ours))
    ]
    if sentences:
        raise DeployError("\n".join(sentences))


def check_loopback() -> None:
    """Make sure that the gateway hears devices which have no network of their own.

    Their qemu calls 127.0.0.1. Raises DeployError.
    """
    bind = settings.GATEWAY_BIND
    try:
        address = ipaddress.ip_address(bind)
    except ValueError:
        address = ipaddress.ip_address(socket.gethostbyname(bind))
    if not (address.is_unspecified or address == ipaddress.IPv4Address("127.0.0.1")):
        raise DeployError(
            "Devices without a network of their own, which bin/up as root gives them, call this "
            "machine at 127.0.0.1: set FLEETDASH_GATEWAY_BIND=127.0.0.1, or 0.0.0.0, not "
            f"{bind}."
        )


def _trouble(host: str, port: int, setting: str, ours: Collection[int]) -> str:
    try:
        listen(host, port).close()
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            return refusal(host, port, setting, error)
        holder = _holder(port)
        if holder is not None and holder.pid in ours:
            return ""
        return (
            f"Port {port} on {host} is taken by {_called(holder)}; end it, or choose another "
            f"port with {setting}=<port>."
        )
    return ""


def _holder(port: int) -> psutil.Process | None:
    try:
        for each in psutil.net_connections("tcp"):
            local = each.laddr
            if each.status == psutil.CONN_LISTEN and local and local.port == port and each.pid:
                return psutil.Process(each.pid)
    except psutil.Error:
        return None
    return None


def _called(holder: psutil.Process | None) -> str:
    if holder is None:
        return "another program"
    try:
        return f"{holder.name()} (process {holder.pid})"
    except psutil.Error:
        return f"process {holder.pid}"
