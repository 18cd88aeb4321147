"""Many browsers' sockets in one process, with as little of its own cost as Python allows.

    python -m bench.live.clients --port P --cookie C --count N [--parts …] [--stalled]

Prints `ready` once all are connected. On its input, `count` begins to count, `tell` prints as JSON
what was seen since, `newest` prints the time of the newest sample that every client has. A stalled
client reads nothing and acknowledges nothing.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import re
import select
import socket
import struct
import time
import zlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

PARTS = "counts,capacity,hosts,operations,cores,wall"
HEADER = struct.Struct("<BBHIIdI")  # devices/live/frames.py
CORES, WALL_SNAPSHOT, WALL_DELTA = 1, 2, 3
NAMES = {CORES: "cores", WALL_DELTA: "wall"}
ACK = b"\x82\x84\0\0\0\0"  # a binary message of four bytes under a mask of zeros
PONG = b"\x8a\x80\0\0\0\0"
HTML_SEQUENCE = re.compile(rb"<!--(\d+)-->")


@dataclass
class Seen:
    """What all clients of this process saw; delays in tenths of a millisecond, by kind."""

    delays: dict[str, Counter[int]] = field(
        default_factory=lambda: {"cores": Counter(), "wall": Counter()}
    )
    frame_bytes: int = 0
    html_bytes: int = 0
    messages: int = 0
    snapshots: int = 0
    newest: float = 0.0
    closed: int = 0


def inflated(deflated: bytes, most: int) -> bytes:
    """The first bytes of a deflated message."""
    return zlib.decompressobj(-15).decompress(deflated + b"\x00\x00\xff\xff", most)


class Client:
    """One socket and the bytes of a message that has not come whole."""

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self.rest = b""
        self.newest = 0.0

    def read(self, seen: Seen) -> bool:
        """Take what has come and acknowledge it; False when the server has closed."""
        try:
            data = self.socket.recv(1 << 18)
        except BlockingIOError:
            return True
        except ConnectionError:
            return False
        if not data:
            return False
        now = time.time()
        data = self.rest + data
        at, answer = 0, b""
        while len(data) - at >= 2:
            first, length, start = data[at], data[at + 1], at + 2
            if length == 126:
                length, start = int.from_bytes(data[at + 2 : at + 4], "big"), at + 4
            elif length == 127:
                length, start = int.from_bytes(data[at + 2 : at + 10], "big"), at + 10
            if len(data) < start + length:
                break
            if first == 0x82:
                answer += ACK + self._frames(data, start, start + length, now, seen)
            elif first in (0x81, 0xC1):
                html = data[start : start + length]
                found = HTML_SEQUENCE.match(html if first == 0x81 else inflated(html, 40))
                assert found, "a text without a sequence"
                answer += ACK + int(found[1]).to_bytes(4, "little")
                seen.html_bytes += length
                seen.messages += 1
            elif first == 0x89:
                answer += PONG
            elif first == 0x88:
                return False
            at = start + length
        self.rest = data[at:]
        if answer:
            self.socket.send(answer)
        return True

    def _frames(self, data: bytes, at: int, end: int, now: float, seen: Seen) -> bytes:
        seen.messages += 1
        seen.frame_bytes += end - at
        sequence = 0
        while at < end:
            _, kind, _, _, sequence, measured, length = HEADER.unpack_from(data, at)
            if kind in NAMES:
                seen.delays[NAMES[kind]][round((now - measured) * 10_000)] += 1
            if kind == CORES:
                self.newest = measured
            seen.snapshots += kind == WALL_SNAPSHOT
            at += HEADER.size + length
        return sequence.to_bytes(4, "little")


def connect(port: int, cookie: str, parts: str) -> socket.socket:
    """A live socket, as a page opens it."""
    made = socket.create_connection(("127.0.0.1", port), timeout=30)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    key = base64.b64encode(os.urandom(16)).decode()
    made.sendall(
        f"GET /live/?parts={parts} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Origin: http://127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
        f"Cookie: {cookie}\r\n\r\n".encode()
    )
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = made.recv(1)
        if not byte:
            raise SystemExit(f"the socket was refused: {head.decode(errors='replace')}")
        head += byte
    if b" 101 " not in head.partition(b"\r\n")[0]:
        raise SystemExit(f"the socket was refused: {head.decode(errors='replace')}")
    made.setblocking(False)
    return made


def watch(clients: list[Client], stalled: bool) -> None:
    """Read, and answer what is asked on the input, until that ends."""
    seen, began = Seen(), time.monotonic()
    by_number = {client.socket.fileno(): client for client in clients}
    with select.epoll() as poll:
        poll.register(0, select.EPOLLIN)
        for number in by_number if not stalled else ():
            poll.register(number, select.EPOLLIN)
        while True:
            for number, _ in poll.poll():
                if number:
                    if not by_number[number].read(seen):
                        poll.unregister(number)
                        seen.closed += 1
                    continue
                word = os.read(0, 100).strip()
                if word == b"count":
                    seen, began = Seen(closed=seen.closed), time.monotonic()
                elif word == b"newest":
                    # the oldest of the clients' newest: all of them have at least this
                    print(min(client.newest for client in clients), flush=True)
                elif word == b"tell":
                    told = _result(seen, time.monotonic() - began, len(clients))
                    print(json.dumps(told), flush=True)
                else:
                    return


def _result(seen: Seen, seconds: float, clients: int) -> dict[str, Any]:
    return {
        "clients": clients,
        "seconds": seconds,
        "delays": {kind: dict(counted) for kind, counted in seen.delays.items()},
        "frame_bytes": seen.frame_bytes,
        "html_bytes": seen.html_bytes,
        "messages": seen.messages,
        "snapshots": seen.snapshots,
        "closed": seen.closed,
    }


def main() -> None:
    """Connect, watch, tell."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--cookie", required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--parts", default=PARTS)
    parser.add_argument("--stalled", action="store_true")
    given = parser.parse_args()
    clients = [
        Client(connect(given.port, given.cookie, given.parts)) for _ in range(given.count)
    ]
    print("ready", flush=True)
    watch(clients, given.stalled)


if __name__ == "__main__":
    main()
