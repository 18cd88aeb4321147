from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from devices.models import Device, Host
from devices.qemu import process_identity
from devices.qemu.guest_folder import GuestFolder
from devices.qemu.process_identity import ProcessIdentity
from devices.services import (
    acting,
    deaths,
    ending,
    guests,
    launching,
    operations,
    powering,
    tending,
    transitions,
)
from devices.states import State
from tests.rows import a_device, a_host

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server")]


@pytest.fixture
def host(settings: Any, tmp_path: Path) -> Host:
    settings.VAR_DIR = tmp_path
    guests.guests_folder().mkdir()
    return a_host("here")


Begin = Any


@pytest.fixture
def begin() -> Iterator[Begin]:
    """Give a device a folder with a disk and a running process that stands for its qemu."""
    processes: list[subprocess.Popen[bytes]] = []

    def begun(device: Device) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        processes.append(process)
        folder = GuestFolder(guests.folder(device.serial))
        folder.create()
        folder.overlay.write_bytes(b"disk")
        folder.qmp_socket.touch()
        folder.record(ProcessIdentity.of(process.pid))
        return process

    yield begun
    for process in processes:
        process.kill()
        process.wait()


def test_the_guest_ends_and_its_disk_stays(host: Host, begin: Begin) -> None:
    device, other = a_device(host), a_device(host)
    process, spared = begin(device), begin(other)
    operation = acting.request("power_off", serials=[device.serial], actor=None)
    powering.end("here")
    assert process.wait(timeout=10) == -9
    assert spared.poll() is None
    device.refresh_from_db()
    assert (device.state, device.reason, device.pid) == ("off", "It was powered off.", None)
    assert operations.get(operation.id).state == "succeeded"
    folder = GuestFolder(guests.folder(device.serial))
    assert [each.name for each in folder.path.iterdir()] == [folder.overlay.name]
    tending.sweep("here")
    assert folder.overlay.read_bytes() == b"disk"


def test_one_that_was_being_started_is_ended_once_it_has_a_guest(
    host: Host, begin: Begin
) -> None:
    device = a_device(host, state=State.SPAWNING)
    operation = acting.request("power_off", serials=[device.serial], actor=None)
    powering.end("here")
    device.refresh_from_db()
    assert device.state == State.SPAWNING
    process = begin(device)
    transitions.move([device.id], old=State.SPAWNING, new=State.BOOTING)
    powering.end("here")
    assert process.wait(timeout=10) == -9
    assert operations.get(operation.id).done == 1


def test_one_that_is_shutting_down_is_not_ended_unless_that_is_asked(
    host: Host, begin: Begin
) -> None:
    device = a_device(host)
    process = begin(device)
    shut_down = acting.request("shut_down", serials=[device.serial], actor=None)
    transitions.move([device.id], old=State.ONLINE, new=State.POWERING_OFF)
    powering.end("here")
    assert process.poll() is None
    acting.request("power_off", serials=[device.serial], actor=None)
    powering.end("here")
    assert process.wait(timeout=10) == -9
    assert operations.get(shut_down.id).state == "succeeded"


Meanwhile = Callable[[], object]


def while_it_ends(monkeypatch: pytest.MonkeyPatch, meanwhile: Meanwhile) -> None:
    """This happens while a round waits for the guests it ends."""

    def end_all(identities: Sequence[ProcessIdentity], **limits: float) -> list[Any]:
        surviving = process_identity.end_all(identities, **limits)
        meanwhile()
        return surviving

    monkeypatch.setattr(ending, "end_all", end_all)


@pytest.mark.parametrize(
    "cause", [deaths.KILLED, deaths.UNKNOWN, deaths.UNSEEN, deaths.IN_ORDER]
)
def test_a_guest_that_is_powered_off_is_no_death(
    host: Host, begin: Begin, monkeypatch: pytest.MonkeyPatch, cause: str
) -> None:
    device = a_device(host)
    begin(device)
    acting.request("power_off", serials=[device.serial], actor=None)
    said = {device.serial: cause}
    while_it_ends(monkeypatch, lambda: guests.guests_exited("here", said))
    powering.end("here")
    device.refresh_from_db()
    assert (device.state, device.reason) == ("off", "It was powered off.")


def test_one_that_is_on_again_while_the_round_still_waits_keeps_its_guest(
    host: Host, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    device, other = a_device(host), a_device(host)
    folder = GuestFolder(guests.folder(device.serial))
    started: list[subprocess.Popen[bytes]] = []

    def on_again() -> None:
        steps = (State.POWERING_OFF, State.OFF, State.REQUESTED, State.SPAWNING, State.BOOTING)
        for old, new in pairwise(steps):
            transitions.move([device.id], old=old, new=new)
        started.append(begin(device))

    begin(device), begin(other)
    acting.request("power_off", serials=[device.serial, other.serial], actor=None)
    while_it_ends(monkeypatch, on_again)
    powering.end("here")
    device.refresh_from_db()
    other.refresh_from_db()
    assert (device.state, other.state) == (State.BOOTING, State.OFF)
    assert folder.read_process() == ProcessIdentity.of(started[0].pid)
    assert folder.qmp_socket.exists()
    assert not GuestFolder(guests.folder(other.serial)).qmp_socket.exists()


def test_a_guest_of_a_device_that_is_off_is_ended(host: Host, begin: Begin) -> None:
    device = a_device(host, state=State.OFF)
    process = begin(device)
    powering.keep_off("here")
    assert process.wait(timeout=10) == -9
    assert GuestFolder(guests.folder(device.serial)).overlay.exists()


@pytest.mark.parametrize(("boot_id", "state"), [("b", "off"), ("", "failed")])
def test_a_device_with_a_disk_is_not_given_up_for_a_start_that_did_not_work(
    host: Host, boot_id: str, state: str
) -> None:
    device = a_device(host, state=State.SPAWNING, boot_id=boot_id)
    launching._not_started(device, OSError("no room"), warm=False)
    device.refresh_from_db()
    assert (device.state, device.reason) == (state, "Not started: no room")
