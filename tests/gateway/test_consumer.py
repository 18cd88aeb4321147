from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from types import SimpleNamespace

import pytest
import pytest_asyncio
from channels.testing import WebsocketCommunicator

from devices.gateway import consumer, nh1, protocol
from devices.gateway.ledger import Ledger, ledger

pytestmark = pytest.mark.asyncio

SECRET = "k" * 43
HEARTBEAT = '[null,"1","phoenix","heartbeat",{}]'
ANSWER_S = 30.0


async def connect(monkeypatch: pytest.MonkeyPatch, *extensions: str) -> WebsocketCommunicator:
    """An accepted socket of a device, with nothing written anywhere."""

    async def secret_of(self: Ledger, serial: str) -> str:
        return SECRET

    monkeypatch.setattr(Ledger, "secret_of", secret_of)
    for name in ("heard", "connected", "health"):
        monkeypatch.setattr(ledger(), name, lambda *given: None)
    time_s = int(time.time())
    headers = {
        "x-nh-alg": nh1.ALGORITHM,
        "x-nh-key": "fd-1",
        "x-nh-time": str(time_s),
        "x-nh-signature": nh1.sign(SECRET, "fd-1", time_s),
    }
    communicator = WebsocketCommunicator(
        consumer.DeviceConsumer.as_asgi(),
        consumer.PATH,
        headers=[(name.encode(), value.encode()) for name, value in headers.items()],
    )
    communicator.scope["extensions"] = {name: {} for name in extensions}
    accepted, _ = await communicator.connect(timeout=ANSWER_S)
    assert accepted
    return communicator


@pytest_asyncio.fixture
async def socket(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[WebsocketCommunicator]:
    communicator = await connect(monkeypatch)
    yield communicator
    await communicator.disconnect()


class Clock:
    """What the consumer reads instead of the machine's clock; a test moves `now_s`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 1000.0
        told = SimpleNamespace(monotonic=lambda: self.now_s, time=time.time)
        monkeypatch.setattr(consumer, "time", told)

    def ring(self, after_s: float) -> float:
        """Move on by so much and let the connection's alarm ring; seconds until it does again."""
        self.now_s += after_s
        connected = consumer._current["fd-1"]
        connected._alarm_rang()
        assert connected._alarm is not None
        return connected._alarm.when() - asyncio.get_running_loop().time()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


class Socket:
    """A server's short way, with what was said through it."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


@pytest.mark.parametrize("last", ["not JSON", HEARTBEAT])
async def test_a_server_with_a_short_way_is_answered_at_once(
    monkeypatch: pytest.MonkeyPatch, clock: Clock, last: str
) -> None:
    communicator = await connect(monkeypatch, consumer.HEAR)
    given = await communicator.receive_output(timeout=ANSWER_S)
    short = Socket()
    given["opened"](short)
    given["hear"](HEARTBEAT)
    assert [json.loads(text)[3] for text in short.said] == ["phx_reply"]
    given["hear"](last)
    if last == HEARTBEAT:
        clock.ring(protocol.HEARTBEAT_TIMEOUT_S)
    closed = await communicator.receive_output(timeout=ANSWER_S)
    # what makes no sense ends it at once, silence when its time is over
    expected = 1000 if last == HEARTBEAT else 1007
    assert (closed["type"], closed["code"]) == ("websocket.close", expected)
    given["hear"](HEARTBEAT)
    assert len(short.said) == (2 if last == HEARTBEAT else 1)
    await communicator.disconnect()


async def test_silence_ends_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEARTBEAT_TIMEOUT_S", 0.4)
    communicator = await connect(monkeypatch)
    closed = await communicator.receive_output(timeout=ANSWER_S)
    assert closed["type"] == "websocket.close"
    assert closed["code"] == 1000
    await communicator.disconnect()


async def test_a_heartbeat_puts_the_end_off(clock: Clock, socket: WebsocketCommunicator) -> None:
    for _ in range(4):
        again_s = clock.ring(after_s=0.75 * protocol.HEARTBEAT_TIMEOUT_S)
        assert again_s <= 0.25 * protocol.HEARTBEAT_TIMEOUT_S
        await socket.send_to(text_data=HEARTBEAT)
        assert (await socket.receive_output(timeout=ANSWER_S))["type"] == "websocket.send"
    clock.ring(after_s=protocol.HEARTBEAT_TIMEOUT_S)
    assert (await socket.receive_output(timeout=ANSWER_S))["type"] == "websocket.close"


async def test_nothing_is_kept_of_a_connection_that_ended(socket: WebsocketCommunicator) -> None:
    assert "fd-1" in consumer._current
    await socket.disconnect()
    assert "fd-1" not in consumer._current
