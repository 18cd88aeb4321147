from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from devices.errors import BadRequest, Conflict, DoesNotFit, NotFound
from devices.models import Device, Host, Operation, Tag
from devices.services import (
    acting,
    bus,
    cancelling,
    guests,
    operations,
    retrying,
    transitions,
    undo,
)
from devices.services.matching import Filter
from devices.services.verdicts import verdict
from devices.states import State
from tests.rows import a_device, a_firmware, a_host, a_sample

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server")]

Kind = Operation.Kind


@pytest.fixture
def host(settings: Any, tmp_path: Path) -> Host:
    settings.VAR_DIR = tmp_path
    guests.guests_folder().mkdir()
    made = a_host("here")
    bus.publish_host_sample("here", a_sample())
    return made


def outcomes(operation: Operation) -> dict[str, tuple[str, str]]:
    """Outcome and reason of each target, by serial."""
    return {
        target.device.serial: (target.outcome, target.reason)
        for target in operation.targets.select_related("device")
    }


def state(device: Device) -> str:
    """What a device's row says now."""
    device.refresh_from_db()
    return device.state


def ask(kind: str, devices: Sequence[Device], **more: Any) -> Operation:
    """Ask for an action on these devices, as nobody in particular."""
    return acting.request(kind, serials=[d.serial for d in devices], actor=None, **more)


@pytest.mark.parametrize("kind", [k for k in acting.KINDS if k != Kind.REMOVE])
def test_every_state_is_acted_on_or_has_a_reason(kind: str) -> None:
    for each in State:
        why = verdict(kind, each)
        assert why is None or why.reason.endswith("."), (kind, each)
    assert any(verdict(kind, each) is None for each in State)


def test_a_device_that_cannot_be_acted_on_ends_at_once_with_the_reason(host: Host) -> None:
    on, off, lost = (a_device(host, state=s) for s in (State.ONLINE, State.OFF, State.OFFLINE))
    operation = ask("shut_down", [on, off, lost])
    assert outcomes(operation) == {
        on.serial: ("pending", ""),
        off.serial: ("cancelled", "It is off already."),
        lost.serial: (
            "failed", "It is offline and cannot be told: power it off, and then on again."
        ),
    }
    assert (operation.state, operation.count) == ("running", 3)
    nothing = ask("shut_down", [off])
    assert (nothing.state, nothing.ended_at is None) == ("cancelled", False)


def test_what_makes_no_sense_is_refused(host: Host) -> None:
    device = a_device(host)
    with pytest.raises(BadRequest, match="explode is no action"):
        ask("explode", [device])
    with pytest.raises(BadRequest, match="either serials or a filter"):
        acting.request("reboot", actor=None)
    with pytest.raises(BadRequest, match="takes no parameters"):
        ask("reboot", [device], parameters={"add": ["x"]})
    with pytest.raises(NotFound, match="no device fd-none"):
        acting.request("reboot", serials=[device.serial, "fd-none"], actor=None)
    with pytest.raises(Conflict, match="No device matches"):
        acting.request("reboot", matching=Filter(search="nothing like it"), actor=None)
    assert Operation.objects.count() == 0


def test_all_that_match_are_acted_on_and_a_key_asks_once(host: Host) -> None:
    online = [a_device(host) for _ in range(3)]
    a_device(host, state=State.OFF)
    wanted = Filter(states=(State.ONLINE,))
    first = acting.request("power_off", matching=wanted, actor=None, idempotency_key="k")
    assert set(outcomes(first)) == {d.serial for d in online}
    again = acting.request("power_off", matching=wanted, actor=None, idempotency_key="k")
    assert again.id == first.id
    with pytest.raises(Conflict, match="was used for"):
        acting.request("reboot", matching=wanted, actor=None, idempotency_key="k")


def test_a_removal_of_a_device_that_is_off_takes_its_disk_too(host: Host) -> None:
    off = a_device(host, state=State.OFF, boot_id="b")
    coming = a_device(host, state=State.REQUESTED, boot_id="b")
    operation = ask("remove", [off, coming])
    assert operation.kind == "remove"
    assert (state(off), state(coming)) == ("stopping", "stopping")


def test_powering_on_goes_through_the_boot_loader_and_is_done_when_it_reports(host: Host) -> None:
    device = a_device(
        host, state=State.OFF, start="warm", boot_id="b", attempts=3, online_at=timezone.now()
    )
    never = a_device(host, state=State.OFF, start="warm")
    operation = ask("power_on", [device, never])
    for each in (device, never):
        each.refresh_from_db()
    assert (device.state, device.start, device.attempts) == ("requested", "cold", 0)
    assert (device.online_at, never.start) == (None, "warm")
    for each in (device, never):
        transitions.move([each.id], old=State.REQUESTED, new=State.SPAWNING)
        transitions.move([each.id], old=State.SPAWNING, new=State.ONLINE)
    assert operations.get(operation.id).state == "succeeded"


def test_more_than_fits_is_not_powered_on(host: Host, settings: Any) -> None:
    settings.MEMORY_RESERVE_MIB, settings.DEVICE_COST_MIB = 1000, 100
    bus.publish_host_sample("here", a_sample(available_mib=1250))
    off = [a_device(host, state=State.OFF, boot_id="b") for _ in range(3)]
    with pytest.raises(DoesNotFit, match="3 devices do not fit on here: 2 can be powered on"):
        ask("power_on", off)
    assert {state(d) for d in off} == {"off"}
    x64 = a_firmware(architecture="x64")
    other = a_device(host, state=State.OFF, boot_id="b", firmware=x64)
    Host.objects.update(accelerators=dict.fromkeys(("arm64", "x64"), {"accelerator": "tcg"}))
    with pytest.raises(DoesNotFit, match="1 device does not fit on here: 0 can be powered on"):
        ask("power_on", [*off[:2], other])
    ask("power_on", off[:2])
    with pytest.raises(DoesNotFit, match="0 can be powered on now"):
        ask("power_on", off[2:])


def test_devices_that_are_off_leave_their_memory_to_others(host: Host) -> None:
    from devices.services import capacity

    before = capacity.fleet_capacity()
    for _ in range(3):
        a_device(host, state=State.OFF)
    assert capacity.fleet_capacity() == before


def test_a_cancelled_power_on_leaves_what_waited_off(host: Host) -> None:
    waiting, begun = (a_device(host, state=State.OFF, boot_id="b") for _ in range(2))
    operation = ask("power_on", [waiting, begun])
    transitions.move([begun.id], old=State.REQUESTED, new=State.SPAWNING)
    cancelling.cancel(operation.id, None)
    assert (state(waiting), state(begun)) == ("off", "spawning")
    transitions.move([begun.id], old=State.SPAWNING, new=State.OFF, reason="Not started: no")
    assert outcomes(operation) == {
        waiting.serial: ("cancelled", "cancelled"), begun.serial: ("failed", "Not started: no")
    }


def test_powering_off_begins_at_once_and_is_done_when_the_guest_has_ended(host: Host) -> None:
    online, waiting = a_device(host), a_device(host, state=State.REQUESTED)
    spawning = a_device(host, state=State.SPAWNING)
    operation = ask("power_off", [online, waiting, spawning])
    assert [state(d) for d in (online, waiting, spawning)] == [
        "powering_off", "off", "spawning"
    ]
    assert operations.get(operation.id).done == 1
    with pytest.raises(Conflict, match="already being ended"):
        cancelling.cancel(operation.id, None)


def test_tags_are_given_and_taken_back(host: Host) -> None:
    devices = [a_device(host) for _ in range(2)]
    operation = ask("tag", devices, parameters={"add": ["Kitchen"]})
    assert operation.state == "succeeded"
    assert Tag.objects.filter(name="kitchen").count() == 2
    assert undo.touches(operations.get(operation.id)) == 2
    back = undo.undo(operation.id, None)
    assert (back.kind, back.state, Tag.objects.count()) == ("tag", "succeeded", 0)


def test_what_was_powered_off_is_powered_on_again_by_undoing(host: Host) -> None:
    device, moved_on = a_device(host, boot_id="b"), a_device(host, boot_id="b")
    operation = ask("power_off", [device, moved_on])
    for each in (device, moved_on):
        transitions.move([each.id], old=State.POWERING_OFF, new=State.OFF)
    transitions.move([moved_on.id], old=State.OFF, new=State.STOPPING)
    back = undo.undo(operation.id, None)
    assert (back.kind, set(outcomes(back))) == ("power_on", {device.serial})
    with pytest.raises(Conflict, match="A reboot cannot be undone"):
        undo.undo(ask("reboot", [device]).id, None)


def test_what_failed_is_tried_again_and_nothing_else(host: Host) -> None:
    ada = User.objects.create_user("ada")
    fine, lost = a_device(host), a_device(host, state=State.OFFLINE)
    operation = ask("power_on", [fine])
    with pytest.raises(Conflict, match="left to try again"):
        retrying.retry(operation.id, ada)
    operation = ask("reboot", [fine, lost])
    with pytest.raises(Conflict, match="still running"):
        retrying.retry(operation.id, ada)
    transitions.move([fine.id], old=State.ONLINE, new=State.REBOOTING)
    transitions.move([fine.id], old=State.REBOOTING, new=State.ONLINE)
    operation.refresh_from_db()
    assert operation.state == "partly"
    Device.objects.filter(id=lost.id).update(state=State.ONLINE)
    again = retrying.retry(operation.id, ada)
    assert (again.kind, again.retry_of_id, again.actor_id) == ("reboot", operation.id, ada.pk)
    assert set(outcomes(again)) == {lost.serial}


def test_an_addition_is_tried_again_with_as_many_as_failed(host: Host) -> None:
    a_firmware(architecture="x64")
    Host.objects.update(accelerators={"x64": {"accelerator": "tcg"}})
    added = operations.request_add(count=2, actor=None, start="cold", architecture="x64")
    ids = list(added.targets.values_list("device_id", flat=True))
    transitions.move(ids, old=State.REQUESTED, new=State.FAILED, reason="no")
    again = retrying.retry(added.id, None)
    assert (again.kind, again.count, again.retry_of_id) == ("add", 2, added.id)
    anew = Device.objects.filter(targets__operation=again)
    assert set(anew.values_list("start", "firmware__architecture")) == {("cold", "x64")}
