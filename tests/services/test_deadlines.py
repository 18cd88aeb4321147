from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from devices.models import Device, Host
from devices.qemu.guest_folder import GuestFolder
from devices.qemu.process_identity import ProcessIdentity, current_boot_id
from devices.services import (
    acting,
    bus,
    deadlines,
    deaths,
    guests,
    powering,
    templates,
    tending,
    transitions,
)
from devices.services.unbroken import Unbroken
from devices.states import State
from tests.rows import a_device, a_host, a_sample
from tests.services.test_powering import Begin, begin

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server")]

__all__ = ["begin"]

LONG_AGO = timezone.now() - timedelta(hours=1)


@pytest.fixture
def host(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A host whose worker has just begun, and whose gateway runs."""
    settings.VAR_DIR = tmp_path
    guests.guests_folder().mkdir()
    monkeypatch.setattr(templates, "prepare", lambda host_name: None)
    monkeypatch.setattr(tending, "_full_at", float("-inf"))
    monkeypatch.setattr(deadlines, "_rounds", Unbroken(deadlines.GAP_S))
    bus.heartbeat(bus.GATEWAY, "here")
    bus.publish_host_sample("here", a_sample())
    return a_host("here")


def states(*devices: Device) -> list[str]:
    for device in devices:
        device.refresh_from_db()
    return [device.state for device in devices]


def a_disk(device: Device) -> Path:
    folder = GuestFolder(guests.folder(device.serial))
    folder.create()
    folder.overlay.write_bytes(b"disk")
    return folder.overlay


def powered_on(host: Host, begin: Begin) -> tuple[Device, Any, Any]:
    """A device that was on before and has long been booting again; its guest, the operation."""
    device = a_device(host, state=State.OFF, boot_id="yesterday", reported_version="0.1.0")
    operation = acting.request("power_on", serials=[device.serial], actor=None)
    transitions.move([device.id], old=State.REQUESTED, new=State.SPAWNING)
    process = begin(device)
    identity = ProcessIdentity.of(process.pid)
    transitions.move(
        [device.id], old=State.SPAWNING, new=State.BOOTING, boot_id=identity.boot_id,
        pid=identity.pid, start_time=identity.start_time,
    )
    Device.objects.filter(id=device.id).update(state_since=LONG_AGO)
    return device, process, operation


def test_the_first_round_after_a_pause_gives_up_nobody(host: Host, begin: Begin) -> None:
    booting, rebooting, powering_off = (
        a_device(host, state=state, state_since=LONG_AGO, boot_id=current_boot_id())
        for state in (State.BOOTING, State.REBOOTING, State.POWERING_OFF)
    )
    processes = [begin(device) for device in (booting, rebooting, powering_off)]
    cut_off = a_device(
        host, state=State.BOOTING, state_since=LONG_AGO, boot_id="yesterday", pid=4_000_000,
        start_time=1,
    )
    disk = a_disk(cut_off)
    for _ in range(2):
        tending.tend("here")
    assert states(booting, rebooting, powering_off) == ["booting", "rebooting", "powering_off"]
    assert [process.poll() for process in processes] == [None] * 3
    assert (states(cut_off), cut_off.reason) == (["off"], guests.CUT_OFF)
    assert disk.exists()


def test_only_time_in_which_the_gateway_ran_counts(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)
    first = deadlines.heard_since("here")
    now += 20.0
    assert deadlines.heard_since("here") == first is not None
    bus.client().delete(bus.heartbeat_key(bus.GATEWAY, "here"))
    assert deadlines.heard_since("here") is None
    device = a_device(host, state=State.BOOTING, state_since=LONG_AGO)
    deadlines.enforce("here", None)
    now += 5.0
    bus.heartbeat(bus.GATEWAY, "here")
    again = deadlines.heard_since("here")
    assert again is not None
    assert again.timestamp() == pytest.approx(now)
    deadlines.enforce("here", again)
    assert states(device) == ["booting"]
    deadlines.enforce("here", LONG_AGO)
    assert states(device) == ["failed"]


def test_one_that_does_not_start_again_is_off_and_keeps_its_disk(
    host: Host, begin: Begin
) -> None:
    device, process, operation = powered_on(host, begin)
    never = a_device(host, state=State.BOOTING, state_since=LONG_AGO)
    bus.append_console({device.serial: b"Kernel panic - not syncing\n"})
    deadlines.enforce("here", LONG_AGO)
    assert process.wait(timeout=10) == -9
    assert (states(device, never), device.pid) == (["off", "failed"], None)
    assert device.reason == (
        "It did not report in within 180 s of booting. Its disk is kept: power it on again. "
        "Its console ends: “Kernel panic - not syncing”"
    )
    (target,) = operation.targets.all()
    assert (target.outcome, target.reason) == ("failed", device.reason)
    tending.sweep("here")
    folder = GuestFolder(guests.folder(device.serial))
    assert [each.name for each in folder.path.iterdir()] == [folder.overlay.name]


def test_one_whose_qemu_ends_while_it_starts_again_is_off_and_keeps_its_disk(
    host: Host, begin: Begin
) -> None:
    device, process, operation = powered_on(host, begin)
    process.kill()
    process.wait()
    never = a_device(host, state=State.BOOTING)
    starting = a_device(host, state=State.SPAWNING, reported_version="0.1.0")
    causes = dict.fromkeys((device.serial, never.serial, starting.serial), deaths.NO_MEMORY)
    assert guests.guests_exited("here", causes) == 2
    # of one that is being started a guest of before has ended
    assert states(device, never, starting) == ["off", "failed", "spawning"]
    assert device.reason.endswith("last said. Its disk is kept: power it on again.")
    assert operation.targets.get().outcome == "failed"
    # it counts among those that died all the same
    assert [each.text[:15] for each in deaths.notices()] == ["2 guests ended "]
    tending.sweep("here")
    powering.keep_off("here")
    assert GuestFolder(guests.folder(device.serial)).overlay.read_bytes() == b"disk"


@pytest.mark.parametrize(("others_report", "distrusted"), [(False, 1), (True, 0)])
def test_clones_that_never_report_cost_the_template_its_trust(
    host: Host, monkeypatch: pytest.MonkeyPatch, others_report: bool, distrusted: int
) -> None:
    said: list[Any] = []
    monkeypatch.setattr(templates, "distrust", lambda *given: said.append(given))
    a_device(host, state=State.BOOTING, start="warm", state_since=LONG_AGO, spawned_at=LONG_AGO)
    a_device(host, start="warm", online_at=LONG_AGO - timedelta(hours=1))
    if others_report:
        a_device(host, start="warm", online_at=timezone.now())
    deadlines.enforce("here", LONG_AGO)
    assert said == [("here", "arm64", LONG_AGO)] * distrusted
