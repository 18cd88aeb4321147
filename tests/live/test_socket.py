"""The socket as a browser meets it: real Redis, the real consumer and hub."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import pytest

from devices.live import fragments, frames
from devices.live.fragments import Fragment, Rendered
from devices.live.frames import Kind
from devices.live.hub import Hub
from devices.live.message import Message
from devices.live.viewer import Viewer
from devices.services import bus
from tests.live.conftest import PrivateRedis
from tests.live.held import Held
from tests.live.socket_browser import (
    ANSWER_S,
    Browser,
    Page,
    publish_cores,
    sequence,
    shown,
    subscribed,
)

pytestmark = [pytest.mark.asyncio, pytest.mark.django_db]


async def test_cores_reach_the_browser(live: Hub) -> None:
    await subscribed(live)
    browser = await Browser().open()
    await publish_cores(77)
    while True:
        frame = await browser.frame(Kind.CORES)
        if frames.read_cores(frame.payload) == {"here": b"\x4d\xff"}:
            break
    assert frame.epoch == live.board.epoch
    await browser.disconnect()


async def test_at_most_two_frames_go_to_a_browser_that_does_not_answer(live: Hub) -> None:
    await subscribed(live)
    browser = await Browser().open()
    for value in range(20):
        await publish_cores(value)
        await asyncio.sleep(0.01)
    first = await browser.message()
    await browser.message()
    await shown(live, 99)
    assert await browser.receive_nothing(timeout=0.3)
    await browser.acknowledge(first)
    newest = await browser.message()
    assert isinstance(newest, bytes)
    (frame,) = frames.decode_all(newest)
    assert frames.read_cores(frame.payload)["here"][0] == 99
    await browser.disconnect()


async def test_four_bytes_acknowledge_too(live: Hub) -> None:
    await subscribed(live)
    browser = await Browser().open()
    for value in range(20):
        await publish_cores(value)
        await asyncio.sleep(0.02)
    await browser.message()
    second = await browser.message()
    await shown(live, 99)
    assert await browser.receive_nothing(timeout=0.1)
    await browser.send_to(bytes_data=sequence(second).to_bytes(4, "little"))
    await browser.message()
    await browser.disconnect()


async def test_a_hidden_tab_gets_nothing(live: Hub) -> None:
    await subscribed(live)
    browser = await Browser("parts=cores,wall,counts").open()
    await browser.html("counts")
    await browser.say(hidden=True)
    await asyncio.sleep(0.1)
    while not await browser.receive_nothing(timeout=0.05):
        await browser.acknowledge(await browser.message())
    for value in range(5):
        await publish_cores(value)
    await asyncio.to_thread(bus.publish_changes, [(1, "online")])
    assert await browser.receive_nothing(timeout=0.7)
    await browser.say(hidden=False)
    frame = await browser.frame(Kind.CORES)
    assert frames.read_cores(frame.payload)["here"][0] == 4
    await browser.disconnect()


async def test_a_change_is_rendered_once_whoever_watches(live: Hub, page: Page) -> None:
    await subscribed(live)
    browsers = [await Browser("parts=counts").open() for _ in range(5)]
    for browser in browsers:
        await browser.html("counts")
    before = -1
    while before != page.renderings:
        before = page.renderings
        await asyncio.sleep(0.6)
    await asyncio.to_thread(bus.publish_changes, [(3, "online")], [])
    said = {await browser.html(f">{before + 1}<") for browser in browsers}
    assert len(said) == 1
    assert page.renderings == before + 1
    for browser in browsers:
        await browser.disconnect()


async def test_nothing_is_rendered_when_nobody_watches(live: Hub, page: Page) -> None:
    await subscribed(live)
    for slot in range(5):
        await asyncio.to_thread(bus.publish_changes, [(slot, "online")])
    await asyncio.sleep(1.2)
    assert page.renderings == 0


async def test_the_wall_begins_with_what_the_database_says(live: Hub, page: Page) -> None:
    page.states = {0: "online", 2: "failed"}
    await live._connected()
    browser = await Browser("parts=wall").open()
    frame = await browser.frame(Kind.WALL_SNAPSHOT)
    held = Held()
    held.take_frame(frame)
    assert held.states == bytes([frames.STATE_BYTES["online"], 0, frames.STATE_BYTES["failed"]])
    await browser.disconnect()


async def test_visible_rows_follow_their_devices(live: Hub) -> None:
    await subscribed(live)
    browser = await Browser("parts=").open()
    await browser.say(rows=[7])
    await asyncio.sleep(0.05)
    await asyncio.to_thread(bus.publish_changes, [(7, "online"), (8, "online")])
    said = await browser.html("state-7")
    assert "online" in said and "state-8" not in said
    await browser.disconnect()


async def test_the_console_is_shown_and_followed(live: Hub) -> None:
    await subscribed(live)
    await asyncio.to_thread(bus.append_console, {"fd-000001": b"U-Boot "})
    browser = await Browser("parts=&console=fd-000001").open()
    frame = await browser.frame(Kind.CONSOLE)
    assert frame.flags == frames.REPLACE
    assert frames.read_console(frame.payload)[1] == b"U-Boot "
    await asyncio.to_thread(bus.append_console, {"fd-000001": b"Linux"})
    frame = await browser.frame(Kind.CONSOLE)
    assert (frame.flags, frames.read_console(frame.payload)) == (0, (7, b"Linux"))
    await browser.disconnect()


async def test_the_page_lives_again_when_redis_does(
    live: Hub, page: Page, private_redis: PrivateRedis
) -> None:
    await subscribed(live)
    browser = await Browser("parts=cores,wall").open()
    held = Held()
    held.take_frame(await browser.frame(Kind.WALL_SNAPSHOT))
    await asyncio.to_thread(private_redis.stop)
    await asyncio.sleep(0.3)
    page.states = {5: "online"}  # what nobody could tell us of
    await asyncio.to_thread(private_redis.start)
    held.take_frame(await browser.frame(Kind.WALL_DELTA))
    assert held.states == bytes(5) + bytes([frames.STATE_BYTES["online"]])
    await publish_cores(200)
    while frames.read_cores((await browser.frame(Kind.CORES)).payload)["here"][0] != 200:
        pass
    await browser.disconnect()


async def test_a_database_that_is_away_for_a_moment_does_not_end_the_page(
    live: Hub, page: Page, private_redis: PrivateRedis
) -> None:
    await subscribed(live)
    page.faults = 1
    await asyncio.to_thread(private_redis.stop)
    await asyncio.to_thread(private_redis.start)
    before = live.board.sequence
    deadline = time.monotonic() + ANSWER_S
    while live.board.sequence <= before + 2:
        assert time.monotonic() < deadline, "the page stands still"
        await publish_cores(123)
        await asyncio.sleep(0.1)
    assert page.faults == 0


async def test_a_browser_that_cannot_be_fed_is_left_out_alone(live: Hub) -> None:
    class Broken:
        def send(self, messages: Sequence[Message]) -> None:
            raise ValueError("gone")

    await subscribed(live)
    viewer = Viewer(frozenset({"cores"}), fragments.row_state)
    live._viewers[viewer] = Broken()
    browser = await Browser("parts=cores").open()
    await browser.frame(Kind.CORES)
    for value in range(60):
        await publish_cores(value)
        await browser.frame(Kind.CORES)
        if viewer not in live._viewers:
            break
        await asyncio.sleep(0.05)
    assert viewer not in live._viewers
    await publish_cores(99)
    await browser.frame(Kind.CORES)
    await browser.disconnect()


async def test_a_device_is_shown_to_who_looks_at_it_and_to_nobody_else(live: Hub) -> None:
    await subscribed(live)
    other = await Browser("parts=counts").open()
    browser = await Browser("parts=&device=fd-000001").open()
    first = await browser.html("device:fd-000001")
    # again by itself, for what a device says of itself is no change of its state
    while await browser.html("device:fd-000001") == first:
        pass
    await browser.disconnect()
    said = await other.html("counts")
    assert "device:" not in said
    await other.disconnect()
    assert not [name for name in live.board.topics if name.startswith(fragments.DEVICE)]


async def test_what_failed_to_render_is_asked_for_again(
    live: Hub, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    await subscribed(live)
    failing = True

    def render(parts: frozenset[str], *told: Any) -> Rendered:
        broken = frozenset({"counts"}) & parts if failing else frozenset()
        made = tuple(Fragment(part, f'<p id="{part}"></p>') for part in parts - broken)
        return Rendered(made, failed=broken)

    monkeypatch.setattr(page, "render", render)
    browser = await Browser("parts=counts,capacity").open()
    assert "counts" not in await browser.html("capacity")
    failing = False
    await browser.html("counts")  # although nothing has changed since
    await browser.disconnect()


