from __future__ import annotations

import json
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from devices.models import Device, Host, Operation
from devices.services import bus
from tests.rows import a_device, a_sample

pytestmark = [pytest.mark.urls("tests.api.urls"), pytest.mark.usefixtures("a_fleet")]


def ask(client: Client, wish: Any, **headers: str) -> Any:
    body = wish if isinstance(wish, str) else json.dumps(wish)
    return client.post("/api/v1/operations", body, content_type="application/json", headers=headers)


def test_an_addition_is_begun_and_can_be_looked_at(client: Client) -> None:
    answer = ask(client, {"kind": "add", "count": 3})
    assert answer.status_code == 201
    operation = answer.json()
    assert (operation["kind"], operation["state"], operation["pending"]) == ("add", "running", 3)
    assert Device.objects.filter(state="requested").count() == 3
    again = client.get(f"/api/v1/operations/{operation['id']}").json()
    assert again["id"] == operation["id"]
    recent = client.get("/api/v1/operations?limit=1").json()["operations"]
    assert [o["id"] for o in recent] == [operation["id"]]


@pytest.mark.parametrize(
    "count",
    ["0", "-1", "10001", "1.5", "1.0", '"ten"', '"10"', "true", "null", str(10**30), "[]", "1e3"],
)
def test_a_count_that_is_no_whole_number_in_range_is_422(client: Client, count: str) -> None:
    for kind in ("add", "remove"):
        answer = ask(client, f'{{"kind": "{kind}", "count": {count}}}')
        assert answer.status_code == 422
        assert "count" in answer.json()["detail"]
    assert not Operation.objects.exists()


@pytest.mark.parametrize(
    ("wish", "sentence"),
    [
        ({"kind": "add"}, "count is missing."),
        ({"kind": "add", "count": 1, "serials": ["a"]}, "serials does not belong to add."),
        ({"kind": "remove"}, "remove takes one of count, serials, matching."),
        ({"kind": "remove", "count": 1, "serials": ["a"]}, "remove takes one of"),
        ({"kind": "remove", "serials": []}, "serials"),
        ({"kind": "explode", "count": 1}, "kind"),
        ({"count": 1}, "kind is missing."),
        ({"kind": "add", "count": 1, "start": "hot"}, "start"),
        ({"kind": "add", "count": 1, "when": "now"}, "when is not known here."),
        ({"kind": "remove", "matching": {"tag": [""]}}, "tag is empty"),
        ({"kind": "remove", "matching": {"tag": []}}, "tag is empty"),
        ({"kind": "remove", "matching": {"search": " "}}, "search is empty"),
        ({"kind": "remove", "matching": {"search": ""}}, "search is empty"),
        ({"kind": "remove", "matching": {"older": ""}}, "older is empty"),
        ({"kind": "remove", "count": 5, "architecture": "x64"}, "architecture belongs to add"),
        ({"kind": "reboot", "serials": ["a"], "start": "warm"}, "start belongs to add"),
        ({"kind": "reboot", "serials": ["a"], "confirmed": 1}, "confirmed belongs to matching"),
        ([], "The body"),
    ],
)
def test_a_wish_of_another_form_is_422(client: Client, wish: Any, sentence: str) -> None:
    answer = ask(client, wish)
    assert answer.status_code == 422
    assert answer["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == 422
    assert sentence in problem["detail"]
    assert not Operation.objects.exists()


@pytest.mark.parametrize("body", ["", "nonsense", "{", '{"kind": "add", "count": ' + "9" * 5000])
def test_what_is_not_json_is_400(client: Client, body: str) -> None:
    answer = ask(client, body)
    assert answer.status_code in (400, 422)
    assert answer.json()["detail"].endswith(".")


def test_more_than_fits_is_refused_with_the_number_that_does(client: Client) -> None:
    one_mib = settings.MEMORY_RESERVE_MIB + settings.DEVICE_COST_MIB
    bus.publish_host_sample("here", a_sample(available_mib=one_mib + 10))
    answer = ask(client, {"kind": "add", "count": 2})
    assert answer.status_code == 409
    assert answer.json()["fits"] == 1
    assert "2 more devices do not fit: 1 more fit now" in answer.json()["detail"]
    assert not Device.objects.exists()


def test_the_same_idempotency_key_gives_the_same_operation(client: Client) -> None:
    wish = {"kind": "add", "count": 2}
    first = ask(client, wish, **{"idempotency-key": "abc"}).json()
    second = ask(client, wish, **{"idempotency-key": "abc"}).json()
    assert first["id"] == second["id"]
    assert Device.objects.count() == 2
    other = ask(client, {"kind": "add", "count": 3}, **{"idempotency-key": "abc"})
    assert other.status_code == 409
    assert ask(client, wish, **{"idempotency-key": "x" * 65}).status_code == 422


def test_another_number_than_was_confirmed_is_409(client: Client) -> None:
    host = Host.objects.get()
    for _ in range(4):
        a_device(host)
    wish = {"kind": "remove", "matching": {}, "confirmed": 1}
    answer = ask(client, wish)
    assert answer.status_code == 409
    assert answer.json()["detail"].startswith("1 matched when you were asked, 4 match now.")
    assert not Operation.objects.exists()
    assert ask(client, {**wish, "confirmed": 4}).status_code == 201


def test_devices_are_removed_by_count_and_by_serial(client: Client) -> None:
    host = Host.objects.get()
    for serial in ("fd-000001", "fd-000002", "fd-000003"):
        a_device(host, serial=serial)
    by_serial = ask(client, {"kind": "remove", "serials": ["fd-000002"]}).json()
    assert (by_serial["kind"], by_serial["pending"]) == ("remove", 1)
    assert Device.objects.get(serial="fd-000002").state == "stopping"
    assert ask(client, {"kind": "remove", "count": 1}).status_code == 201
    assert Device.objects.get(serial="fd-000003").state == "stopping"
    unknown = ask(client, {"kind": "remove", "serials": ["fd-000001", "fd-999999"]})
    assert unknown.status_code == 404
    assert "fd-999999" in unknown.json()["detail"]
    assert Device.objects.get(serial="fd-000001").state == "online"


def test_removing_from_an_empty_fleet_is_409(client: Client) -> None:
    assert ask(client, {"kind": "remove", "count": 1}).status_code == 409


def test_an_addition_is_cancelled_once(client: Client) -> None:
    operation_id = ask(client, {"kind": "add", "count": 2}).json()["id"]
    answer = client.post(f"/api/v1/operations/{operation_id}/cancel")
    assert answer.status_code == 200
    assert answer.json()["state"] == "cancelled"
    assert client.post(f"/api/v1/operations/{operation_id}/cancel").status_code == 409


@pytest.mark.parametrize("number", ["999", "0", "nonsense", str(10**30)])
def test_an_unknown_operation_is_not_there(client: Client, number: str) -> None:
    for answer in (
        client.get(f"/api/v1/operations/{number}"),
        client.post(f"/api/v1/operations/{number}/cancel"),
    ):
        assert answer.status_code in (404, 422)
        assert answer.json()["detail"].endswith(".")


def test_an_addition_is_undone_by_a_removal(client: Client) -> None:
    operation_id = ask(client, {"kind": "add", "count": 2}).json()["id"]
    answer = client.post(f"/api/v1/operations/{operation_id}/undo")
    assert answer.status_code == 201
    assert (answer.json()["kind"], answer.json()["count"]) == ("remove", 2)
    again = client.post(f"/api/v1/operations/{operation_id}/undo")
    assert again.status_code == 409 and "left to undo" in again.json()["detail"]
