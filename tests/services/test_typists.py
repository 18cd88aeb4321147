"""Typing on consoles: who may, who sees it, what is kept; and floods, from a guest to Redis."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from devices.errors import Conflict, NotFound
from devices.models import Device, Event
from devices.qemu.console_share import BURST_BYTES, BYTES_PER_S
from devices.qemu.guest_folder import GuestFolder
from devices.qemu.unix_socket import listen
from devices.services import bus, consoles, typists
from devices.states import State
from tests.rows import a_device, a_host

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server")]
SERIAL = "fd-1"


def eventually(condition: Callable[[], bool], deadline_s: float = 10.0) -> None:
    until = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.fixture
def device(settings: Any) -> Device:
    return a_device(a_host(settings.HOST_NAME), serial=SERIAL)


@pytest.fixture
def anna() -> User:
    return User.objects.create(username="anna")


@pytest.fixture
def bert() -> User:
    return User.objects.create(username="bert")


def texts(device: Device) -> list[str]:
    return list(Event.objects.filter(device=device).order_by("id").values_list("text", flat=True))


def test_typing_is_kept_as_two_events_of_the_device(device: Device, anna: User) -> None:
    typist = typists.begin(SERIAL, user=anna, by="page")
    assert typists.current(SERIAL) == typist
    for key in (b"l", b"s", b"\r"):
        typists.write(typist, key)
    assert typists.end(typist, "stopped")
    assert not typists.end(typist, "stopped")
    assert typists.current(SERIAL) is None
    began, ended = Event.objects.filter(device=device).order_by("id")
    assert (began.text, began.actor) == ("Typing on the console began.", anna)
    assert ended.actor == anna
    assert "(stopped): 3 bytes: “ls ⏎”." in ended.text


def test_one_person_types_at_a_time(device: Device, anna: User, bert: User) -> None:
    with bus.client().pubsub() as heard:
        heard.subscribe(typists.channel(SERIAL), typists.keys_channel(device.host.name))
        first = typists.begin(SERIAL, user=anna, by="one")
        second = typists.begin(SERIAL, user=bert, by="two")
        assert typists.write(first, b"x") == -1
        assert typists.write(second, b"y") == 1
        assert not typists.end(first, "stopped")
        assert typists.current(SERIAL) == second
        said: list[Any] = []
        while len(said) < 4:
            message = heard.get_message(ignore_subscribe_messages=True, timeout=5.0)
            if message is not None:
                said.append(message["data"])
    assert said == [first.encode().encode(), b"", second.encode().encode(), b"fd-1\ny"]
    assert "(bert took over): 0 bytes." in texts(device)[1]


@pytest.mark.parametrize("state", [State.REQUESTED, State.STOPPING, State.FAILED, State.GONE])
def test_there_must_be_somebody_to_type_to(state: State, device: Device, anna: User) -> None:
    Device.objects.update(state=state)
    with pytest.raises(Conflict, match=SERIAL):
        typists.begin(SERIAL, user=anna, by="page")
    with pytest.raises(NotFound):
        typists.begin("fd-2", user=anna, by="page")
    assert texts(device) == []


def test_what_was_typed_is_kept_up_to_a_bound(device: Device, anna: User) -> None:
    typist = typists.begin(SERIAL, user=anna, by="page")
    for _ in range(5):
        typists.write(typist, b"a" * 4096)
    typists.end(typist, "stopped")
    _, summary, *more = texts(device)
    assert "20480 bytes" in summary
    typed = "".join(re.findall("aa+", " ".join([summary, *more])))
    assert len(typed) == typists.MOST_TYPED_BYTES
    assert more[-1].endswith("is kept)”.")
    assert all(len(text) <= 500 for text in [summary, *more])


def test_typing_of_a_page_that_vanished_ends(
    device: Device, anna: User, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    typist = typists.begin(SERIAL, user=anna, by="page")
    typists.write(typist, b"ls")
    typists.end_abandoned()
    assert typists.current(SERIAL) == typist
    later = time.time() + settings.CONSOLE_IDLE_S + 61
    monkeypatch.setattr(time, "time", lambda: later)
    typists.end_abandoned()
    assert typists.current(SERIAL) is None
    assert "(its page has vanished): 2 bytes: “ls”." in texts(device)[-1]


@pytest.fixture
def guest(
    settings: Any, tmp_path: Path, device: Device, monkeypatch: pytest.MonkeyPatch
) -> Iterator[socket.socket]:
    """The guest's end of the console, with the worker's part at the other."""
    settings.VAR_DIR = tmp_path
    folder = tmp_path / "guests" / SERIAL
    folder.mkdir(parents=True)
    with listen(GuestFolder(folder).console_socket) as listening:
        consoles.start()
        try:
            consoles.follow(SERIAL)
            listening.settimeout(5)
            connection, _ = listening.accept()
            connection.settimeout(10)
            with connection:
                yield connection
        finally:
            consoles.stop()


def test_keys_reach_the_guest_through_redis(
    guest: socket.socket, device: Device, anna: User
) -> None:
    typist = typists.begin(SERIAL, user=anna, by="page")
    eventually(lambda: typists.write(typist, b"") == 1)  # the worker listens
    typists.write(typist, b"ec\nho\r")
    assert guest.recv(64) == b"ec\nho\r"
    guest.sendall(b"hello")
    eventually(lambda: bus.console(SERIAL) == b"hello")


def test_a_guest_that_talks_without_end_floods_nobody(guest: socket.socket) -> None:
    published = 0
    with bus.client().pubsub(ignore_subscribe_messages=True) as heard:
        heard.subscribe(bus.console_channel(SERIAL))
        talking_s, said = 2.0, 0
        began = time.monotonic()

        def talk() -> None:
            nonlocal said
            while time.monotonic() - began < talking_s:
                guest.sendall(b"".join(b"%09d\r\n" % (said + n) for n in range(1000)))
                said += 1000
            guest.sendall(b"the end\r\n")

        talker = threading.Thread(target=talk)
        talker.start()
        newest = b""
        while b"the end" not in newest:
            message: Any = heard.get_message(timeout=10.0)
            if message is not None:
                newest = message["data"]
                published += len(newest)
        lasted_s = time.monotonic() - began
        talker.join()
    assert said * 11 > 1 << 20, "that was no flood"
    assert published < 1.1 * (BURST_BYTES + BYTES_PER_S * lasted_s)
    assert b"left out" in bus.console(SERIAL)
    assert bus.client().strlen(bus.console_channel(SERIAL)) <= 1.5 * bus.CONSOLE_BYTES
