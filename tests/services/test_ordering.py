from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from devices.models import Device, Host, Operation
from devices.qemu.process_identity import current_boot_id
from devices.services import (
    acting,
    bus,
    cancelling,
    deadlines,
    deaths,
    guests,
    operations,
    ordering,
    orders,
    reporting,
    room,
    silence,
)
from devices.states import State
from tests.rows import a_device, a_firmware, a_host, a_sample

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("redis_server")]


@pytest.fixture
def host(redis_server: object, settings: Any, tmp_path: Any) -> Host:
    settings.VAR_DIR = tmp_path
    guests.guests_folder().mkdir()
    made = a_host("here")
    bus.publish_host_sample("here", a_sample())
    return made


@pytest.fixture
def heard(redis_server: object) -> Iterator[Any]:
    """What the gateways are told: call it for the orders since the last call."""
    listener: Any = bus.client().pubsub(ignore_subscribe_messages=True)
    listener.subscribe(orders.CHANNEL)
    listener.get_message(timeout=2.0)

    def read() -> list[tuple[str, list[str]]]:
        found: list[tuple[str, list[str]]] = []
        while (message := listener.get_message(timeout=0.05)) is not None:
            found.append(orders.read(message["data"]))
        return found

    yield read
    listener.close()


def ask(kind: str, devices: list[Device]) -> Operation:
    """Ask for an action on these devices."""
    return acting.request(kind, serials=[d.serial for d in devices], actor=None)


def states(devices: list[Device]) -> list[str]:
    """What the rows say now."""
    for device in devices:
        device.refresh_from_db()
    return [device.state for device in devices]


def reported(device: Device, *, start: str = "cold", uptime_s: float = 0.0) -> None:
    """The device reports in, so long after it began."""
    reporting.reported_in(
        [
            reporting.Report(
                serial=device.serial, version="1", slot="a", start=start, at=time.time(),
                uptime_s=uptime_s,
            )
        ]
    )


def test_as_many_reboot_at_once_as_the_cores_bear_and_the_rest_says_why(
    host: Host, heard: Any
) -> None:
    devices = [a_device(host, reported_start="warm") for _ in range(6)]
    operation = ask("reboot", devices)
    ordering.advance("here")
    assert states(devices) == ["rebooting"] * 4 + ["online"] * 2
    assert heard() == [("reboot", [d.serial for d in devices[:4]])]
    assert operations.get(operation.id).held == (
        "reboots 4 at a time, as many as its cores can bear"
    )
    ordering.advance("here")
    assert heard() == []
    reported(devices[1])
    ordering.advance("here")
    assert heard() == [("reboot", [devices[4].serial])]
    view = operations.get(operation.id)
    assert (view.done, view.pending) == (1, 5)


def test_clones_wait_for_the_memory_that_they_take_as_cold_devices(
    host: Host, heard: Any, settings: Any
) -> None:
    settings.MEMORY_RESERVE_MIB, settings.DEVICE_COST_MIB = 1000, 150
    bus.publish_host_sample("here", a_sample(available_mib=1200))
    clones = [a_device(host, reported_start="warm") for _ in range(2)]
    cold = [a_device(host, reported_start="cold") for _ in range(2)]
    operation = ask("reboot", clones + cold)
    ordering.advance("here")
    # those that have their memory go first, and fill the place that one clone would have
    assert states(clones + cold) == ["online", "online", "rebooting", "rebooting"]
    assert "as memory runs short" in operations.get(operation.id).held
    for device in cold:
        reported(device)
    ordering.advance("here")
    assert states(clones) == ["rebooting", "online"]


def test_devices_of_each_architecture_reboot_as_their_own_memory_allows(
    host: Host, heard: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    arm64, x64 = a_firmware(), a_firmware(architecture="x64")
    devices = [a_device(host, reported_start="warm", firmware=arm64), a_device(host, firmware=x64)]
    asked: list[tuple[str, str]] = []

    def reboots(host: Host, was: str, architecture: str) -> tuple[str, int]:
        asked.append((was, architecture))
        return (f"waits for memory for {architecture}", int(architecture == "x64"))

    monkeypatch.setattr(room, "reboots", reboots)
    operation = ask("reboot", devices)
    ordering.advance("here")
    assert asked == [("cold", "x64"), ("warm", "arm64")]
    assert states(devices) == ["online", "rebooting"]
    assert operations.get(operation.id).held == "waits for memory for arm64"


def test_what_waits_can_be_cancelled_and_what_was_told_goes_on(host: Host, heard: Any) -> None:
    devices = [a_device(host) for _ in range(6)]
    operation = ask("reboot", devices)
    ordering.advance("here")
    cancelling.cancel(operation.id, None)
    view = operations.get(operation.id)
    assert (view.state, view.cancelled, view.pending) == ("running", 2, 4)
    for device in devices[:4]:
        reported(device)
    ordering.advance("here")
    assert states(devices) == ["online"] * 6
    assert operations.get(operation.id).state == "cancelled"
    assert len(heard()) == 1


def test_only_a_report_of_the_new_boot_ends_a_reboot(host: Host) -> None:
    device = a_device(host)
    operation = ask("reboot", [device])
    ordering.advance("here")
    Device.objects.update(state_since=timezone.now() - timedelta(seconds=30))
    reported(device, start="warm")
    reported(device, uptime_s=45.0)
    reporting.connected([device.serial])
    silence.notice_silence()
    assert states([device]) == ["rebooting"]
    reported(device, uptime_s=12.0)
    assert states([device]) == ["online"]
    assert operations.get(operation.id).state == "succeeded"


def test_one_that_goes_offline_before_its_turn_is_not_told(host: Host, heard: Any) -> None:
    devices = [a_device(host) for _ in range(5)]
    last = devices[4]
    operation = ask("reboot", devices)
    ordering.advance("here")
    # losing its connection and coming back is no reboot
    Device.objects.filter(id=last.id).update(state=State.OFFLINE)
    reporting.connected([last.serial])
    assert states([last]) == ["online"]
    assert operations.get(operation.id).done == 0
    Device.objects.filter(id=last.id).update(state=State.OFFLINE)
    ordering.advance("here")
    (target,) = operation.targets.filter(outcome="failed")
    assert target.device_id == last.id
    assert "cannot be told" in target.reason


@pytest.mark.parametrize("kind", ["reboot", "shut_down"])
def test_an_order_that_no_gateway_could_hand_over_fails(kind: str, host: Host) -> None:
    there, away = a_device(host), a_device(host)
    operation = ask(kind, [there, away])
    ordering.advance("here")
    orders.note_taken([there.serial])
    told_at = timezone.now() - timedelta(seconds=ordering.TAKEN_WITHIN_S + 1)
    Device.objects.update(state_since=told_at)
    bus.client().zadd(orders.TAKEN, {there.serial: time.time() - ordering.TAKEN_WITHIN_S})
    ordering.advance("here")
    assert states([there, away])[1] == "online"
    assert there.state in ("rebooting", "powering_off")
    (target,) = operation.targets.filter(outcome="failed")
    assert (target.device_id, "holds no connection" in target.reason) == (away.id, True)
    assert operations.get(operation.id).state == "running"


def test_a_shut_down_that_does_not_end_says_what_to_do_instead(host: Host) -> None:
    device = a_device(host)
    operation = ask("shut_down", [device])
    ordering.advance("here")
    orders.note_taken([device.serial])
    Device.objects.update(state_since=timezone.now() - timedelta(seconds=61))
    bus.client().zadd(orders.TAKEN, {device.serial: time.time() - 60})
    deadlines.enforce("here", timezone.now() - timedelta(seconds=61))
    assert states([device]) == ["offline"]
    (target,) = operation.targets.all()
    assert target.outcome == "failed"
    assert "did not shut down within 60 s" in target.reason
    assert "power it off" in target.reason


def test_a_guest_told_to_end_is_off_and_no_death_unless_it_crashed(host: Host) -> None:
    told = [a_device(host) for _ in range(6)]
    crashed = a_device(host)
    operation = ask("shut_down", told)
    ordering.advance("here")
    said = dict.fromkeys((d.serial for d in told), deaths.IN_ORDER)
    said[told[0].serial] = deaths.UNKNOWN  # of a kernel that does not tell
    said[told[1].serial] = said[crashed.serial] = "crashed with SIGSEGV"
    # to crash is to die, told to end or not
    assert guests.guests_exited("here", said) == 2
    assert (states(told), states([crashed])) == (["off"] * 6, ["failed"])
    assert (told[0].reason, told[1].reason) == (
        "It shut down.", "It is off, though it did not shut down in order: crashed with SIGSEGV."
    )
    assert operations.get(operation.id).state == "succeeded"
    # five at once would be told of as a mass death
    assert deaths.notices() == []


def test_a_device_that_shuts_itself_down_is_off(host: Host) -> None:
    device = a_device(host, pid=4_000_000, start_time=1, boot_id=current_boot_id())
    guests.guests_exited("here", {device.serial: deaths.IN_ORDER})
    assert states([device]) == ["off"]
    assert (device.reason.startswith("It shut itself down"), device.pid) == (True, None)


def test_what_is_said_on_the_channel_and_is_no_order_is_refused() -> None:
    for message in (b"[]", b'{"order": "explode"}', b"nonsense"):
        with pytest.raises(ValueError):
            orders.read(message)
    assert orders.read(json.dumps({"order": "reboot", "serials": ["a"]}).encode()) == (
        "reboot", ["a"]
    )
