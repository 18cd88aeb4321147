from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from devices.models import Event, Operation, Tag
from devices.services import bus, machines
from devices.services.machines import MachineStatus
from devices.states import State
from devices.views.device_actions import DETAILS, why_not
from tests.rows import a_device, a_firmware

pytestmark = pytest.mark.django_db


def _page(client: Client, serial: str, query: str = "") -> str:
    answer = client.get(f"/devices/{serial}/{query}")
    assert answer.status_code == 200
    return answer.content.decode()


def _button(page: str, kind: str) -> str:
    found = re.search(rf'<button[^>]*id="press-{kind}"[^>]*>', page)
    assert found
    return found[0]


@pytest.mark.parametrize(
    ("state", "possible"),
    [
        (State.REQUESTED, {"power_off", "remove"}),
        (State.BOOTING, {"power_off", "remove"}),
        (State.ONLINE, {"reboot", "shut_down", "power_off", "remove"}),
        (State.OFFLINE, {"power_off", "remove"}),
        (State.POWERING_OFF, {"power_off", "remove"}),
        (State.OFF, {"power_on", "remove"}),
        (State.FAILED, {"remove"}),
        (State.STOPPING, set()),
        (State.GONE, set()),
    ],
)
def test_what_cannot_be_done_is_off_and_says_why(
    client: Client, fleet_host: Any, state: State, possible: set[str]
) -> None:
    slot = None if state is State.GONE else 3
    page = _page(client, a_device(fleet_host, state=state, slot=slot).serial)
    for kind in DETAILS:
        button = _button(page, kind)
        assert ('aria-disabled="false"' in button) is (kind in possible), kind
        assert ("title=" in button) is (kind not in possible), kind


def test_every_reason_is_a_sentence() -> None:
    for kind in DETAILS:
        for state in State:
            reason = why_not(kind, state)
            assert not reason or (reason[0].isupper() and reason.endswith("."))


def test_shutting_down_and_pulling_the_plug_are_told_apart(
    client: Client, fleet_host: Any
) -> None:
    page = _page(client, a_device(fleet_host, serial="fd-000042").serial)
    asked, pulled = _button(page, "shut_down"), _button(page, "power_off")
    assert 'hx-confirm="Shut down fd-000042?"' in asked and "asked to stop" in asked
    assert 'hx-confirm="Power off fd-000042?"' in pulled and "plug is pulled" in pulled
    for button in (asked, pulled, _button(page, "reboot"), _button(page, "remove")):
        assert "disk" in button


def test_the_timeline_says_when_what_why_who_and_in_which_operation(
    client: Client, anna: User, fleet_host: Any
) -> None:
    device = a_device(fleet_host, state=State.OFF)
    now = timezone.now()
    operation = Operation.objects.create(kind="power_off", count=1, created_at=now)
    Event.objects.create(
        at=now - timedelta(seconds=30), device=device, to_state="online", from_state="booting"
    )
    Event.objects.create(
        at=now, device=device, to_state="off", from_state="powering_off", text="<plug> pulled",
        actor=anna, operation=operation,
    )
    page = _page(client, device.serial)
    first, second = re.findall(r"<li class=\"state-.*?</li>", page, re.DOTALL)
    for said in ("<b>off</b>", "after powering off", "&lt;plug&gt; pulled", "by anna",
                 f"/operations/{operation.id}/"):
        assert said in first
    assert "<b>online</b>" in second and "for 30 s" in second


def test_how_long_it_took_to_come_online_is_counted_from_the_newest_start(
    client: Client, fleet_host: Any
) -> None:
    now = timezone.now()
    device = a_device(fleet_host, requested_at=now - timedelta(days=3), online_at=now)
    Event.objects.create(
        at=now - timedelta(seconds=42), device=device, from_state="off", to_state="requested"
    )
    assert "came online 42 s after it was asked for" in _page(client, device.serial)


def test_a_long_timeline_has_pages(client: Client, fleet_host: Any) -> None:
    device = a_device(fleet_host)
    now = timezone.now()
    for number in range(45):
        Event.objects.create(at=now, device=device, to_state="online", text=f"no. {number}.")
    seen: list[str] = []
    query = ""
    for _ in range(3):
        page = _page(client, device.serial, query)
        seen += re.findall(r"no\. \d+\.", page)
        older = re.search(r'href="(\?before=\d+)" rel="next"', page)
        query = older[1] if older else ""
    assert seen == [f"no. {number}." for number in range(44, -1, -1)]
    assert not query


@pytest.mark.parametrize("before", ["x", "-1", "0", "9" * 19, "9" * 40, "%00"])
def test_a_strange_page_of_the_timeline_falls_back(
    client: Client, fleet_host: Any, before: str
) -> None:
    _page(client, a_device(fleet_host).serial, f"?before={before}")


def test_both_slots_are_told_from_the_report(client: Client, fleet_host: Any) -> None:
    device = a_device(fleet_host, reported_slot="a", reported_version="0.1.0")
    a, b = re.findall(r'<li class="slot.*?</li>', _page(client, device.serial), re.DOTALL)
    assert "0.1.0" in a and ">runs<" in a.replace("/svg>", "svg>") and "boots next" in a
    assert "empty" in b and "no firmware has been written" in b and "runs<" not in b


def test_tags_are_shown_and_lead_to_their_devices(client: Client, fleet_host: Any) -> None:
    device = a_device(fleet_host)
    Tag.objects.create(device=device, name="lab:3")
    page = _page(client, device.serial)
    assert 'href="/devices/?tag=lab%3A3"' in page
    assert 'aria-label="Take the tag lab:3 away"' in page
    Event.objects.create(at=timezone.now(), device=device, text="tagged lab:3")
    assert "tagged lab:3" in _page(client, device.serial)


def test_tagging_from_the_page(client: Client, htmx: Any, fleet_host: Any) -> None:
    device = a_device(fleet_host)
    answer = htmx(f"/devices/{device.serial}/act/tag", {"add": "Lab, east"})
    operation = Operation.objects.get()
    assert f"Tagging {device.serial}." in answer.content.decode()
    assert f'href="/operations/{operation.id}/"' in answer.content.decode()
    assert set(Tag.objects.values_list("name", flat=True)) == {"lab", "east"}
    htmx(f"/devices/{device.serial}/act/tag", {"remove": "east"})
    assert set(Tag.objects.values_list("name", flat=True)) == {"lab"}
    refused = htmx(f"/devices/{device.serial}/act/tag", {"add": "not a tag!"})
    assert refused.status_code == 422 and "is no tag" in refused.content.decode()


def test_what_is_pressed_is_asked_for_once(htmx: Any, anna: User, fleet_host: Any) -> None:
    device = a_device(fleet_host)
    for _ in range(2):
        answer = htmx(f"/devices/{device.serial}/act/power_off", {}, **{"Idempotency-Key": "k"})
        assert f"Powering off {device.serial}." in answer.content.decode()
    operation = Operation.objects.get()
    assert (operation.kind, operation.actor, operation.count) == ("power_off", anna, 1)


def test_what_cannot_be_done_is_a_sentence_however_it_is_asked(
    client: Client, htmx: Any, fleet_host: Any
) -> None:
    device = a_device(fleet_host)
    assert htmx(f"/devices/{device.serial}/act/explode").status_code == 422
    assert htmx("/devices/fd-999999/act/reboot").status_code == 404
    assert client.get(f"/devices/{device.serial}/act/reboot").status_code == 405
    assert not Operation.objects.exists()


def test_how_it_is_now(
    client: Client, fleet_host: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_firmware()
    device = a_device(fleet_host, slot=9)
    monkeypatch.setattr(bus, "guests_sample", lambda host: [[9, 12, 90 << 10, 7 << 10]])
    page = _page(client, device.serial)
    assert "1.2 % of a core · 90.0 MiB resident · 7.0 MiB for itself" in page
    assert "The device has told nothing of its load and memory yet" in page


def test_a_device_that_has_moved_meanwhile_says_so(htmx: Any, fleet_host: Any) -> None:
    device = a_device(fleet_host, state=State.OFF)
    answer = htmx(f"/devices/{device.serial}/act/reboot")
    assert answer.status_code == 409
    assert f"{device.serial}: It is off: power it on instead." in answer.content.decode()


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (MachineStatus(status="running", took_s=0.0123), "<b>running</b>: its processors run"),
        (MachineStatus(status="running", took_s=0.0123), "qemu answered in 12 ms"),
        (MachineStatus(sentence="The worker of here did not answer."), "did not answer."),
    ],
)
def test_what_qemu_says_of_the_machine(
    client: Client, fleet_host: Any, monkeypatch: pytest.MonkeyPatch, status: MachineStatus,
    said: str,
) -> None:
    monkeypatch.setattr(machines, "ask", lambda device: status)
    answer = client.get(f"/devices/{a_device(fleet_host).serial}/machine")
    assert said in answer.content.decode()
