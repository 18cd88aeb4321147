"""What goes wrong at the door: scopes, methods, types, sizes, addresses, cursors, keys."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from devices.api.cursors import cursor_of, number_of
from devices.errors import BadRequest
from devices.models import AskedOnce, Host, Operation, Token
from devices.services import tokens
from tests.rows import a_device

pytestmark = [pytest.mark.usefixtures("a_fleet")]

JSON = "application/json"


@pytest.mark.parametrize(
    ("method", "path", "body", "content_type", "status"),
    [
        ("POST", "/api/v1/summary", "", JSON, 405),
        ("DELETE", "/api/v1/operations", "", JSON, 405),
        ("OPTIONS", "/api/v1/devices", "", JSON, 405),
        ("POST", "/api/v1/operations", '{"kind": "add", "count": 1}', "text/plain", 415),
        ("POST", "/api/v1/operations", "kind=add", "application/x-www-form-urlencoded", 415),
        ("POST", "/api/v1/operations", '{"kind": NaN}', JSON, 400),
        ("POST", "/api/v1/operations", "[" * 3_000_000, JSON, 413),
        ("GET", "/api/v2/devices", "", JSON, 404),
        ("POST", "/api/", "", JSON, 404),
        ("TRACE", "/api/v1/nothing", "", JSON, 404),
    ],
)
def test_it_is_a_problem_with_a_sentence(
    client: Client, method: str, path: str, body: str, content_type: str, status: int
) -> None:
    answer = client.generic(method, path, body, content_type=content_type)
    assert answer.status_code == status
    assert answer["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem.keys() == {"type", "title", "status", "detail"}
    assert problem["status"] == status
    assert problem["detail"].endswith(".")
    assert (status == 405) == ("allow" in answer.headers)
    assert not Operation.objects.exists()


def test_a_token_to_look_changes_nothing(user: User) -> None:
    _, key = tokens.create(user, "looks", scope=Token.Scope.READ)
    looks = Client(headers={"authorization": f"Bearer {key}"})
    assert looks.get("/api/v1/devices").status_code == 200
    for method, path in (("POST", "operations"), ("POST", "tokens"), ("DELETE", "tokens/1"),
                         ("PUT", "hosts/here/levers/ksm")):  # fmt: skip
        answer = looks.generic(method, f"/api/v1/{path}", "{}", content_type=JSON)
        assert answer.status_code == 403, path
        assert "change nothing" in answer.json()["detail"]


def test_a_cursor_is_taken_back_by_its_list_alone(client: Client) -> None:
    for number in range(3):
        a_device(Host.objects.get(), serial=f"fd-00000{number}")
    page = client.get("/api/v1/devices?limit=2").json()
    rest = client.get("/api/v1/devices", {"limit": 2, "cursor": page["next"]}).json()
    assert [d["serial"] for d in rest["devices"]] == ["fd-000002"]
    assert rest["next"] is None
    for cursor in (cursor_of("operations", 1), page["next"] + "x", "1", "é", "=" * 4):
        answer = client.get("/api/v1/devices", {"cursor": cursor})
        assert answer.status_code == 422, cursor
        assert answer.json()["detail"].startswith("The cursor is none that this list gave")
    with pytest.raises(BadRequest):
        number_of("devices", cursor_of("devices", 1 << 63))


def test_the_same_key_makes_one_token(client: Client) -> None:
    wish = {"name": "ci", "scope": "metrics"}
    made = client.post(
        "/api/v1/tokens", wish, content_type=JSON, headers={"idempotency-key": "abc"}
    )
    assert made.json()["scope"] == "metrics"
    again = client.post(
        "/api/v1/tokens", wish, content_type=JSON, headers={"idempotency-key": "abc"}
    )
    assert again.status_code == 409
    assert "key was shown" in again.json()["detail"]
    assert Token.objects.filter(name="ci").count() == 1
    assert AskedOnce.objects.count() == 1


def test_the_same_key_cancels_once_and_another_is_told_that_it_has_ended(client: Client) -> None:
    begun = client.post("/api/v1/operations", {"kind": "add", "count": 2}, content_type=JSON)
    path = f"/api/v1/operations/{begun.json()['id']}/cancel"
    for _ in range(2):
        answer = client.post(path, headers={"idempotency-key": "k"})
        assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    assert client.post(path, headers={"idempotency-key": "other"}).status_code == 409
    other = client.post(
        "/api/v1/tokens", {"name": "x"}, content_type=JSON, headers={"idempotency-key": "k"}
    )
    assert other.status_code == 409 and "use a new one" in other.json()["detail"]


def test_devices_are_acted_on_by_serial_and_by_filter_with_each_outcome(client: Client) -> None:
    host = Host.objects.get()
    for serial in ("fd-000001", "fd-000002", "fd-000003"):
        a_device(host, serial=serial)
    wish = {"kind": "tag", "serials": ["fd-000001", "fd-000003"], "add_tags": ["lab"]}
    done = client.post("/api/v1/operations", wish, content_type=JSON)
    assert (done.status_code, done.json()["state"]) == (201, "succeeded")
    assert client.get("/api/v1/devices/count?tag=lab").json() == {"count": 2}
    assert client.get("/api/v1/tags").json() == {"tags": [{"name": "lab", "devices": 2}]}
    lab = {"kind": "remove", "matching": {"tag": ["lab"]}}
    removal = client.post("/api/v1/operations", lab, content_type=JSON).json()
    path = f"/api/v1/operations/{removal['id']}/devices"
    page = client.get(path, {"limit": 1}).json()
    rest = client.get(path, {"cursor": page["next"]}).json()
    found = [d["serial"] for d in page["devices"] + rest["devices"]]
    assert found == ["fd-000001", "fd-000003"]
    assert client.get(path, {"outcome": "failed"}).json()["devices"] == []
    listed = client.get("/api/v1/operations?kind=remove&kind=add&actor=ada").json()["operations"]
    assert [o["id"] for o in listed] == [removal["id"]]
    timeline = client.get("/api/v1/devices/fd-000001/events?limit=1").json()
    assert timeline["events"][0]["to_state"] == "stopping"
    older = client.get("/api/v1/devices/fd-000001/events", {"cursor": timeline["next"]}).json()
    assert older["events"][0]["text"] == "tagged lab"


def test_views_are_saved_listed_and_forgotten(client: Client) -> None:
    wish = {"name": "bad ones", "query": "state=failed&nonsense=1"}
    saved = client.put("/api/v1/views", wish, content_type=JSON).json()
    assert (saved["name"], saved["query"]) == ("bad ones", "state=failed")
    assert client.get("/api/v1/views").json() == {"views": [saved]}
    assert client.delete(f"/api/v1/views/{saved['id']}").status_code == 204
    assert client.delete(f"/api/v1/views/{saved['id']}").status_code == 404
