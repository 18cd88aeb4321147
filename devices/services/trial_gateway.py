"""A gateway for one trial device: takes its report and nothing else."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from devices.qemu.confinement import listen_in_namespace

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
_REFUSAL = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_REQUEST_BYTES = 8192
_TURN_S = 0.2


class TrialGateway:
    """Answers `POST /api/status/<serial>` with 200 and remembers who asked."""

    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening
        self._reported: set[str] = set()
        self._changed = threading.Condition()
        self._stopped = threading.Event()
        listening.settimeout(_TURN_S)
        self._thread = threading.Thread(target=self._run, name="trial-gateway", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listening.getsockname()[1])

    def wait_for(self, serial: str, deadline_s: float) -> bool:
        """Whether this device reported within the deadline."""
        until = time.monotonic() + deadline_s
        with self._changed:
            return self._changed.wait_for(
                lambda: serial in self._reported, until - time.monotonic()
            )

    def stop(self) -> None:
        """Take no more reports."""
        self._stopped.set()
        self._thread.join()
        self._listening.close()

    def _run(self) -> None:
        while not self._stopped.is_set():
            with contextlib.suppress(OSError):
                connection, _ = self._listening.accept()
                with connection:
                    connection.settimeout(_TURN_S * 5)
                    self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        words = connection.recv(_REQUEST_BYTES).split(b" ", 2)
        if words[0] != b"POST" or len(words) < 2:
            connection.sendall(_REFUSAL)
            return
        connection.sendall(_ANSWER)
        with self._changed:
            self._reported.add(words[1].rpartition(b"/")[2].decode(errors="replace"))
            self._changed.notify_all()


@contextlib.contextmanager
def listening(namespace: Path | None) -> Iterator[TrialGateway]:
    """A trial gateway on a free port of the loopback that guests see."""
    if namespace is None:
        opened = socket.create_server(("127.0.0.1", 0))
    else:
        opened = listen_in_namespace(namespace, "127.0.0.1", 0)
    gateway = TrialGateway(opened)
    try:
        yield gateway
    finally:
        gateway.stop()
