"""Listeners that stand for what a guest might reach, and a guest that tries them."""

from __future__ import annotations

import re
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from devices.qemu.launch import Confinement, Launch, StartedGuest
from devices.qemu.spawn import spawn
from devices.qemu.unix_socket import connect

_TRIED = re.compile(r"tried (\S+): (.*)")


class Listener:
    """Answers each connection with its name and keeps count of them."""

    def __init__(self, name: str, listening: socket.socket) -> None:
        self.name = name
        self.connections = 0
        self.port: int = listening.getsockname()[1]
        self._listening = listening
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            with connection:
                self.connections += 1
                connection.sendall(f"this is {self.name}\n".encode())

    def close(self) -> None:
        """Stop listening."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(5)


def listener(name: str, address: str = "127.0.0.1") -> Listener:
    """A listener on this host, at a port that is free."""
    return Listener(name, socket.create_server((address, 0)))


def own_address() -> str | None:
    """An address of this host that is not its loopback; None when it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # a datagram socket: nothing is sent
        except OSError:
            return None
        address: str = probe.getsockname()[0]
    return None if address.startswith("127.") else address


@contextmanager
def running(launch: Launch, confinement: Confinement) -> Iterator[StartedGuest]:
    """The guest while the block lasts."""
    guest = spawn(launch, confinement)
    try:
        yield guest
    finally:
        guest.identity.end(10.0)


def answers(launch: Launch, *, deadline_s: float = 90.0) -> dict[str, str]:
    """What the guest says of each address it tried, once it has tried them all."""
    heard = b""
    until = time.monotonic() + deadline_s
    with connect(launch.folder.console_socket) as console:
        while b"all tried" not in heard:
            left_s = until - time.monotonic()
            assert left_s > 0, heard.decode(errors="replace")[-1000:]
            if select.select([console], [], [], left_s)[0]:
                chunk = console.recv(4096)
                assert chunk, heard.decode(errors="replace")[-1000:]
                heard += chunk
    return dict(_TRIED.findall(heard.decode(errors="replace").replace("\r", "")))


