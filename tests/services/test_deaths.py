from __future__ import annotations

import signal
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from devices.host.endings import Ending
from devices.models import Device, Event, Host, Operation, Target
from devices.qemu.process_identity import current_boot_id
from devices.services import (
    acting,
    bus,
    deaths,
    guests,
    launching,
    room,
    tending,
    transitions,
)
from devices.services.deaths import KILLED, NO_MEMORY
from devices.states import State
from tests.rows import a_device, a_host, a_sample

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server", "standing_clock")]

BY_KILL = Ending(signal=signal.SIGKILL)


@pytest.fixture
def host(settings: Any, tmp_path: Path) -> Host:
    settings.VAR_DIR = tmp_path
    guests.guests_folder().mkdir()
    bus.publish_host_sample("here", a_sample())
    return a_host("here")


def die(host: Host, count: int, cause: str = NO_MEMORY) -> list[Device]:
    devices = [a_device(host) for _ in range(count)]
    assert guests.guests_exited(host.name, {d.serial: cause for d in devices}) == count
    return devices


def told() -> list[str]:
    events = Event.objects.filter(device=None, host__isnull=False).order_by("id")
    return list(events.values_list("text", flat=True))


@pytest.mark.parametrize(
    ("ending", "cause"),
    [
        (BY_KILL, KILLED),
        (Ending(signal=signal.SIGSEGV), "crashed with SIGSEGV"),
        (Ending(signal=signal.SIGTERM), "ended by SIGTERM"),
        (Ending(signal=250), "ended by signal 250"),
        (Ending(status=1), "ended by its own qemu with status 1"),
        (Ending(), "ended for a reason the kernel did not tell"),
    ],
)
def test_each_way_to_end_has_its_words(ending: Ending, cause: str) -> None:
    assert deaths.causes({"a": ending}, 0) == {"a": cause}


def test_sigkill_is_laid_to_want_of_memory_when_the_kernel_counted_such_kills() -> None:
    endings = {"a": BY_KILL, "b": Ending(), "c": Ending(status=1)}
    assert deaths.causes(endings, 1) == {
        "a": NO_MEMORY, "b": NO_MEMORY, "c": "ended by its own qemu with status 1",
    }
    # one kill somewhere does not explain ten
    many = {str(n): BY_KILL for n in range(10)}
    assert set(deaths.causes(many, 4).values()) == {KILLED}


def test_a_mass_death_is_one_event_with_its_cause_and_each_device_keeps_its_own(
    host: Host,
) -> None:
    first, *_ = die(host, 200)
    die(host, 14)
    assert told() == ["214 guests ended at once: killed by the kernel for want of memory."]
    assert [notice.text for notice in deaths.notices()] == told()
    first.refresh_from_db()
    assert (first.state, NO_MEMORY in first.reason) == (State.FAILED, True)
    own = Event.objects.filter(device=first, to_state=State.FAILED).get()
    assert (own.cause, own.from_state) == (NO_MEMORY, "online")


def test_mixed_causes_are_counted(host: Host) -> None:
    die(host, 5, KILLED)
    die(host, 2, "crashed with SIGSEGV")
    assert told() == [f"7 guests ended at once: 5 {KILLED}, 2 crashed with SIGSEGV."]


def test_a_few_deaths_are_told_by_their_rows_unless_it_was_for_want_of_memory(
    host: Host,
) -> None:
    die(host, 4, KILLED)
    assert told() == []
    Event.objects.update(at=timezone.now() - timedelta(seconds=60))
    die(host, 1)
    assert told() == ["1 guest ended: killed by the kernel for want of memory."]


def later(seconds: float) -> None:
    """So much time passes."""
    for event in Event.objects.all():
        Event.objects.filter(id=event.id).update(at=event.at - timedelta(seconds=seconds))


def test_deaths_with_a_quiet_time_between_are_two_events(host: Host) -> None:
    die(host, 6)
    later(8)
    die(host, 6)
    assert told() == ["12 guests ended within 8 s: killed by the kernel for want of memory."]
    later(11)
    die(host, 5)
    assert [text.split()[0] for text in told()] == ["12", "5"]


def test_deaths_without_end_are_a_new_event_now_and_then_and_none_is_told_twice(
    host: Host,
) -> None:
    for _ in range(70):
        die(host, 1)
        later(9)
    counts = [int(text.split()[0]) for text in told()]
    assert len(counts) == 3
    assert sum(counts) == 70


def test_launching_pauses_after_a_mass_death_and_goes_on(host: Host) -> None:
    assert room.room(host, "cold", 2.0) == 4
    die(host, 5)
    assert room.room(host, "cold", 2.0) == 0
    assert bus.held(["here"])["here"].startswith("waits 30 s after a mass death: 5 guests ended")
    waiting = a_device(host, state=State.REQUESTED)
    launching.launch("here")
    waiting.refresh_from_db()
    assert waiting.state == State.REQUESTED
    later(31)
    assert room.room(host, "cold", 2.0) == 4


def test_nothing_that_died_is_started_again(host: Host) -> None:
    die(host, 20)
    later(31)
    tending.tend("here")
    assert set(Device.objects.values_list("state", flat=True)) == {State.FAILED}


@pytest.mark.parametrize("noticed_by", ["worker", "poller"])
def test_devices_whose_machine_was_restarted_are_off_and_keep_their_disks(
    host: Host, noticed_by: str
) -> None:
    cut_off = [
        a_device(host, state=state, boot_id="yesterday", pid=4_000_000, start_time=1)
        for state in (State.ONLINE, State.BOOTING, State.OFFLINE)
    ]
    for device in cut_off:
        guests.folder(device.serial).mkdir()
        (guests.folder(device.serial) / "overlay.qcow2").write_bytes(b"lived")
    died = a_device(host, boot_id=current_boot_id(), pid=4_000_000, start_time=1)
    if noticed_by == "poller":
        guests.guests_exited("here", {d.serial: deaths.UNKNOWN for d in (*cut_off, died)})
    for _ in range(2):
        tending.adopt("here")
        tending.sweep("here")
    states = dict(Device.objects.values_list("serial", "state"))
    assert states == {**{d.serial: State.OFF for d in cut_off}, died.serial: State.FAILED}
    assert all((guests.folder(d.serial) / "overlay.qcow2").exists() for d in cut_off)
    assert told() == [deaths.RESTARTED]
    assert [each.text for each in deaths.notices()] == [deaths.RESTARTED]
    assert not deaths.holding(host)


@pytest.mark.parametrize(("disk", "state"), [(True, State.OFF), (False, State.FAILED)])
def test_one_that_ended_while_nobody_watched_is_off_if_its_disk_is_there(
    host: Host, disk: bool, state: State
) -> None:
    device = a_device(host, reported_version="0.1.0")
    guests.folder(device.serial).mkdir()
    if disk:
        (guests.folder(device.serial) / "overlay.qcow2").write_bytes(b"lived")
    tending.adopt("here")
    device.refresh_from_db()
    assert (device.state, "gone while nobody watched" in device.reason) == (state, True)


@pytest.mark.parametrize(
    ("state", "boot_id", "asked"),
    [
        (State.BOOTING, "", False), (State.BOOTING, "yesterday", False),
        (State.POWERING_OFF, "", False), (State.POWERING_OFF, "", True), (State.ONLINE, "", True),
    ],
)
def test_nobody_is_told_that_a_disk_is_kept_which_is_gone(
    host: Host, state: State, boot_id: str, asked: bool
) -> None:
    device = a_device(
        host, state=state, boot_id=boot_id, reported_version="0.1.0", pid=4_000_000, start_time=1
    )
    if asked:
        acting.request("power_off", serials=[device.serial], actor=None)
    tending.adopt("here")
    device.refresh_from_db()
    assert (device.state, deaths.LOST in device.reason) == (State.FAILED, True)
    assert "disk is kept" not in device.reason


@pytest.mark.parametrize("asked", ["power_off", "shut_down"])
def test_a_guest_that_died_when_it_was_to_end_is_off_and_counts_among_the_deaths(
    host: Host, asked: str
) -> None:
    device, waiting = a_device(host), a_device(host)
    serials = [device.serial, waiting.serial]
    operation = acting.request(asked, serials=serials, actor=None)
    transitions.move([device.id], old=State.ONLINE, new=State.POWERING_OFF)
    if asked == "shut_down":  # one that waits for its turn to be told runs as before
        serials.remove(waiting.serial)
    causes = dict.fromkeys(serials, NO_MEMORY)
    assert guests.guests_exited("here", causes) == len(serials)
    for each in Device.objects.filter(serial__in=serials):
        assert (each.state, NO_MEMORY in each.reason, each.pid) == (State.OFF, True, None)
        assert operation.targets.get(device=each).outcome == "done"
    assert told()[0].endswith(f"{NO_MEMORY}.")
    assert "after a mass death" in deaths.holding(host)


def test_a_device_of_which_nobody_knows_how_it_ended_is_off_and_keeps_its_disk(
    host: Host,
) -> None:
    devices = [
        a_device(host, state=state, reported_version="0.1.0", pid=4_000_000, start_time=1)
        for state in (State.ONLINE, State.OFFLINE, State.REBOOTING)
        for _ in range(3)
    ]
    for device in devices:
        guests.folder(device.serial).mkdir()
        (guests.folder(device.serial) / "overlay.qcow2").write_bytes(b"lived")
    causes = [deaths.UNKNOWN, deaths.UNSEEN, KILLED] * 3
    reboot = Operation.objects.create(kind="reboot", count=9, created_at=timezone.now())
    Target.objects.bulk_create(Target(operation=reboot, device=device) for device in devices)
    said = {d.serial: cause for d, cause in zip(devices, causes, strict=True)}
    assert guests.guests_exited("here", said) == 9
    tending.sweep("here")
    for device, cause in zip(devices, causes, strict=True):
        state = device.state
        device.refresh_from_db()
        target = reboot.targets.get(device=device)
        lost = cause == KILLED
        kept = (guests.folder(device.serial) / "overlay.qcow2").exists()
        assert (device.state, device.pid, kept) == ("failed" if lost else "off", None, not lost)
        assert (cause in device.reason, guests.DISK_KEPT in device.reason) == (True, not lost)
        failed = lost or state == State.REBOOTING
        assert target.outcome == ("failed" if failed else "cancelled")
        assert target.reason == device.reason
    # it may have been a death all the same
    assert [text.split()[0] for text in told()] == ["9"]
