"""Typing over the live socket: who may, what all see, when it ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.contrib.auth.models import User

from devices.live.hub import Hub
from devices.models import Device, Event
from devices.services import bus, typists
from tests.live.socket_browser import ANSWER_S, Browser
from tests.rows import a_device, a_host

pytestmark = [pytest.mark.asyncio, pytest.mark.django_db(transaction=True)]
QUERY = "parts=&console=fd-1"


def _rows() -> User:
    a_device(a_host("here"), serial="fd-1")
    return User.objects.create(username="anna")


async def _person() -> User:
    person: User = await database_sync_to_async(_rows)()
    return person


async def _eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + ANSWER_S
    while not await database_sync_to_async(condition)():
        assert time.monotonic() < deadline, "it did not come to pass"
        await asyncio.sleep(0.01)


def _said(text: str) -> Callable[[], bool]:
    return lambda: Event.objects.filter(text__contains=text).exists()


async def test_one_types_and_all_see_who(live: Hub) -> None:
    anna = await _person()
    typing = await Browser(QUERY, user=anna).open()
    watching = await Browser(QUERY, user=anna).open()
    assert "Read only" in await watching.html("console-typist")
    with bus.client().pubsub(ignore_subscribe_messages=True) as keys:
        await asyncio.to_thread(keys.subscribe, typists.keys_channel("here"))
        await watching.say(keys="not asked for\r")
        await typing.say(typing="page-1")
        for browser in (typing, watching):
            said = await browser.html("is typing")
            assert "anna is typing" in said and 'data-by="page-1"' in said
        await typing.say(keys="ls\r")
        message: Any = None
        for _ in range(300):
            message = message or await asyncio.to_thread(keys.get_message, timeout=0.1)
        assert message["data"] == b"fd-1\nls\r"
    await typing.say(typing="")
    assert "Read only" in await watching.html("console-typist")
    await _eventually(_said("(stopped): 3 bytes: “ls ⏎”."))
    await typing.disconnect()
    await watching.disconnect()


async def test_who_leaves_types_no_more(live: Hub) -> None:
    browser = await Browser(QUERY, user=await _person()).open()
    await browser.say(typing="page-1")
    await browser.html("anna is typing")
    await browser.disconnect()
    await _eventually(_said("(its page was left): 0 bytes."))
    assert typists.current("fd-1") is None


async def test_an_idle_keyboard_is_put_down(live: Hub, settings: Any) -> None:
    settings.CONSOLE_IDLE_S = 1
    browser = await Browser(QUERY, user=await _person()).open()
    await browser.say(typing="page-1")
    await browser.html("anna is typing")
    assert "Typing ended" in await browser.html("console-word")
    await _eventually(_said("(nothing was typed for a while)"))
    await browser.disconnect()


async def test_a_refusal_is_told_to_who_asked(live: Hub) -> None:
    anna = await _person()
    await database_sync_to_async(Device.objects.update)(state="failed")
    asking = await Browser(QUERY, user=anna).open()
    other = await Browser(QUERY, user=anna).open()
    await asking.say(typing="page-1")
    assert "fd-1 is failed" in await asking.html("fd-1 is failed")
    assert "fd-1 is failed" not in await other.html("console-typist")
    assert await other.receive_nothing(timeout=0.2)
    await asking.disconnect()
    await other.disconnect()


async def test_too_much_at_once_is_left_out_and_said(live: Hub) -> None:
    browser = await Browser(QUERY, user=await _person()).open()
    await browser.say(typing="page-1")
    await browser.html("anna is typing")
    for _ in range(10):
        await browser.say(keys="x" * 4000)
    assert "4000 bytes were left out" in await browser.html("left out")
    await browser.disconnect()


@pytest.mark.parametrize("message", [{"typing": 7}, {"keys": ["x"]}])
async def test_nonsense_ends_the_connection(live: Hub, message: dict[str, Any]) -> None:
    browser = await Browser(QUERY, user=await _person()).open()
    await browser.say(**message)
    while (said := await browser.receive_output())["type"] != "websocket.close":
        pass
    assert said["code"] == 1008


async def test_without_a_console_there_is_no_keyboard(live: Hub) -> None:
    browser = await Browser("parts=cores", user=await _person()).open()
    await browser.say(typing="page-1")
    while (said := await browser.receive_output())["type"] != "websocket.close":
        pass
    assert said["code"] == 1008
