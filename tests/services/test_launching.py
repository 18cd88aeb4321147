from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from devices.models import Device, Host
from devices.qemu.errors import DidNotWake, QemuError
from devices.qemu.launch import StartedGuest
from devices.qemu.process_identity import ProcessIdentity, current_boot_id
from devices.qemu.template import Template
from devices.services import bus, guests, launching, starting, templates
from devices.states import State
from tests.rows import a_device, a_host, a_sample

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server")]

TEMPLATE = Template("key", Path("/nowhere"), -1, 0, Path("/nowhere/state"))
A_GUEST = StartedGuest(ProcessIdentity(current_boot_id(), 4_000_000, 1), [])


@pytest.fixture
def host(settings: Any, tmp_path: Path) -> Host:
    settings.VAR_DIR = tmp_path
    guests.guests_folder().mkdir()
    bus.publish_host_sample("here", a_sample())
    return a_host("here")


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What the template's keeper is told became of its clones."""
    told: list[object] = []
    monkeypatch.setattr(templates, "clones_became", lambda *of: told.append(of))
    return told


def waking(monkeypatch: pytest.MonkeyPatch, *outcomes: QemuError | None) -> list[bool]:
    """There is a template; the n-th clone becomes the n-th outcome, and all cold ones start."""
    rounds: list[bool] = []

    def start_all(
        devices: Sequence[Device], host: Host, template: object, begun: object
    ) -> dict[str, Any]:
        rounds.append(template is not None)
        errors = list(outcomes) if template is not None else [None] * len(devices)
        return {
            device.serial: error or A_GUEST
            for device, error in zip(devices, errors, strict=True)
        }

    monkeypatch.setattr(templates, "current", lambda host, firmware: TEMPLATE)
    monkeypatch.setattr(starting, "start_all", start_all)
    return rounds


def test_where_no_guest_can_be_started_each_device_fails_with_the_reason(host: Host) -> None:
    Host.objects.update(accelerators={})
    device = a_device(host, state=State.REQUESTED, start="warm")
    launching.launch("here")
    device.refresh_from_db()
    assert device.state == State.FAILED
    assert "No accelerator is proven" in device.reason
    assert "/hosts/here/ says why" in device.reason


def test_a_serial_that_is_a_path_fails_alone(host: Host) -> None:
    host.accelerators = {"arm64": {"accelerator": "tcg"}}
    host.save()
    device = a_device(host, state=State.REQUESTED, start="cold", serial="../x")
    launching.launch("here")
    device.refresh_from_db()
    assert (device.state, "is no serial" in device.reason) == ("failed", True)


def test_a_clone_that_does_not_wake_is_started_cold_and_the_keeper_is_told(
    host: Host, monkeypatch: pytest.MonkeyPatch, judged: list[object]
) -> None:
    for _ in range(2):
        a_device(host, state=State.REQUESTED, start="warm")
    error = DidNotWake("bad state")
    rounds = waking(monkeypatch, None, error)
    launching.launch("here")
    assert rounds == [True, False]
    assert judged == [("here", "arm64", TEMPLATE, [A_GUEST, error])]
    assert list(Device.objects.values_list("state", "start")) == [
        ("booting", "warm"), ("booting", "cold"),
    ]


def test_a_round_that_fills_every_place_is_one_round_of_few_statements(
    host: Host, settings: Any, monkeypatch: pytest.MonkeyPatch,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    settings.LAUNCH_WIDTH = 3
    for _ in range(6):
        a_device(host, state=State.REQUESTED, start="warm")
    waking(monkeypatch, None, None, None)
    with django_assert_max_num_queries(14):
        launching.launch("here")
    assert [d.state for d in Device.objects.all()] == ["booting"] * 3 + ["requested"] * 3


def test_what_a_round_started_is_written_down_device_by_device(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    devices = [a_device(host, state=State.REQUESTED, start="warm") for _ in range(3)]

    def start_all(
        asked: Sequence[Device], host: Host, template: object, begun: object
    ) -> dict[str, Any]:
        # one reports before it is written down, another is removed meanwhile
        Device.objects.filter(id=devices[1].id).update(state=State.ONLINE)
        Device.objects.filter(id=devices[2].id).update(state=State.STOPPING)
        return {
            d.serial: StartedGuest(
                ProcessIdentity(current_boot_id(), 4_000_000 + d.id, d.id), ["qemu", d.serial]
            )
            for d in asked
        }

    monkeypatch.setattr(templates, "current", lambda host, firmware: TEMPLATE)
    monkeypatch.setattr(starting, "start_all", start_all)
    with bus.client().pubsub(ignore_subscribe_messages=True) as heard:
        heard.subscribe(bus.guests_channel("here"))
        heard.get_message(timeout=1)
        launching.launch("here")
        message = heard.get_message(timeout=1)
    assert message is not None
    told = [row[0] for row in json.loads(message["data"])["started"]]
    assert told == [devices[0].serial, devices[1].serial]
    for device in devices:
        device.refresh_from_db()
        assert (device.pid, device.start_time) == (4_000_000 + device.id, device.id)
        assert device.command_line == ["qemu", device.serial]
    assert [d.state for d in devices] == ["booting", "online", "stopping"]


@pytest.mark.parametrize(("alive", "rounds"), [(True, [6]), (False, [4, 2])])
def test_a_zygote_that_has_ended_sets_no_pace(
    host: Host, settings: Any, monkeypatch: pytest.MonkeyPatch, alive: bool, rounds: list[int]
) -> None:
    settings.LAUNCH_WIDTH = 16
    for _ in range(6):
        a_device(host, state=State.REQUESTED, start="warm")
    zygote: Any = SimpleNamespace(is_alive=lambda: alive)
    template = replace(TEMPLATE, zygote=zygote)
    seen: list[int] = []

    def start_all(devices: Sequence[Device], *_: object) -> dict[str, StartedGuest]:
        seen.append(len(devices))
        return {d.serial: A_GUEST for d in devices}

    monkeypatch.setattr(templates, "current", lambda host, firmware: template)
    monkeypatch.setattr(starting, "start_all", start_all)
    launching.launch("here")
    assert seen == rounds


def test_each_row_says_whether_its_own_guest_was_forked(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The zygote may end in the middle of a round; from then on clones start a qemu each."""
    devices = [a_device(host, state=State.REQUESTED, start="warm") for _ in range(2)]
    outcomes = dict(
        zip([d.serial for d in devices], [replace(A_GUEST, forked=True), A_GUEST], strict=True)
    )
    monkeypatch.setattr(templates, "current", lambda host, firmware: TEMPLATE)
    monkeypatch.setattr(starting, "start_all", lambda *_: outcomes)
    launching.launch("here")
    assert list(Device.objects.order_by("id").values_list("forked", flat=True)) == [True, False]
