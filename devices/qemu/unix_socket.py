"""Unix sockets below folders of any depth: an address holds 107 bytes, a path may be longer."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

_LONGEST_ADDRESS_BYTES = 107
_BACKLOG = 4


@contextlib.contextmanager
def short_address(path: Path) -> Iterator[str]:
    """An address that reaches the socket as long as the block lasts (unix(7))."""
    if len(os.fsencode(path)) <= _LONGEST_ADDRESS_BYTES:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def listen(path: Path) -> socket.socket:
    """A listening socket at a path nothing is at yet, for its owner only."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with short_address(path) as address:
            listening.bind(address)
            os.chmod(address, 0o600)
        listening.listen(_BACKLOG)
    except BaseException:
        listening.close()
        raise
    return listening


def connect(path: Path) -> socket.socket:
    """A connected, non-blocking socket; raises OSError at once when nobody listens."""
    connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        with short_address(path) as address:
            connected.connect(address)
    except BaseException:
        connected.close()
        raise
    return connected
