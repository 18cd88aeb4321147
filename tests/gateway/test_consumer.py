from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from channels.testing import WebsocketCommunicator

from devices.gateway import consumer, nh1, protocol
from devices.gateway.ledger import Ledger, ledger

pytestmark = pytest.mark.asyncio

SECRET = "k" * 43
HEARTBEAT = '[null,"1","phoenix","heartbeat",{}]'


@pytest_asyncio.fixture
async def socket(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[WebsocketCommunicator]:
    """An accepted socket of a device, with nothing written anywhere; silence ends it in 0.4 s."""

    async def secret_of(self: Ledger, serial: str) -> str:
        return SECRET

    monkeypatch.setattr(Ledger, "secret_of", secret_of)
    for name in ("heard", "connected", "health"):
        monkeypatch.setattr(ledger(), name, lambda *given: None)
    monkeypatch.setattr(protocol, "HEARTBEAT_TIMEOUT_S", 0.4)
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
    accepted, _ = await communicator.connect()
    assert accepted
    yield communicator
    await communicator.disconnect()


async def test_silence_ends_the_connection(socket: WebsocketCommunicator) -> None:
    closed = await socket.receive_output(timeout=2)
    assert closed["type"] == "websocket.close"
    assert closed["code"] == 1000


async def test_a_heartbeat_puts_the_end_off(socket: WebsocketCommunicator) -> None:
    for _ in range(4):
        await asyncio.sleep(0.2)
        await socket.send_to(text_data=HEARTBEAT)
        assert (await socket.receive_output(timeout=1))["type"] == "websocket.send"
    assert (await socket.receive_output(timeout=2))["type"] == "websocket.close"


async def test_nothing_is_kept_of_a_connection_that_ended(socket: WebsocketCommunicator) -> None:
    assert "fd-1" in consumer._current
    await socket.disconnect()
    assert "fd-1" not in consumer._current
