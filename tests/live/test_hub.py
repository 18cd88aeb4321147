"""The hub with a real Redis and viewers of our own: who comes, who leaves, who falls silent."""

from __future__ import annotations

import asyncio
import json
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
from tests.live.held import Held

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


async def test_a_console_that_was_left_meanwhile_is_not_kept(hub: Hub) -> None:
    await hub._heard("fleet:console-begin:fd-1", b"U-Boot")
    await hub._heard("fleet:typist:fd-1", b"")
    assert not hub.board.consoles
    assert not hub.board.topics


async def test_who_comes_when_nobody_watched_is_not_shown_what_was_then(hub: Hub) -> None:
    watching = Screen(hub, "counts").join()
    hub.board.put_html("counts", "600 online")
    also = Screen(hub, "counts").join()
    assert "600 online" in also.html
    watching.leave()
    also.viewer.hide(True)  # what a hidden tab shows is not kept up either
    late = Screen(hub, "counts").join()
    assert late.html == ""
    hub.board.put_html("counts", "700 online")
    hub.feed(late.viewer)
    assert "700 online" in late.html


async def test_the_figures_of_a_host_that_falls_silent_are_taken_away() -> None:
    now = [100.0]
    hub = Hub("unix:///nowhere", clock=lambda: now[0])
    hub.board.put_all_states({0: "online", 1: "online"})

    async def speak(host: str, slot: int) -> None:
        guests = [[slot, 900, 0, None]]
        await hub._heard(bus.host_channel(host), b"{}")
        await hub._heard(
            bus.guests_sample_channel(host), json.dumps({"at": 1.0, "guests": guests}).encode()
        )

    await speak("a", 0)
    await speak("b", 1)
    hub.look_for_silence()
    assert hub.renderer.samples == {"a": {}, "b": {}}
    assert _levels(hub) == [14, 14]
    now[0] += 4.0
    await speak("b", 1)
    now[0] += 2.0
    hub.look_for_silence()
    assert hub.renderer.samples == {"a": None, "b": {}}
    assert _levels(hub) == [14, 14]  # many guests are told of every four seconds
    now[0] += 5.0
    hub.look_for_silence()
    assert _levels(hub) == [0, 14]
    await hub.stop()


def _levels(hub: Hub) -> list[int]:
    frame = hub.board.wall.frame(0, 0.0)
    return list(Held().take(frame).levels)
