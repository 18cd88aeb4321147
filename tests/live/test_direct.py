"""The short way between hub and socket, through a real Daphne, byte by byte."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import random
import re
import socket
import struct
import time
from collections.abc import Iterator

import pytest
import redis
from twisted.internet import abstract, tcp

from devices.live import frames
from devices.live.frames import Kind
from devices.services import bus
from fleetdash import direct
from tests.api.served import Served, served
from tests.live.test_close_codes import LOG_IN

WALL = [Kind.WALL_SNAPSHOT, Kind.WALL_DELTA]
PING_EVERY_S, PONG_WITHIN_S = 1, 3
PING, PONG = 0x89, 0x8A
# time enough for a busy machine to answer
ANSWER_S = 30.0


class Wire:
    """A browser's end of the socket: what it sends and when it reads is up to the test."""

    def __init__(
        self, web: Served, cookie: str, parts: str = "cores,wall", offers: str = ""
    ) -> None:
        self.socket = socket.socket()
        # little room: what is not read is soon felt at the other end
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
        self.socket.settimeout(ANSWER_S)
        self.socket.connect(("127.0.0.1", web.port))
        self.rest = b""
        self.pings = 0
        self.kinds: set[Kind] = set()
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET /live/?parts={parts} HTTP/1.1\r\nHost: 127.0.0.1:{web.port}\r\n"
            f"Origin: {web.url}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            f"Cookie: {cookie}\r\n{offers}\r\n".encode()
        )
        while b"\r\n\r\n" not in self.rest:
            self.rest += self.socket.recv(4096)
        head, _, self.rest = self.rest.partition(b"\r\n\r\n")
        assert b" 101 " in head, head
        self.head = head.decode().lower()

    def message(self, timeout: float = ANSWER_S) -> tuple[int, bytes]:
        """The next message's first byte and content; pings are answered."""
        deadline = time.monotonic() + timeout
        while True:
            first, content = self._piece(max(0.001, deadline - time.monotonic()))
            if first != PING:
                return first, content
            self.pings += 1
            self.socket.sendall(masked(PONG, content))

    def _piece(self, timeout: float) -> tuple[int, bytes]:
        self.socket.settimeout(timeout)
        while True:
            if len(self.rest) >= 2:
                length, start = self.rest[1], 2
                if length == 126:
                    length, start = int.from_bytes(self.rest[2:4], "big"), 4
                elif length == 127:
                    length, start = int.from_bytes(self.rest[2:10], "big"), 10
                if len(self.rest) >= start + length:
                    first, content = self.rest[0], self.rest[start : start + length]
                    self.rest = self.rest[start + length :]
                    return first, content
            more = self.socket.recv(1 << 16)
            if not more:
                raise EOFError
            self.rest += more

    def frames(self, timeout: float = ANSWER_S) -> list[frames.Frame]:
        """The frames of the next binary message."""
        while True:
            first, content = self.message(timeout)
            if first == direct.BINARY:
                found = frames.decode_all(content)
                self.kinds |= {frame.kind for frame in found}
                return found

    def nothing(self, seconds: float = 0.4) -> bool:
        """Whether nothing comes for so long."""
        with contextlib.suppress(TimeoutError):
            return not self.message(seconds)
        return True


def masked(first: int, payload: bytes) -> bytes:
    """A frame as a browser sends it."""
    mask = os.urandom(4)
    turned = bytes(byte ^ mask[n % 4] for n, byte in enumerate(payload))
    assert len(payload) < 126
    return bytes((first, 0x80 | len(payload))) + mask + turned


def ack(sequence: int) -> bytes:
    """An acknowledgement as the page sends it."""
    return masked(direct.BINARY, sequence.to_bytes(4, "little"))


def said(message: object) -> bytes:
    """A message of text as the page sends it."""
    return masked(direct.TEXT, json.dumps(message).encode())


class Fleet:
    """The served page, and a voice in its Redis."""

    def __init__(self, web: Served) -> None:
        self.web = web
        self.cookie = web.python(LOG_IN)
        self.redis = redis.Redis.from_url(web.environment["REDIS_URL"])
        self.opened: list[Wire] = []

    def open(self, parts: str = "cores,wall", offers: str = "") -> Wire:
        """A browser's socket, closed at the end of the test."""
        self.opened.append(Wire(self.web, self.cookie, parts, offers))
        return self.opened[-1]

    def close(self) -> None:
        """Close the browsers' sockets and our own."""
        while self.opened:
            self.opened.pop().socket.close()
        self.redis.close()

    def cores(self, byte: int) -> None:
        self.redis.publish(
            bus.cores_channel("a"), struct.pack("<d", time.time()) + bytes([byte])
        )

    def states(self, changes: list[tuple[int, str]]) -> None:
        message = {"at": time.time(), "devices": changes, "operations": []}
        self.redis.publish(bus.CHANGES, json.dumps(message))

    def heard(self, wire: Wire) -> None:
        """Wait until what is published reaches the browser, which then has done with it all."""
        deadline = time.monotonic() + ANSWER_S
        while time.monotonic() < deadline:
            self.cores(0)
            try:
                found = wire.frames(timeout=0.1)
                while True:
                    wire.socket.sendall(ack(found[-1].sequence))
                    found = wire.frames(timeout=0.3)
            except TimeoutError:
                if Kind.CORES in wire.kinds:
                    return
        raise AssertionError(self.web.log())


    def until(self, wire: Wire, byte: int) -> int:
        """Say it until the browser is shown it; gives what is to be acknowledged."""
        deadline = time.monotonic() + ANSWER_S
        while time.monotonic() < deadline:
            self.cores(byte)
            with contextlib.suppress(TimeoutError):
                while True:
                    (frame,) = wire.frames(timeout=0.3)
                    if frames.read_cores(frame.payload) == {"a": bytes([byte])}:
                        return frame.sequence
                    wire.socket.sendall(ack(frame.sequence))
        raise AssertionError(self.web.log())


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with served(
        "fleetdash.asgi:application",
        arguments=["--websocket_timeout", "-1", "--ping-interval", str(PING_EVERY_S),
                   "--ping-timeout", str(PONG_WITHIN_S)],
        FLEETDASH_LIVE_RECONNECT_S="600",
    ) as web:  # fmt: skip
        yield Fleet(web)


@pytest.fixture(autouse=True)
def closed(fleet: Fleet) -> Iterator[None]:
    """Nothing that a test opened outlives it."""
    yield
    fleet.close()


def test_what_the_short_way_leans_on_is_there() -> None:
    """An upgrade of Twisted that takes it away is noticed here, not on a wall."""
    assert abstract.FileDescriptor.dataBuffer == b""
    assert abstract.FileDescriptor.offset == 0
    made = abstract.FileDescriptor(reactor=object())  # type: ignore[arg-type]
    assert (made._tempDataBuffer, made._tempDataLen) == ([], 0)
    assert {"writeSomeData", "abortConnection"} <= set(dir(tcp.Connection))


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536])
def test_frames_are_framed_as_rfc_6455_says(size: int) -> None:
    framed = direct.framed(b"x" * size)
    assert framed[0] == 0x82 and framed.endswith(b"x" * size)
    assert len(framed) - size == (2 if size < 126 else 4 if size < 65536 else 10)
    assert direct.framed("é") == b"\x81\x02\xc3\xa9"


def test_two_are_on_the_way_and_an_acknowledgement_makes_room(fleet: Fleet) -> None:
    wire = fleet.open("cores")
    fleet.heard(wire)
    fleet.cores(1)
    frame = wire.frames()[-1]
    fleet.cores(2)
    wire.frames()
    for byte in range(3, 9):
        fleet.cores(byte)
    assert wire.nothing()
    deadline = time.monotonic() + ANSWER_S
    while frames.read_cores(frame.payload) != {"a": b"\x08"}:
        wire.socket.sendall(ack(frame.sequence))
        frame = wire.frames(deadline - time.monotonic())[-1]


def test_acknowledgements_may_come_in_pieces_and_in_company(fleet: Fleet) -> None:
    wire = fleet.open("cores")
    fleet.heard(wire)
    for how in range(7):
        before = fleet.until(wire, 100 + 2 * how)
        last = fleet.until(wire, 101 + 2 * how)
        one, two = ack(before), ack(last)
        pieces = (
            [one + two],
            [one[:5], one[5:] + two],
            [one + two[:3], two[3:]],
            [said({"rows": []}) + one + two],
            [one + said({"hidden": False}) + two],
            [said({"ack": last})],
            [two],  # and with it all before
        )[how]
        for piece in pieces:
            wire.socket.sendall(piece)
            time.sleep(0.05)
    fleet.until(wire, 77)


def test_a_browser_that_acknowledges_without_reading_is_cut_off(fleet: Fleet) -> None:
    wire = fleet.open("wall")
    draw = random.Random(1)
    fleet.states([(slot, draw.choice(("online", "failed"))) for slot in range(10_000)])
    while len((frame := wire.frames()[-1]).payload) < 5000:
        wire.socket.sendall(ack(frame.sequence))
    # the wall stands still now, so every snapshot of it has the same number
    demand = said({"wall": "snapshot", "ack": frame.sequence})
    _is_cut_off(wire, demand, pause_s=0.001)


def test_a_browser_that_talks_without_end_is_cut_off(fleet: Fleet) -> None:
    _is_cut_off(fleet.open(""), said({"rows": []}) * 100, pause_s=0.0)


def _is_cut_off(wire: Wire, saying: bytes, *, pause_s: float) -> None:
    deadline = time.monotonic() + 3 * ANSWER_S
    with pytest.raises(ConnectionError):
        while time.monotonic() < deadline:
            wire.socket.sendall(saying)
            time.sleep(pause_s)


def test_who_answers_no_ping_is_let_go_and_who_does_may_stay(fleet: Fleet) -> None:
    """A hidden tab is sent nothing and says nothing, but its browser answers pings."""
    silent = fleet.open("")
    hidden = fleet.open("cores")
    hidden.socket.sendall(said({"hidden": True}))
    while not hidden.nothing(0.3):
        pass
    assert hidden.nothing(PING_EVERY_S + PONG_WITHIN_S + 3)
    assert hidden.pings >= 2
    with pytest.raises((EOFError, ConnectionError)):
        while True:
            silent._piece(ANSWER_S)
    hidden.socket.sendall(said({"hidden": False}))
    fleet.cores(9)
    assert any(frame.kind is Kind.CORES for frame in hidden.frames())


def test_a_wall_that_is_asked_to_reconnect_for_ever_always_begins_with_everything() -> None:
    """A month of reconnections in seconds, a restart of the web process among them."""
    with served("fleetdash.asgi:application", FLEETDASH_LIVE_RECONNECT_S="1") as web:
        fleet = Fleet(web)
        seen: list[list[Kind]] = []
        deadline = time.monotonic() + 2 * ANSWER_S
        # one lives for a second only, in which a busy machine does not tell it everything
        while sum({Kind.CORES, *WALL} <= set(kinds) for kinds in seen) < 3:
            assert time.monotonic() < deadline, seen
            wire = fleet.open()
            kinds: list[Kind] = []
            seen.append(kinds)
            while True:
                fleet.cores(1)
                fleet.states([(0, "online" if len(kinds) % 2 else "failed")])
                with contextlib.suppress(TimeoutError):
                    first, content = wire.message(0.1)
                    if first == 0x88:
                        assert int.from_bytes(content[:2], "big") == 1012
                        break
                    if first == direct.BINARY:
                        found = frames.decode_all(content)
                        kinds += [frame.kind for frame in found]
                        wire.socket.sendall(ack(found[-1].sequence))
            assert [kind for kind in kinds if kind in WALL][:1] in ([], WALL[:1]), seen
        fleet.close()


def html(fleet: Fleet, wire: Wire) -> tuple[int, bytes]:
    """The counts, as they come."""
    for n in range(20):
        fleet.states([(n, "online" if n % 2 else "failed")])
        with contextlib.suppress(TimeoutError):
            return wire.message(1.5)
    raise AssertionError(f"no HTML came\n{fleet.web.log()}")


def test_html_is_numbered_and_acknowledged_in_the_same_way(fleet: Fleet) -> None:
    wire = fleet.open("counts")
    first, content = html(fleet, wire)
    found = re.match(rb"<!--(\d+)-->", content)
    assert first == direct.TEXT and found and b'id="counts"' in content
    wire.socket.sendall(ack(int(found[1])))


OFFERS = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"


def test_html_is_deflated_for_who_takes_it_and_frames_are_not(fleet: Fleet) -> None:
    wire = fleet.open("counts", OFFERS)
    assert "permessage-deflate; client_no_context_takeover" in wire.head
    first, content = html(fleet, wire)
    assert first == direct.TEXT | direct.DEFLATED
    assert direct.inflated(content, 1 << 20).startswith(b"<!--")
    assert b'id="counts"' in direct.inflated(content, 1 << 20)
    other = fleet.open("cores", OFFERS)
    fleet.heard(other)
    assert "permessage-deflate" not in fleet.open("cores").head


def packed(first: int, payload: bytes) -> bytes:
    """A deflated message as a browser sends it."""
    return masked(first | direct.DEFLATED, direct.framed(payload, deflate=True)[2:])


def test_what_a_browser_deflates_is_understood(fleet: Fleet) -> None:
    wire = fleet.open("cores", OFFERS)
    fleet.heard(wire)
    for how in range(5):
        before = fleet.until(wire, 150 + 2 * how)
        last = fleet.until(wire, 151 + 2 * how)
        one, two = (packed(direct.BINARY, n.to_bytes(4, "little")) for n in (before, last))
        said_so = packed(direct.TEXT, json.dumps({"ack": last}).encode())
        for piece in ([one + two], [two[:7], two[7:]], [said_so], [ack(before) + two],
                      [one + said({"hidden": False}) + two])[how]:  # fmt: skip
            wire.socket.sendall(piece)
            time.sleep(0.05)
    fleet.until(wire, 77)
