"""A gateway in one thread, just enough to see what a guest says and to answer it."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import queue
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


@dataclass
class Seen:
    """What arrived: reports, the headers of handshakes, and messages, as they came."""

    reports: queue.Queue[tuple[str, dict[str, str], dict[str, Any]]] = field(
        default_factory=queue.Queue
    )
    handshakes: queue.Queue[dict[str, str]] = field(default_factory=queue.Queue)
    messages: queue.Queue[list[Any]] = field(default_factory=queue.Queue)
    sockets: list[socket.socket] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    def send(self, message: list[Any]) -> None:
        """Say something to the device that joined last."""
        send_frame(self.sockets[-1], json.dumps(message).encode())

    def message(self, event: str, *, topic: str = "", timeout_s: float = 20.0) -> list[Any]:
        """The next message with this event, on this topic if any; others are dropped."""
        while True:
            found = self.messages.get(timeout=timeout_s)
            if found[3] == event and topic in {"", found[2]}:
                return found


def send_frame(client: socket.socket, payload: bytes, opcode: int = 1) -> None:
    """One unmasked frame."""
    size = (
        bytes([len(payload)]) if len(payload) < 126 else b"\x7e" + struct.pack(">H", len(payload))
    )
    client.sendall(bytes([0x80 | opcode]) + size + payload)


@contextlib.contextmanager
def gateway(port: int, *, statuses: list[int] | None = None) -> Iterator[Seen]:
    """Serve on the loopback; `statuses` are the first answers to reports, then 200.

    Whoever wakes is told to open its socket at once.
    """
    seen = Seen(statuses=list(statuses or []))
    server = socket.create_server(("127.0.0.1", port))
    thread = threading.Thread(target=_accept, args=(server, seen), daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        for client in seen.sockets:
            client.close()
        thread.join(5)


def _accept(server: socket.socket, seen: Seen) -> None:
    while True:
        try:
            client, _ = server.accept()
        except OSError:
            return
        threading.Thread(target=_serve, args=(client, seen), daemon=True).start()


def _serve(client: socket.socket, seen: Seen) -> None:
    stream = client.makefile("rb")
    with contextlib.suppress(OSError, ValueError), stream:
        first = stream.readline().decode().split()
        if len(first) < 2:
            client.close()
            return
        headers = {}
        while line := stream.readline().decode().strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        if first[0] == "POST":
            body = json.loads(stream.read(int(headers["content-length"])))
            seen.reports.put((first[1], headers, body))
            status = seen.statuses.pop(0) if seen.statuses else 200
            answer = f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\nSocket-Within-Ms: 0\r\n\r\n"
            client.sendall(answer.encode())
            client.close()
            return
        key = headers["sec-websocket-key"]
        accept = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()
        client.sendall(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
        )
        seen.sockets.append(client)
        seen.handshakes.put({"path": first[1], **headers})
        while (message := _read_frame(stream)) is not None:
            _answer(client, seen, message)


def _read_frame(stream: Any) -> list[Any] | None:
    head = stream.read(2)
    if len(head) < 2 or head[0] & 15 == 8:
        return None
    size = head[1] & 127
    if size == 126:
        (size,) = struct.unpack(">H", stream.read(2))
    mask = stream.read(4)
    payload = bytes(byte ^ mask[at % 4] for at, byte in enumerate(stream.read(size)))
    found: list[Any] = json.loads(payload)
    return found


def _answer(client: socket.socket, seen: Seen, message: list[Any]) -> None:
    join_ref, ref, topic, event, _ = message
    seen.messages.put(message)
    if event in {"phx_join", "heartbeat"}:
        response: Any = ["health"] if topic == "extensions" else {}
        reply = {"status": "ok", "response": response}
        send_frame(client, json.dumps([join_ref, ref, topic, "phx_reply", reply]).encode())
        if event == "phx_join" and topic == "device":
            send_frame(client, json.dumps([join_ref, None, topic, "extensions:get", {}]).encode())
