"""The hub with a real Redis and viewers of our own: who comes, who leaves, who falls silent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
import pytest_asyncio
from pytest_django import Settings

from devices.live import frames
from devices.live.fragments import Rendered
from devices.live.frames import Kind
from devices.live.hub import Hub
from devices.live.message import Message
from devices.live.viewer import Viewer
from devices.services import bus
from tests.live.conftest import PrivateRedis

pytestmark = pytest.mark.asyncio
PATIENCE_S = 10.0


class Screen:
    """A browser that acknowledges at once and keeps what it was sent."""

    def __init__(self, hub: Hub, *parts: str, console: str = "") -> None:
        self.viewer = Viewer(frozenset(parts), lambda slot, state: "", console)
        self.html = ""
        self.output = b""
        self._hub = hub

    def join(self) -> Screen:
        self._hub.join(self.viewer, self)
        return self

    def leave(self) -> None:
        self._hub.leave(self.viewer)

    def send(self, messages: Sequence[Message]) -> None:
        for message in messages:
            if isinstance(message.content, str):
                self.html += message.content
            else:
                self._take(message.content)
            self.viewer.acknowledge(message.sequence)

    def _take(self, content: bytes) -> None:
        for frame in frames.decode_all(content):
            if frame.kind is Kind.CONSOLE:
                said = frames.read_console(frame.payload)[1]
                self.output = said if frame.flags & frames.REPLACE else self.output + said


@pytest_asyncio.fixture
async def hub(private_redis: PrivateRedis, settings: Settings) -> AsyncIterator[Hub]:
    settings.REDIS_URL = private_redis.url
    bus.client.cache_clear()
    await asyncio.to_thread(bus.client().flushall)
    made = Hub(private_redis.url, render=lambda *given: Rendered(()), load_states=lambda: {})
    made.start()
    yield made
    await made.stop()
    bus.client().close()
    bus.client.cache_clear()


async def _until(met: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not met():
        assert time.monotonic() < deadline, "it did not come to pass"
        await asyncio.sleep(0.01)


async def test_who_comes_back_to_a_console_at_once_is_shown_it_and_follows_it(hub: Hub) -> None:
    await asyncio.to_thread(bus.append_console, {"fd-1": b"U-Boot "})
    before = Screen(hub, console="fd-1").join()
    await _until(lambda: before.output == b"U-Boot ")
    before.leave()
    after = Screen(hub, console="fd-1").join()
    await _until(lambda: after.output == b"U-Boot ")
    await asyncio.to_thread(bus.append_console, {"fd-1": b"Linux"})
    await _until(lambda: after.output == b"U-Boot Linux")
