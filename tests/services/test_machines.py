"""A page asks, a worker answers: through a real Redis, about a real qemu."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from devices.qemu.guest_folder import GuestFolder
from devices.qemu.process_identity import ProcessIdentity
from devices.services import dispatch, guests, machines
from devices.states import State
from tests.qemu.test_qmp import answering, empty_machine
from tests.rows import a_device, a_host

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server")]
SERIAL = "fd-000077"


@pytest.fixture
def a_worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What is sent to the host's queue is done at once, in another thread."""
    threads: list[threading.Thread] = []

    def send(task: str, host_name: str, serial: str, ticket: str) -> None:
        assert (task, host_name) == ("machine_status", "here")
        threads.append(threading.Thread(target=machines.answer, args=(serial, ticket)))
        threads[-1].start()

    monkeypatch.setattr(dispatch, "to_host", send)
    yield
    for thread in threads:
        thread.join(60)


@pytest.mark.usefixtures("a_worker")
def test_qemu_itself_says_how_the_machine_is(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WAIT_S", "QMP_WAIT_S"):
        monkeypatch.setattr(machines, name, 30.0)
    device = a_device(a_host("here"), serial=SERIAL)
    folder = GuestFolder(guests.folder(SERIAL))
    folder.create()
    me = ProcessIdentity.of(os.getpid())
    folder.record(me)
    with empty_machine(folder.qmp_socket) as path:
        answering(path)
        status = machines.ask(device)
    assert (status.status, status.sentence) == ("prelaunch", "")
    assert status.took_s is not None and status.took_s > 0
    assert "could not be asked" in machines.ask(device).sentence  # a process without a socket
    folder.record(replace(me, start_time=1))
    ended = machines.ask(device)
    assert (ended.status, ended.sentence) == ("", "Its qemu process is not running.")
    folder.remove()


def test_a_worker_that_does_not_answer_is_said_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "to_host", lambda *told: None)
    monkeypatch.setattr(machines, "WAIT_S", 0.2)
    status = machines.ask(a_device(a_host("here")))
    assert status.sentence.startswith("The worker of here did not answer within 0.2 s")


def test_a_device_without_a_guest_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "to_host", lambda *told: pytest.fail("asked"))
    assert "there is no qemu" in machines.ask(a_device(a_host("here"), state=State.OFF)).sentence


def test_a_worker_takes_no_strange_ticket_and_no_strange_serial(redis_server: str) -> None:
    from devices.services import bus

    machines.answer(SERIAL, "fleet:presence")
    assert bus.client().keys("*") == []
    ticket = "0" * 32
    machines.answer("../../etc", ticket)
    found = bus.client().lpop(f"fleet:answer:{ticket}")
    assert isinstance(found, bytes) and b"is no serial" in found
