from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from devices.models import Device, Host
from devices.qemu.errors import DiskFull, GuestSpawnFailed, QemuError
from devices.qemu.launch import StartedGuest
from devices.qemu.process_identity import ProcessIdentity, current_boot_id
from devices.services import bus, guests, launching, starting, templates
from devices.states import State
from tests.rows import a_device, a_host, a_sample

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server")]


@pytest.fixture
def host(settings: Any, tmp_path: Path) -> Host:
    settings.VAR_DIR = tmp_path
    guests.guests_folder().mkdir()
    bus.publish_host_sample("here", a_sample())
    return a_host("here")


@pytest.fixture
def discarded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    reasons: list[str] = []
    monkeypatch.setattr(templates, "discard", lambda host_name, reason: reasons.append(reason))
    return reasons


def waking(monkeypatch: pytest.MonkeyPatch, *outcomes: QemuError | None) -> list[bool]:
    """There is a template; the n-th clone becomes the n-th outcome, and all cold ones start."""
    rounds: list[bool] = []

    def start_all(devices: Sequence[Device], host: Host, template: object) -> dict[str, Any]:
        rounds.append(template is not None)
        identity = ProcessIdentity(current_boot_id(), 4_000_000, 1)
        errors = list(outcomes) if template is not None else [None] * len(devices)
        return {
            device.serial: error or StartedGuest(identity, [])
            for device, error in zip(devices, errors, strict=True)
        }

    monkeypatch.setattr(templates, "current", lambda host, firmware: object())
    monkeypatch.setattr(starting, "start_all", start_all)
    return rounds


def test_where_no_guest_can_be_started_each_device_fails_with_the_reason(host: Host) -> None:
    device = a_device(host, state=State.REQUESTED, start="warm")
    launching.launch("here")
    device.refresh_from_db()
    assert device.state == State.FAILED
    assert "No accelerator is proven" in device.reason


def test_a_serial_that_is_a_path_fails_alone(host: Host) -> None:
    host.accelerators = {"arm64": {"accelerator": "tcg"}}
    host.save()
    device = a_device(host, state=State.REQUESTED, start="cold", serial="../x")
    launching.launch("here")
    device.refresh_from_db()
    assert (device.state, "is no serial" in device.reason) == ("failed", True)


def test_one_clone_that_does_not_wake_costs_no_template(
    host: Host, monkeypatch: pytest.MonkeyPatch, discarded: list[str]
) -> None:
    for _ in range(2):
        a_device(host, state=State.REQUESTED, start="warm")
    rounds = waking(monkeypatch, None, GuestSpawnFailed("it was killed"))
    launching.launch("here")
    assert (rounds, discarded) == ([True, False], [])
    assert list(Device.objects.values_list("state", "start")) == [
        ("booting", "warm"), ("booting", "cold"),
    ]


def test_a_round_of_which_no_clone_wakes_costs_the_template(
    host: Host, monkeypatch: pytest.MonkeyPatch, discarded: list[str]
) -> None:
    for _ in range(2):
        a_device(host, state=State.REQUESTED, start="warm")
    waking(monkeypatch, GuestSpawnFailed("bad state"), GuestSpawnFailed("bad state"))
    launching.launch("here")
    assert discarded == ["No clone of a round woke: bad state"]


def test_a_full_disk_says_nothing_of_the_template(
    host: Host, monkeypatch: pytest.MonkeyPatch, discarded: list[str]
) -> None:
    a_device(host, state=State.REQUESTED, start="warm")
    waking(monkeypatch, DiskFull(Path("/"), 0, 256))
    launching.launch("here")
    assert discarded == []
