"""The listening sockets that are opened before a process gives up root."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

from django.conf import settings

from devices.qemu import confinement
from fleetdash.deploy import installation
from fleetdash.deploy.errors import DeployError
from fleetdash.deploy.processes import Listening, Process

BACKLOG = 4096
# where a guest's user network finds the gateway: 10.0.2.2 is qemu's name for its own loopback
GUESTS_HOST = "127.0.0.1"
GUESTS_PORT = 4000


def addresses() -> dict[str, tuple[str, int, str]]:
    """Host, port and the setting that changes the port, for each socket of this machine's own."""
    return {
        "web": (settings.BIND, settings.PORT, "FLEETDASH_PORT"),
        "gateway": (settings.GATEWAY_BIND, settings.GATEWAY_PORT, "FLEETDASH_GATEWAY_PORT"),
    }


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket; raises OSError, for what can be no address too."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((host, port))
        opened.listen(BACKLOG)
    except UnicodeError:
        opened.close()
        raise OSError(errno.EADDRNOTAVAIL, "that is no address") from None
    except OSError:
        opened.close()
        raise
    return opened


def can_listen(host: str) -> bool:
    """Whether this machine has that address: a port of it can be opened."""
    try:
        listen(host, 0).close()
    except OSError:
        return False
    return True


def refusal(host: str, port: int, setting: str, error: OSError) -> str:
    """A sentence for what `listen` raised, other than a port that is taken."""
    named = setting if error.errno == errno.EACCES else setting.replace("_PORT", "_BIND")
    return f"Port {port} on {host} cannot be opened: {error.strerror}. See {named}."


def open_for(process: Process) -> dict[str, socket.socket]:
    """All sockets a process listens on, inheritable; raises DeployError for a taken port.

    The guests' own is left out where they have no namespace of their own.
    """
    opened: dict[str, socket.socket] = {}
    for name in process.listens:
        if name == "guests":
            namespace = os.environ.get(installation.NAMESPACE_VARIABLE)
            if namespace:
                opened[name] = confinement.listen_in_namespace(
                    Path(namespace), GUESTS_HOST, GUESTS_PORT
                )
        else:
            opened[name] = _open(name)
    for each in opened.values():
        each.set_inheritable(True)
    return opened


def _open(name: Listening) -> socket.socket:
    host, port, setting = addresses()[name]
    try:
        return listen(host, port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise DeployError(
                f"Port {port} on {host} is taken by another program; end it, or choose another "
                f"port with {setting}."
            ) from None
        raise DeployError(refusal(host, port, setting, error)) from None
