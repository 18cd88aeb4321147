from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Iterator

import pytest

from tests.api.served import ROWS, Served
from tests.gateway.test_socket import ADDRESS, headers

TEXT, PING, EMPTY_PIECE = 0x81, 0x89, 0x00


@pytest.fixture(scope="module")
def fleet(gateway: Served) -> Served:
    """A gateway with devices."""
    gateway.python(ROWS + "devices(['greedy-' + str(n) for n in range(5)], 'offline')")
    return gateway


@contextlib.contextmanager
def connected(gateway: Served, serial: str) -> Iterator[socket.socket]:
    """A device's socket that answers nothing by itself, on a connection that buffers little."""
    with socket.socket() as made:
        made.settimeout(20)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
        made.connect(("127.0.0.1", gateway.port))
        said = {
            "Host": "here", "Connection": "Upgrade", "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg==",
            **headers(serial),
        }  # fmt: skip
        lines = [f"GET {ADDRESS} HTTP/1.1", *(f"{name}: {value}" for name, value in said.items())]
        made.sendall("\r\n".join([*lines, "", ""]).encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += made.recv(1)
        assert b" 101 " in answer.splitlines()[0]
        yield made


def frame(first: int, payload: bytes = b"") -> bytes:
    """A frame as a client sends it, masked with zeros."""
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
    return bytes([first]) + length + bytes(4) + payload


def heard_until_cut_off(made: socket.socket) -> int:
    """How many bytes came before the connection was reset."""
    count = 0
    with contextlib.suppress(ConnectionError):
        while data := made.recv(65536):
            count += len(data)
    return count


def logged(gateway: Served, *words: str) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if any(all(word in line for word in words) for line in gateway.log().splitlines()):
            return
        time.sleep(0.05)
    raise AssertionError(gateway.log()[-2000:])


@pytest.mark.parametrize(("serial", "first"), [("greedy-0", PING), ("greedy-1", EMPTY_PIECE)])
def test_who_sends_frames_without_end_is_cut_off(
    fleet: Served, serial: str, first: int
) -> None:
    with connected(fleet, serial) as made:
        made.sendall(frame(TEXT & 0x0F, b"[") + frame(first) * 2000)
        assert heard_until_cut_off(made) < 1000
    logged(fleet, serial, "cut off", "frames")


def test_who_sends_bytes_without_end_is_cut_off(fleet: Served) -> None:
    message = json.dumps([None, None, "phoenix", "heartbeat", {"said": "x" * 60_000}]).encode()
    with connected(fleet, "greedy-2") as made:
        with contextlib.suppress(ConnectionError):
            for _ in range(60):
                made.sendall(frame(TEXT, message))
        heard_until_cut_off(made)
    logged(fleet, "greedy-2", "cut off", "bytes")


def test_who_asks_and_never_reads_is_cut_off(fleet: Served) -> None:
    long = "\N{GRINNING FACE}" * 200
    message = json.dumps([long, long, long, "x", {}], ensure_ascii=False).encode()
    with connected(fleet, "greedy-3") as made:
        with contextlib.suppress(ConnectionError):
            made.sendall(frame(TEXT, message) * 150)
        logged(fleet, "greedy-3", "cut off", "waiting")


def test_a_device_that_pings_now_and_then_is_answered(fleet: Served) -> None:
    with connected(fleet, "greedy-4") as made:
        made.sendall(frame(PING, b"there?") * 10)
        answer = b""
        while len(answer) < 10 * 8:
            answer += made.recv(4096)
        assert answer == b"\x8a\x06there?" * 10
