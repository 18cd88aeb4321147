"""A gateway for trials and rehearsals: takes reports, and answers on a device's socket what
fleetdash's own gateway would.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Event, Request, TextMessage

from devices.qemu.confinement import listen_in_namespace

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
_REFUSAL = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_REQUEST_BYTES = 8192
_TURN_S = 0.2
_SOCKET_S = 30.0


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
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(_SOCKET_S)
            request = connection.recv(_REQUEST_BYTES)
            words = request.split(b" ", 2)
            if words[0] == b"GET":
                _converse(connection, request)
            elif words[0] == b"POST" and len(words) == 3:
                connection.sendall(_ANSWER)
                with self._changed:
                    self._reported.add(words[1].rpartition(b"/")[2].decode(errors="replace"))
                    self._changed.notify_all()
            else:
                connection.sendall(_REFUSAL)


def _converse(connection: socket.socket, request: bytes) -> None:
    """A device's socket, until the device has had enough of it."""
    speaker = WSConnection(ConnectionType.SERVER)
    heard = request
    while heard:
        speaker.receive_data(heard)
        for event in speaker.events():
            for answer in _answers(event):
                connection.sendall(speaker.send(answer))
            if isinstance(event, CloseConnection):
                return
        heard = connection.recv(_REQUEST_BYTES)


def _answers(event: Event) -> list[Event]:
    """What a gateway says to this (docs/protocol.md): joined, alive, and how do you feel?"""
    if isinstance(event, Request):
        return [AcceptConnection()]
    if isinstance(event, CloseConnection):
        return [event.response()]
    if not isinstance(event, TextMessage):
        return []
    join_ref, ref, topic, name, _ = json.loads(event.data)
    if name not in ("phx_join", "heartbeat"):
        return []
    response = ["health"] if topic == "extensions" else {}
    answers = [[join_ref, ref, topic, "phx_reply", {"status": "ok", "response": response}]]
    if topic == "device":
        answers.append([join_ref, None, topic, "extensions:get", {}])
    return [TextMessage(json.dumps(answer)) for answer in answers]


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
