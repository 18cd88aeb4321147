from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from devices.models import Device, Operation
from devices.states import State
from tests.rows import a_device, a_firmware
from tests.views.conftest import Outside, the_sample

pytestmark = pytest.mark.django_db


def test_plus_one_starts_a_device(htmx: Any, fleet_host: Any, outside: Outside) -> None:
    answer = htmx("/devices/add", {"count": "1"})
    assert answer.status_code == 200
    assert "Starting 1 device." in answer.content.decode()
    operation = Operation.objects.get()
    assert (operation.kind, operation.count) == ("add", 1)
    assert operation.actor is not None and operation.actor.username == "anna"
    assert Device.objects.count() == 1


def test_where_there_are_two_firmwares_one_says_what_new_devices_are(
    htmx: Any, fleet_host: Any, client: Client
) -> None:
    assert 'name="architecture"' not in client.get("/").content.decode()
    a_firmware(architecture="x64")
    fleet_host.accelerators |= {"x64": {"accelerator": "kvm"}}
    fleet_host.save()
    page = client.get("/").content.decode()
    assert "<option>arm64</option><option>x64</option>" in page
    htmx("/devices/add", {"count": "1", "architecture": "x64"})
    assert Device.objects.get().firmware.architecture == "x64"


@pytest.mark.parametrize(
    "count", ["", "0", "-1", "1.5", "ten", "10001", "1e3", "٣", " 1", "9" * 400, "<b>"]
)
def test_a_count_that_makes_no_sense_changes_nothing(
    htmx: Any, fleet_host: Any, count: str
) -> None:
    for address in ("/devices/add", "/devices/remove"):
        answer = htmx(address, {"count": count})
        assert answer.status_code == 422
        said = answer.content.decode()
        assert "is not a whole number from 1 to 10,000." in said
        assert 'role="alert"' in said and "<b>" not in said
        assert answer.headers["HX-Retarget"] == "#toasts"
    assert not Operation.objects.exists()


def test_more_than_fits_is_refused_with_what_does(
    htmx: Any, fleet_host: Any, outside: Outside
) -> None:
    three_mib = settings.MEMORY_RESERVE_MIB + 3 * settings.DEVICE_COST_MIB
    outside.samples["here"] = the_sample(available_mib=three_mib + 10)
    answer = htmx("/devices/add", {"count": "10"})
    assert answer.status_code == 409
    assert "3 more fit now" in answer.content.decode()
    assert not Operation.objects.exists()


def test_minus_takes_the_newest_and_says_when_there_are_fewer(htmx: Any, fleet_host: Any) -> None:
    devices = [a_device(fleet_host) for _ in range(2)]
    answer = htmx("/devices/remove", {"count": "10"})
    assert "Removing 10 devices (there were only 2)." in answer.content.decode()
    assert {d.state for d in Device.objects.all()} == {State.STOPPING}
    assert len(devices) == 2


def test_nothing_to_remove_is_a_sentence(htmx: Any, fleet_host: Any) -> None:
    answer = htmx("/devices/remove", {"count": "1"})
    assert answer.status_code == 409
    assert "There is no device left to remove." in answer.content.decode()


def test_one_device_is_removed_by_its_serial(htmx: Any, fleet_host: Any) -> None:
    kept, removed = a_device(fleet_host), a_device(fleet_host)
    assert htmx("/devices/remove", {"serial": removed.serial}).status_code == 200
    kept.refresh_from_db()
    removed.refresh_from_db()
    assert (kept.state, removed.state) == (State.ONLINE, State.STOPPING)
    assert htmx("/devices/remove", {"serial": "fd-nobody"}).status_code == 404


def test_an_addition_is_cancelled(htmx: Any, fleet_host: Any) -> None:
    htmx("/devices/add", {"count": "3"})
    operation = Operation.objects.get()
    answer = htmx(f"/operations/{operation.id}/cancel")
    assert answer.status_code == 200
    assert {d.state for d in Device.objects.all()} == {State.GONE}
    assert htmx(f"/operations/{operation.id}/cancel").status_code == 409
    assert htmx("/operations/999999/cancel").status_code == 404


def test_the_same_press_sent_twice_is_done_once(htmx: Any, fleet_host: Any) -> None:
    for _ in range(2):
        assert htmx("/devices/add", {"count": "2"}, **{"Idempotency-Key": "k1"}).status_code == 200
    assert Device.objects.count() == 2


def test_a_press_without_its_token_is_refused(client: Client, fleet_host: Any) -> None:
    answer = client.post("/devices/add", {"count": "1"})
    assert answer.status_code == 403
    assert b"did not come from a page of ours" in answer.content
    assert not Operation.objects.exists()


def test_a_stranger_changes_nothing(fleet_host: Any) -> None:
    for address in ("/devices/add", "/devices/remove", "/operations/1/cancel"):
        assert Client().post(address, {"count": "1"}).status_code == 302
    assert not Operation.objects.exists()


def test_looking_at_a_button_does_not_press_it(client: Client, fleet_host: Any) -> None:
    assert client.get("/devices/add?count=1").status_code == 405
    assert not Operation.objects.exists()


def test_an_addition_is_undone_and_a_removal_is_not(htmx: Any, fleet_host: Any) -> None:
    htmx("/devices/add", {"count": "2"})
    answer = htmx(f"/operations/{Operation.objects.get().id}/undo", {})
    assert "Undoing: removing 2 devices." in answer.content.decode()
    removal = Operation.objects.get(kind="remove")
    answer = htmx(f"/operations/{removal.id}/undo", {})
    assert answer.status_code == 409
    assert "A removal cannot be undone" in answer.content.decode()
