"""The stream of events, from a real web process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from django.db import OperationalError

from devices.api import event_tail
from devices.api.event_tail import Tail
from devices.api.events import EventFilter, Listener
from devices.models import Event, Host
from devices.services import happenings
from devices.services.progress import OperationView
from tests.api.served import ROWS, Served
from tests.rows import a_device, a_host

CLOSED = 7  # TCP_CLOSE of tcp(7)'s states, the first byte of TCP_INFO
MOVE = ROWS + """
from devices.models import Device
from devices.services import transitions
from devices.states import State
devices({serials}, "requested")
ids = list(Device.objects.filter(serial__in={serials}).values_list("id", flat=True))
transitions.move(ids, old=State.REQUESTED, new=State.SPAWNING)
transitions.move(ids, old=State.SPAWNING, new=State.ONLINE, reason="it reported in")
"""


@pytest.fixture
def http(empty: Served) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {empty.token}"}
    limits = httpx.Limits(max_connections=None)
    with httpx.Client(base_url=empty.url, headers=headers, timeout=30, limits=limits) as client:
        yield client


def messages(answer: httpx.Response) -> Iterator[dict[str, Any]]:
    """The messages of a stream, each with the name of its event."""
    fields: dict[str, str] = {}
    for line in answer.iter_lines():
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.strip()
            continue
        if "data" in fields:
            yield {"event": fields["event"], **json.loads(fields["data"])}
        fields = {}


def until(found: Iterator[dict[str, Any]], **values: Any) -> list[dict[str, Any]]:
    """The messages up to the one with these values."""
    seen = []
    for each in found:
        seen.append(each)
        if values.items() <= each.items():
            return seen
    raise AssertionError(f"the stream ended after {seen}")


def test_what_happens_is_told_and_what_was_missed_is_told_again(
    empty: Served, http: httpx.Client
) -> None:
    with http.stream("GET", "/api/v1/events") as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        empty.python(MOVE.format(serials=["fd-000001", "fd-000002"]))
        told = until(messages(answer), serial="fd-000002", to_state="online")
    moves = [(e["serial"], e["from_state"], e["to_state"]) for e in told]
    assert moves == [
        ("fd-000001", "requested", "spawning"), ("fd-000002", "requested", "spawning"),
        ("fd-000001", "spawning", "online"), ("fd-000002", "spawning", "online"),
    ]  # fmt: skip
    assert told[-1]["text"] == "it reported in"
    assert told[0]["host"] == "here"
    last_seen = {"last-event-id": str(told[1]["id"])}
    with http.stream("GET", "/api/v1/events", headers=last_seen) as answer:
        again = until(messages(answer), serial="fd-000002", to_state="online")
    assert again == told[2:]
    query = {"after": told[0]["id"] - 1, "serial": "fd-000001"}
    with http.stream("GET", "/api/v1/events", params=query) as answer:
        hers = until(messages(answer), to_state="online")
    assert [e["serial"] for e in hers] == ["fd-000001", "fd-000001"]


def test_operations_are_told_with_their_progress(http: httpx.Client) -> None:
    with http.stream("GET", "/api/v1/events", params={"kind": "operation"}) as answer:
        begun = http.post("/api/v1/operations", json={"kind": "add", "count": 2}).json()
        found = messages(answer)
        until(found, id=begun["id"], state="running", pending=2)
        http.post(f"/api/v1/operations/{begun['id']}/cancel")
        told = until(found, id=begun["id"], state="cancelled")
    assert {each["event"] for each in told} == {"operation"}


def test_who_asks_for_what_is_not_kept_is_told_to_read_anew(
    empty: Served, http: httpx.Client
) -> None:
    empty.python(MOVE.format(serials=["fd-000001"]))
    empty.rows("delete from devices_event where id = (select min(id) from devices_event)")
    newest = empty.rows("select max(id) from devices_event")[0][0]
    for last_id in (0, newest + 1000):
        with http.stream("GET", f"/api/v1/events?after={last_id}") as answer:
            (first,) = until(messages(answer), event="reset")
        assert "read the lists again" in first["detail"]


def test_more_than_a_hundred_at_once_are_refused_and_a_place_comes_free(
    empty: Served, http: httpx.Client
) -> None:
    begun: list[Iterator[bytes]] = []
    with contextlib.ExitStack() as others:
        for _ in range(event_tail.MOST_LISTENERS):
            answer = others.enter_context(http.stream("GET", "/api/v1/events"))
            assert answer.status_code == 200
            begun.append(answer.iter_raw())
            assert next(begun[-1])
        refused = http.get("/api/v1/events")
        assert refused.status_code == 429
        assert refused.headers["retry-after"] == "5"
        assert refused.json()["detail"].endswith(".")
    deadline = time.monotonic() + 30
    while True:
        with http.stream("GET", "/api/v1/events") as answer:
            if answer.status_code == 200:
                return
        assert time.monotonic() < deadline, "those who left still count"


def test_one_who_does_not_read_is_cut_off(empty: Served) -> None:
    empty.rows(
        "insert into devices_event (at, from_state, to_state, text, cause) "
        "with recursive n(i) as (select 1 union all select i + 1 from n where i < 9500) "
        "select datetime('now'), '', '', printf('%0500d', i), '' from n"
    )
    first = empty.rows("select min(id) from devices_event")[0][0]
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.settimeout(30)
        slow.connect(("127.0.0.1", empty.port))
        slow.sendall(
            f"GET /api/v1/events?after={first - 1} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Authorization: Bearer {empty.token}\r\n\r\n".encode()
        )
        assert slow.recv(1)
        deadline = time.monotonic() + 30
        while slow.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != CLOSED:
            assert time.monotonic() < deadline, "the connection is still there"
            time.sleep(0.05)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_tail, "LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(event_tail, "PING_EVERY_S", 0.05)


async def _first(stream: AsyncIterator[bytes], beginning: bytes) -> bytes:
    async for part in stream:
        if part.startswith(beginning):
            return part
    raise AssertionError("it ended")


@pytest.mark.usefixtures("quick")
@pytest.mark.django_db(transaction=True)
@pytest.mark.asyncio
async def test_a_quiet_stream_says_that_it_lives_and_ends_with_its_token() -> None:
    admitted = True
    tail = Tail()
    stream = Listener(tail, EventFilter(kind=[]), None, lambda: admitted).stream()
    assert await _first(stream, b": ping") == b": ping\n\n"
    admitted = False
    async with asyncio.timeout(20):
        assert [part async for part in stream if part != b": ping\n\n"] == []
    assert tail.listeners == 0


@pytest.mark.usefixtures("quick")
@pytest.mark.django_db(transaction=True)
@pytest.mark.asyncio
async def test_an_event_that_comes_after_one_with_a_larger_id_is_told(db: None) -> None:
    def event(id: int) -> None:
        device = Host.objects.get().devices.get()
        Event.objects.create(id=id, at=device.state_since, device=device, text=f"event {id}")

    tail = Tail()
    await tail.ask(lambda: a_device(a_host()))
    await tail.ask(lambda: event(1))
    stream = Listener(tail, EventFilter(kind=[]), None, lambda: True).stream()
    await anext(stream)
    await tail.ask(lambda: event(4))
    assert b"event 4" in await _first(stream, b"id: 4")
    await tail.ask(lambda: event(3))
    assert b"event 3" in await _first(stream, b"id: 3")
    await stream.aclose()  # type: ignore[attr-defined]


@pytest.mark.usefixtures("quick")
@pytest.mark.django_db(transaction=True)
@pytest.mark.asyncio
async def test_an_event_is_told_though_how_far_operations_are_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def away(last_id: int, running: object) -> list[OperationView]:
        raise OperationalError("the database is away")

    monkeypatch.setattr(happenings, "operations_beyond", away)
    tail = Tail()
    stream = Listener(tail, EventFilter(kind=[]), None, lambda: True).stream()
    await anext(stream)

    def happen() -> None:
        host = a_host()
        Event.objects.create(at=host.registered_at, host=host, text="a caveat")

    await tail.ask(happen)
    async with asyncio.timeout(20):
        assert b"a caveat" in await _first(stream, b"id: ")
    await stream.aclose()  # type: ignore[attr-defined]


@pytest.mark.usefixtures("quick")
@pytest.mark.django_db(transaction=True)
@pytest.mark.asyncio
async def test_one_who_falls_behind_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    tail = Tail()
    tail.kept = type(tail.kept)(maxlen=3)
    monkeypatch.setattr(event_tail, "KEPT", 3)
    stream = Listener(tail, EventFilter(kind=[]), None, lambda: True).stream()
    await anext(stream)

    def happen() -> None:
        host = a_host()
        for number in range(10):
            Event.objects.create(at=host.registered_at, host=host, text=f"event {number}")

    await tail.ask(happen)
    async with asyncio.timeout(20):
        while tail.next_number < 10:
            await asyncio.sleep(0.01)
    assert b"You were too slow" in await _first(stream, b"id: ")
    assert b"event 9" in await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined]


