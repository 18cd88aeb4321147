"""Who is let in at the socket, and what ends a connection: real Redis, consumer and hub."""

from __future__ import annotations

import asyncio

import pytest
from channels.auth import AuthMiddlewareStack
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.sessions.models import Session
from django.db import OperationalError
from django.test import Client

from devices.live import admissions, consumers, fragments
from devices.live.access import Access
from devices.live.consumers import LiveConsumer
from devices.live.frames import Kind
from devices.live.hub import Hub
from devices.live.keyboard import Keyboard
from devices.services import bus, tokens
from tests.live.socket_browser import (
    ORIGIN,
    Browser,
    Communicator,
    subscribed,
)

pytestmark = [pytest.mark.asyncio, pytest.mark.django_db]


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
    await subscribed(live)
    browsers = []
    for name in ("session:1", "session:2"):
        monkeypatch.setattr(
            consumers, "access", lambda scope, name=name: Access(may_act=True, admission=name)
        )
        browsers.append(await Browser("parts=").open())
    await asyncio.to_thread(bus.publish_revoked, ["session:1", "session:3"])
    closed = await browsers[0].receive_output()
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
    closed = await browser.receive_output()
    assert (closed["type"], closed["code"]) == ("websocket.close", consumers.POLICY_VIOLATION)


async def test_a_message_that_is_too_long_or_binary_ends_the_connection(live: Hub) -> None:
    for sent in ({"text_data": " " * 5000}, {"bytes_data": b"x"}, {"bytes_data": b"12345"}):
        browser = await Browser("parts=").open()
        await browser.send_to(**sent)
        closed = await browser.receive_output()
        assert (closed["type"], closed["code"]) == ("websocket.close", consumers.TOO_BIG)


async def test_the_server_asks_for_a_reconnect_now_and_then(
    live: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "RECONNECT_S", 0.1)
    browser = await Browser("parts=").open()
    closed = await browser.receive_output()
    assert (closed["type"], closed["code"]) == ("websocket.close", 1012)


def _logged_in(client: Client) -> bytes:
    """The cookie of a client that logs in."""
    client.force_login(User.objects.create_user("anna"))
    return f"{client.cookies.output(header='', sep=';').split(';')[0].strip()}".encode()


@pytest.mark.django_db(transaction=True)
async def test_a_session_opens_the_door_and_its_end_closes_it(live: Hub) -> None:
    await subscribed(live)
    client = Client()
    session = await asyncio.to_thread(_logged_in, client)
    for headers, expected in (
        ([*ORIGIN, (b"cookie", session[:-4] + b"0000")], False),
        ([*ORIGIN, (b"cookie", session)], True),
    ):
        browser = Communicator(
            AuthMiddlewareStack(LiveConsumer.as_asgi()), "/live/?parts=", headers
        )
        connected, _ = await browser.connect()
        assert connected is expected
    answer = await asyncio.to_thread(client.post, "/logout/")
    assert answer.status_code == 302
    closed = await browser.receive_output()
    assert (closed["type"], closed["code"]) == ("websocket.close", consumers.POLICY_VIOLATION)
    await browser.disconnect()


@pytest.mark.django_db(transaction=True)
async def test_a_session_that_ended_while_redis_was_away_closes_the_door_too(live: Hub) -> None:
    cookie = await asyncio.to_thread(_logged_in, Client())
    browser = Communicator(
        AuthMiddlewareStack(LiveConsumer.as_asgi()), "/live/?parts=", [*ORIGIN, (b"cookie", cookie)]
    )
    await browser.connect()
    await live._connected()
    await live.admissions.look()
    assert live._viewers
    await asyncio.to_thread(Session.objects.all().delete)
    await live._connected()
    await live.admissions.look()
    assert await _closed_with(browser) == consumers.POLICY_VIOLATION
    await browser.disconnect()


async def test_a_browser_is_forgotten_though_its_keyboard_cannot_be_put_away(
    live: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(keyboard: Keyboard, why: str) -> None:
        raise OperationalError("the database is away")

    monkeypatch.setattr(Keyboard, "end", away)
    browser = await Browser("parts=&console=fd-1").open()
    assert live._viewers
    with pytest.raises(OperationalError):
        await browser.disconnect()
    assert not live._viewers


def _by_link(token_id: int | None, query: str = "parts=cores,operations") -> Browser:
    browser = Browser(query, user=AnonymousUser())
    browser.scope["wall"] = token_id
    return browser


async def test_a_walls_link_watches_and_may_ask_for_nothing_else(
    live: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "opens_wall", lambda token_id: True)
    await subscribed(live)
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
    monkeypatch.setattr(admissions, "LINK_EVERY_S", 0.0)
    browser = await _by_link(8).open()
    await live.admissions.look()
    assert live._viewers
    works[0] = False
    await live.admissions.look()
    assert await _closed_with(browser) == 1008


async def _closed_with(browser: Browser) -> int:
    while True:
        output = await browser.receive_output()
        if output["type"] == "websocket.close":
            return int(output["code"])


@pytest.mark.parametrize("named", ["device=../x", "device=" + "9" * 17, "console=a%20b"])
async def test_a_strange_serial_is_refused(live: Hub, named: str) -> None:
    connected, _ = await Browser(f"parts=&{named}").connect()
    assert not connected


