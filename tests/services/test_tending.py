from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from devices.models import Device, Host
from devices.qemu.guest_folder import GuestFolder
from devices.qemu.process_identity import ProcessIdentity
from devices.services import (
    bus,
    guests,
    launching,
    reaping,
    retention,
    strangers,
    tending,
    transitions,
)
from devices.states import State
from tests.rows import a_device, a_host
from tests.services.test_powering import Begin, begin

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server")]

__all__ = ["begin"]


@pytest.fixture
def host(settings: Any, tmp_path: Path) -> Host:
    settings.VAR_DIR = tmp_path
    guests.guests_folder().mkdir()
    return a_host("here")


def begun_meanwhile(device: Device, monkeypatch: pytest.MonkeyPatch, then: State) -> None:
    """The launching thread takes the device in hand just after it was asked what it holds."""

    def in_hand() -> set[int]:
        before = set(held)
        held.add(device.id)
        transitions.move([device.id], old=State.REQUESTED, new=State.SPAWNING)
        if then is State.STOPPING:
            transitions.move([device.id], old=State.SPAWNING, new=State.STOPPING)
        return before

    held: set[int] = set()
    monkeypatch.setattr(launching, "in_hand", in_hand)


def test_adopting_takes_nothing_back_that_is_just_being_started(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = a_device(host, state=State.REQUESTED)
    begun_meanwhile(device, monkeypatch, State.SPAWNING)
    tending.adopt("here")
    device.refresh_from_db()
    assert device.state == State.SPAWNING


def test_reaping_leaves_a_guest_that_is_just_being_started_to_its_starter(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = a_device(host, state=State.REQUESTED)
    begun_meanwhile(device, monkeypatch, State.STOPPING)
    reaping.reap("here")
    device.refresh_from_db()
    assert device.state == State.STOPPING


def test_a_device_that_is_started_again_has_no_process_of_before(host: Host) -> None:
    device = a_device(host, state=State.SPAWNING, pid=4_000_000, start_time=1, boot_id="x")
    tending.adopt("here")
    device.refresh_from_db()
    assert (device.state, device.pid, device.start_time) == ("requested", None, None)
    transitions.move([device.id], old=State.REQUESTED, new=State.SPAWNING)
    assert guests.living_guests("here") == []


def test_a_stray_that_survives_keeps_its_folder(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = ProcessIdentity.of(os.getpid())
    for serial, pid in (("fd-900001", own.pid), ("fd-900002", 4_000_000)):
        folder = guests.folder(serial)
        folder.mkdir()
        (folder / "process").write_text(f"{own.boot_id} {pid} {own.start_time}\n")

    def survives(identities: Iterable[ProcessIdentity], **limits: float) -> list[Any]:
        return [each for each in identities if each == own]

    monkeypatch.setattr(tending, "end_all", survives)
    tending.sweep("here")
    assert [each.name for each in guests.guests_folder().iterdir()] == ["fd-900001"]


def test_a_failed_device_without_a_folder_is_done_with(host: Host) -> None:
    device = a_device(host, state=State.FAILED, pid=4_000_000, start_time=1)
    tending.sweep("here")
    device.refresh_from_db()
    assert (device.pid, device.start_time) == (None, None)


def test_what_was_said_of_devices_that_are_gone_is_forgotten(host: Host) -> None:
    online, gone = a_device(host), a_device(host, state=State.GONE)
    bus.heard_from([online.serial, gone.serial, "fd-unknown"], 1.0)
    bus.client().hset(bus.HEALTH, mapping={gone.serial: b"{}", online.serial: b"{}"})
    retention.tidy()
    assert bus.remembered() == {online.serial}


def test_what_is_no_guests_folder_is_left_alone(host: Host) -> None:
    (guests.guests_folder() / "lost+found").mkdir()
    (guests.guests_folder() / "fd-900001").mkdir()
    tending.sweep("here")
    assert [each.name for each in guests.guests_folder().iterdir()] == ["lost+found"]


def test_the_disks_of_another_database_are_left_alone(
    host: Host,
    begin: Begin,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(strangers, "_told", set())
    guest = begin(Device(serial="fd-900001"))
    running, off, stray = (GuestFolder(guests.folder(f"fd-90000{n}")) for n in (1, 2, 3))
    off.create()
    off.overlay.write_bytes(b"disk")
    an_hour_ago = time.time() - 3600
    for each in (running.process, off.overlay):
        os.utime(each, (an_hour_ago, an_hour_ago))
    for _ in range(2):
        tending.sweep("here")
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "does not know: 2" in caplog.text
    assert "DATABASE_URL" in caplog.text
    # nor are they strays of the first device that is added to it
    a_device(host)
    stray.create()
    stray.overlay.write_bytes(b"disk")
    os.utime(stray.overlay, (time.time() + 1, time.time() + 1))
    tending.sweep("here")
    assert guest.poll() is None
    left = {each.name for each in guests.guests_folder().iterdir()}
    assert left == {"fd-900001", "fd-900002"}
    assert (running.overlay.exists(), off.overlay.exists()) == (True, True)
