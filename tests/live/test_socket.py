"""The socket as a browser meets it: real Redis, the real consumer and hub."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import pytest
import pytest_asyncio
from channels.auth import AuthMiddlewareStack
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import AnonymousUser, User
from django.db import OperationalError
from django.test import Client
from pytest_django import Settings

from devices.live import consumers, fragments, frames, hub, wall_links
from devices.live.access import Access
from devices.live.consumers import LiveConsumer
from devices.live.fragments import Fragment, Rendered
from devices.live.frames import Kind
from devices.live.hub import Hub
from devices.live.message import Message
from devices.live.viewer import Viewer
from devices.services import bus, tokens
from tests.live.conftest import PrivateRedis
from tests.live.held import Held

pytestmark = [pytest.mark.asyncio, pytest.mark.django_db]
ORIGIN = [(b"host", b"testserver"), (b"origin", b"http://testserver")]


# Channels carries no types
_Communicator: Any = WebsocketCommunicator


class Page:
    """What the renderer says, counted."""

    def __init__(self) -> None:
        self.renderings = 0
        self.states: dict[int, str] = {}
        self.faults = 0

    def render(
        self, parts: frozenset[str], samples: Mapping[str, Any], online_per_s: float,
        online_each_s: Sequence[int],
    ) -> Rendered:
        self.renderings += 1
        made = [Fragment(part, f'<p id="{part}">{self.renderings}</p>') for part in sorted(parts)]
        return Rendered(tuple(made), operation_running=False)

    def load_states(self) -> dict[int, str]:
        if self.faults:
            self.faults -= 1
            raise OperationalError("the database is away")
        return dict(self.states)


@pytest.fixture
def page() -> Page:
    return Page()


@pytest_asyncio.fixture
async def live(
    page: Page, private_redis: PrivateRedis, settings: Settings
) -> AsyncIterator[Hub]:
    settings.REDIS_URL = private_redis.url
    bus.client.cache_clear()
    await asyncio.to_thread(bus.client().flushall)
    made = Hub(
        private_redis.url, render=lambda *told: page.render(*told), load_states=page.load_states
    )
    hub._hubs[asyncio.get_running_loop()] = made
    made.start()
    yield made
    await made.stop()
    bus.client().close()
    bus.client.cache_clear()


class Browser(_Communicator):  # type: ignore[misc]
    """A logged-in browser that acknowledges only when told to."""

    def __init__(self, query: str = "parts=cores", *, user: object = None, **headers: Any) -> None:
        super().__init__(LiveConsumer.as_asgi(), f"/live/?{query}", headers.get("headers", ORIGIN))
        self.scope["user"] = User(username="somebody") if user is None else user

    async def open(self) -> Browser:
        connected, _ = await self.connect()
        assert connected
        return self

    async def message(self, timeout: float = 3.0) -> str | bytes:
        message = await self.receive_from(timeout=timeout)
        assert isinstance(message, str | bytes)
        return message

    async def frame(self, kind: Kind, timeout: float = 3.0) -> frames.Frame:
        deadline = time.monotonic() + timeout
        while True:
            message = await self.message(max(0.01, deadline - time.monotonic()))
            await self.acknowledge(message)
            if isinstance(message, bytes):
                for frame in frames.decode_all(message):
                    if frame.kind is kind:
                        return frame

    async def html(self, wanted: str, timeout: float = 3.0) -> str:
        deadline = time.monotonic() + timeout
        while True:
            message = await self.message(max(0.01, deadline - time.monotonic()))
            await self.acknowledge(message)
            if isinstance(message, str) and wanted in message:
                return message

    async def say(self, **message: object) -> None:
        await self.send_to(text_data=json.dumps(message))

    async def acknowledge(self, message: str | bytes) -> None:
        await self.say(ack=sequence(message))


def sequence(message: str | bytes) -> int:
    if isinstance(message, bytes):
        return frames.decode_all(message)[-1].sequence
    found = re.match(r"<!--(\d+)-->", message)
    assert found
    return int(found[1])


async def _cores(value: int) -> None:
    await asyncio.to_thread(bus.publish_cores, "here", time.time(), bytes([value, 255]))


async def _subscribed(live: Hub) -> None:
    """Wait until what is published is heard."""
    for _ in range(100):
        await _cores(0)
        await asyncio.sleep(0.02)
        if "cores" in live.board.topics:
            return
    raise AssertionError("the hub hears nothing")


async def test_cores_reach_the_browser(live: Hub) -> None:
    await _subscribed(live)
    browser = await Browser().open()
    await _cores(77)
    while True:
        frame = await browser.frame(Kind.CORES)
        if frames.read_cores(frame.payload) == {"here": b"\x4d\xff"}:
            break
    assert frame.epoch == live.board.epoch
    await browser.disconnect()


async def test_at_most_two_frames_go_to_a_browser_that_does_not_answer(live: Hub) -> None:
    await _subscribed(live)
    browser = await Browser().open()
    for value in range(20):
        await _cores(value)
        await asyncio.sleep(0.01)
    first = await browser.message()
    await browser.message()
    assert await browser.receive_nothing(timeout=0.3)
    await browser.acknowledge(first)
    newest = await browser.message()
    assert isinstance(newest, bytes)
    (frame,) = frames.decode_all(newest)
    assert frames.read_cores(frame.payload)["here"][0] == 19
    await browser.disconnect()


async def test_four_bytes_acknowledge_too(live: Hub) -> None:
    await _subscribed(live)
    browser = await Browser().open()
    for value in range(20):
        await _cores(value)
        await asyncio.sleep(0.02)
    await browser.message()
    second = await browser.message()
    assert await browser.receive_nothing(timeout=0.1)
    await browser.send_to(bytes_data=sequence(second).to_bytes(4, "little"))
    await browser.message()
    await browser.disconnect()


async def test_a_hidden_tab_gets_nothing(live: Hub) -> None:
    await _subscribed(live)
    browser = await Browser("parts=cores,wall,counts").open()
    await browser.html("counts")
    await browser.say(hidden=True)
    await asyncio.sleep(0.1)
    while not await browser.receive_nothing(timeout=0.05):
        await browser.acknowledge(await browser.message())
    for value in range(5):
        await _cores(value)
    await asyncio.to_thread(bus.publish_changes, [(1, "online")])
    assert await browser.receive_nothing(timeout=0.7)
    await browser.say(hidden=False)
    frame = await browser.frame(Kind.CORES)
    assert frames.read_cores(frame.payload)["here"][0] == 4
    await browser.disconnect()


async def test_a_change_is_rendered_once_whoever_watches(live: Hub, page: Page) -> None:
    await _subscribed(live)
    browsers = [await Browser("parts=counts").open() for _ in range(5)]
    for browser in browsers:
        await browser.html("counts")
    await asyncio.sleep(0.6)
    before = page.renderings
    await asyncio.to_thread(bus.publish_changes, [(3, "online")], [])
    said = {await browser.html(f">{before + 1}<") for browser in browsers}
    assert len(said) == 1
    assert page.renderings == before + 1
    for browser in browsers:
        await browser.disconnect()


async def test_nothing_is_rendered_when_nobody_watches(live: Hub, page: Page) -> None:
    await _subscribed(live)
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
    await _subscribed(live)
    browser = await Browser("parts=").open()
    await browser.say(rows=[7])
    await asyncio.sleep(0.05)
    await asyncio.to_thread(bus.publish_changes, [(7, "online"), (8, "online")])
    said = await browser.html("state-7")
    assert "online" in said and "state-8" not in said
    await browser.disconnect()


async def test_the_console_is_shown_and_followed(live: Hub) -> None:
    await _subscribed(live)
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
    await _subscribed(live)
    browser = await Browser("parts=cores,wall").open()
    held = Held()
    held.take_frame(await browser.frame(Kind.WALL_SNAPSHOT))
    await asyncio.to_thread(private_redis.stop)
    await asyncio.sleep(0.3)
    page.states = {5: "online"}  # what nobody could tell us of
    await asyncio.to_thread(private_redis.start)
    back = time.monotonic()
    held.take_frame(await browser.frame(Kind.WALL_DELTA, timeout=5))
    assert held.states == bytes(5) + bytes([frames.STATE_BYTES["online"]])
    await _cores(200)
    while frames.read_cores((await browser.frame(Kind.CORES)).payload)["here"][0] != 200:
        pass
    assert time.monotonic() - back < 2.0
    await browser.disconnect()


async def test_a_database_that_is_away_for_a_moment_does_not_end_the_page(
    live: Hub, page: Page, private_redis: PrivateRedis
) -> None:
    await _subscribed(live)
    page.faults = 1
    await asyncio.to_thread(private_redis.stop)
    await asyncio.to_thread(private_redis.start)
    before = live.board.sequence
    for _ in range(60):
        await _cores(123)
        await asyncio.sleep(0.1)
        if live.board.sequence > before + 2:
            break
    else:
        raise AssertionError("the page stands still")
    assert page.faults == 0


async def test_a_browser_that_cannot_be_fed_is_left_out_alone(live: Hub) -> None:
    class Broken:
        def send(self, messages: Sequence[Message]) -> None:
            raise ValueError("gone")

    await _subscribed(live)
    viewer = Viewer(frozenset({"cores"}), fragments.row_state)
    live._viewers[viewer] = Broken()
    browser = await Browser("parts=cores").open()
    await browser.frame(Kind.CORES)
    for value in range(60):
        await _cores(value)
        await browser.frame(Kind.CORES)
        if viewer not in live._viewers:
            break
        await asyncio.sleep(0.05)
    assert viewer not in live._viewers
    await _cores(99)
    await browser.frame(Kind.CORES)
    await browser.disconnect()


async def test_a_device_is_shown_to_who_looks_at_it_and_to_nobody_else(live: Hub) -> None:
    await _subscribed(live)
    other = await Browser("parts=counts").open()
    browser = await Browser("parts=&device=fd-000001").open()
    first = await browser.html("device:fd-000001")
    # again by itself, for what a device says of itself is no change of its state
    while await browser.html("device:fd-000001", timeout=6) == first:
        pass
    await browser.disconnect()
    said = await other.html("counts")
    assert "device:" not in said
    await other.disconnect()
    assert not [name for name in live.board.topics if name.startswith(fragments.DEVICE)]


@pytest.mark.parametrize("named", ["device=../x", "device=" + "9" * 17, "console=a%20b"])
async def test_a_strange_serial_is_refused(live: Hub, named: str) -> None:
    connected, _ = await Browser(f"parts=&{named}").connect()
    assert not connected


async def test_what_failed_to_render_is_asked_for_again(
    live: Hub, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _subscribed(live)
    failing = True

    def render(parts: frozenset[str], *told: Any) -> Rendered:
        broken = frozenset({"counts"}) & parts if failing else frozenset()
        made = tuple(Fragment(part, f'<p id="{part}"></p>') for part in parts - broken)
        return Rendered(made, failed=broken)

    monkeypatch.setattr(page, "render", render)
    browser = await Browser("parts=counts,capacity").open()
    assert "counts" not in await browser.html("capacity")
    failing = False
    await browser.html("counts", timeout=6)  # although nothing has changed since
    await browser.disconnect()


async def test_who_is_not_logged_in_is_refused(live: Hub) -> None:
    connected, _ = await Browser(user=AnonymousUser()).connect()
    assert not connected


@pytest.mark.parametrize(
    "origin",
    [
        b"http://evil.example", b"http://testserver:9999", b"http://testserver.evil.example",
        b"null", b"",
    ],
)
async def test_another_origin_is_refused(live: Hub, origin: bytes) -> None:
    browser = Browser(headers=[(b"host", b"testserver"), (b"origin", origin)])
    connected, _ = await browser.connect()
    assert not connected


async def test_an_admission_that_is_revoked_ends_its_sockets_and_no_other(
    live: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _subscribed(live)
    browsers = []
    for name in ("link:1", "link:2"):
        monkeypatch.setattr(
            consumers, "access", lambda scope, name=name: Access(may_act=True, admission=name)
        )
        browsers.append(await Browser("parts=").open())
    await asyncio.to_thread(bus.publish_revoked, ["link:1", "link:3"])
    closed = await browsers[0].receive_output(timeout=3)
    assert (closed["type"], closed["code"]) == ("websocket.close", consumers.POLICY_VIOLATION)
    assert await browsers[1].receive_nothing(timeout=0.3)
    for browser in browsers:
        await browser.disconnect()


async def test_no_origin_is_refused(live: Hub) -> None:
    connected, _ = await Browser(headers=[(b"host", b"testserver")]).connect()
    assert not connected


@pytest.mark.parametrize(
    "text",
    ["nonsense", "[1]", '{"ack": "x"}', '{"rows": 5}', "[" * 3000, '{"remove": 10, "ack": 1}'],
)
async def test_a_message_that_makes_no_sense_ends_the_connection(live: Hub, text: str) -> None:
    browser = await Browser("parts=").open()
    await browser.send_to(text_data=text)
    closed = await browser.receive_output(timeout=2)
    assert (closed["type"], closed["code"]) == ("websocket.close", consumers.POLICY_VIOLATION)


async def test_a_message_that_is_too_long_or_binary_ends_the_connection(live: Hub) -> None:
    for sent in ({"text_data": " " * 5000}, {"bytes_data": b"x"}, {"bytes_data": b"12345"}):
        browser = await Browser("parts=").open()
        await browser.send_to(**sent)
        closed = await browser.receive_output(timeout=2)
        assert (closed["type"], closed["code"]) == ("websocket.close", consumers.TOO_BIG)


async def test_the_server_asks_for_a_reconnect_now_and_then(
    live: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "RECONNECT_S", 0.1)
    browser = await Browser("parts=").open()
    closed = await browser.receive_output(timeout=2)
    assert (closed["type"], closed["code"]) == ("websocket.close", 1012)


@pytest.mark.django_db(transaction=True)
async def test_a_session_opens_the_door_and_its_end_closes_it(live: Hub) -> None:
    await _subscribed(live)
    client = Client()

    def cookie() -> bytes:
        client.force_login(User.objects.create_user("anna"))
        return f"{client.cookies.output(header='', sep=';').split(';')[0].strip()}".encode()

    session = await asyncio.to_thread(cookie)
    for headers, expected in (
        ([*ORIGIN, (b"cookie", session[:-4] + b"0000")], False),
        ([*ORIGIN, (b"cookie", session)], True),
    ):
        browser = _Communicator(
            AuthMiddlewareStack(LiveConsumer.as_asgi()), "/live/?parts=", headers
        )
        connected, _ = await browser.connect()
        assert connected is expected
    answer = await asyncio.to_thread(client.post, "/logout/")
    assert answer.status_code == 302
    closed = await browser.receive_output(timeout=3)
    assert (closed["type"], closed["code"]) == ("websocket.close", consumers.POLICY_VIOLATION)
    await browser.disconnect()


def _by_link(token_id: int | None, query: str = "parts=cores,operations") -> Browser:
    browser = Browser(query, user=AnonymousUser())
    browser.scope["wall"] = token_id
    return browser


async def test_a_walls_link_watches_and_may_ask_for_nothing_else(
    live: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "opens_wall", lambda token_id: True)
    await _subscribed(live)
    assert not (await _by_link(None).connect())[0]
    assert not (await _by_link(7, "parts=cores&console=fd-000001").connect())[0]
    browser = await _by_link(7).open()
    await browser.frame(Kind.CORES)
    assert all(fragments.OPERATIONS not in viewer.parts for viewer in live._viewers)
    await browser.say(rows=[1])
    assert await _closed_with(browser) == 1008


async def test_a_revoked_link_goes_dark_while_it_watches(
    live: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    works = [True]
    monkeypatch.setattr(tokens, "opens_wall", lambda token_id: works[0])
    for module in (wall_links, consumers):
        monkeypatch.setattr(module, "CHECK_S", 0.1)
    browser = await _by_link(8).open()
    await asyncio.sleep(0.5)
    await browser.say(hidden=True)  # still open
    works[0] = False
    assert await _closed_with(browser) == 1008


async def _closed_with(browser: Browser) -> int:
    while True:
        output = await browser.receive_output(timeout=3)
        if output["type"] == "websocket.close":
            return int(output["code"])
