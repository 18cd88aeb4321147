from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from devices.models import Device, Operation, Tag
from devices.services import tagging
from devices.states import State
from tests.rows import a_device
from tests.views.conftest import Outside

pytestmark = pytest.mark.django_db


@pytest.fixture
def ten(fleet_host: Any) -> list[Device]:
    """Eight online, one off, one gone."""
    states = [State.ONLINE] * 8 + [State.OFF, State.GONE]
    return [
        a_device(
            fleet_host, serial=f"sn-{n}", state=state, slot=None if state is State.GONE else n
        )
        for n, state in enumerate(states)
    ]


def states() -> list[str]:
    return list(Device.objects.order_by("serial").values_list("state", flat=True))


def test_picked_devices_are_tagged_as_one_operation(htmx: Any, ten: list[Device]) -> None:
    answer = htmx("/devices/act", {"kind": "tag", "serials": "sn-1,sn-2,sn-1", "add": "Lab red"})
    assert b"Tagging 2 devices." in answer.content
    operation = Operation.objects.get()
    assert (operation.kind, operation.count, operation.state) == ("tag", 2, "succeeded")
    assert operation.actor is not None and operation.actor.get_username() == "anna"
    assert tagging.of(ten[1]) == ["lab", "red"] and tagging.of(ten[3]) == []


def test_all_that_match_when_it_is_asked_are_meant(
    htmx: Any, ten: list[Device], outside: Outside, django_capture_on_commit_callbacks: Any
) -> None:
    Tag.objects.bulk_create(Tag(device=device, name="lab") for device in ten)
    asked = {"kind": "power_off", "matching": "tag=lab", "confirmed": "9"}
    with django_capture_on_commit_callbacks(execute=True):
        assert htmx("/devices/act", asked).status_code == 200
    operation = Operation.objects.get()
    assert operation.count == 9
    assert states() == ["powering_off"] * 8 + ["off", "gone"]
    assert operation.targets.get(device=ten[8]).reason == "It is off already."
    assert ("act", "here") in outside.dispatched


def test_a_number_that_has_changed_since_is_refused(htmx: Any, ten: list[Device]) -> None:
    for confirmed in ("4", "11", "5000"):
        asked = {"kind": "remove", "matching": "", "confirmed": confirmed}
        answer = htmx("/devices/act", asked)
        assert answer.status_code == 409
        assert b"9 match now. Nothing was done" in answer.content
    assert not Operation.objects.exists() and states() == [d.state for d in ten]
    # one more or less comes and goes
    assert htmx("/devices/act", {**asked, "confirmed": "10"}).status_code == 200


def test_what_is_sent_twice_is_done_once_though_nothing_matches_any_more(
    htmx: Any, ten: list[Device]
) -> None:
    asked = {"kind": "power_off", "matching": "state=online", "confirmed": "8"}
    for _ in range(2):
        answer = htmx("/devices/act", asked, **{"Idempotency-Key": "k1"})
        assert answer.status_code == 200 and b"Powering off 8 devices." in answer.content
    assert Operation.objects.count() == 1
    assert htmx("/devices/act", asked).status_code == 409


@pytest.mark.parametrize(
    ("given", "status", "sentence"),
    [
        ({"kind": "explode", "serials": "sn-1"}, 422, "is nothing that can be done"),
        ({"kind": "add", "serials": "sn-1"}, 422, "is nothing that can be done"),
        ({"kind": "reboot", "serials": ""}, 422, "Select at least one"),
        ({"kind": "reboot", "serials": "sn-1,nobody"}, 404, "no device nobody"),
        ({"kind": "tag", "serials": "sn-1", "add": "<b>"}, 422, "is no tag"),
        ({"kind": "tag", "serials": "sn-1"}, 422, "Name a tag"),
        # a filter that is not understood would mean more devices, not fewer
        ({"kind": "remove", "matching": "state=asleep", "confirmed": "9"}, 422, "state is one of"),
        ({"kind": "remove", "matching": "", "confirmed": "many"}, 422, "whole number"),
        ({"kind": "remove", "matching": ""}, 422, "whole number"),
        ({"kind": "remove", "matching": "q=none", "confirmed": "0"}, 409, "No device matches"),
    ],
)
def test_what_makes_no_sense_is_a_sentence(
    htmx: Any, ten: list[Device], given: dict[str, str], status: int, sentence: str
) -> None:
    answer = htmx("/devices/act", given)
    assert (answer.status_code, sentence in answer.content.decode()) == (status, True)
    assert states() == [device.state for device in ten] and not Operation.objects.exists()


def test_only_pages_of_ours_may_act(client: Client, ten: list[Device]) -> None:
    given = {"kind": "remove", "serials": "sn-1"}
    assert client.post("/devices/act", given).status_code == 403
    assert client.get("/devices/act").status_code == 405
    assert Client().post("/devices/act", given).status_code == 302


def test_gone_devices_are_listed_but_not_counted_for_an_act(
    client: Client, ten: list[Device]
) -> None:
    assert client.get("/devices/count?state=gone,off").content == b"1"
    assert b"1\xe2\x80\x932 of 2" in client.get("/devices/?state=gone,off").content
