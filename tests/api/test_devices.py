from __future__ import annotations

import pytest
import redis
from django.db import OperationalError
from django.test import Client

from devices.models import Device, Event, Host
from devices.services import bus, summary
from devices.states import State
from tests.rows import a_device

pytestmark = [pytest.mark.urls("tests.api.urls"), pytest.mark.usefixtures("a_fleet")]


@pytest.fixture
def three(a_fleet: str) -> list[Device]:
    host = Host.objects.get()
    return [
        a_device(host, serial="fd-000001", state=State.ONLINE),
        a_device(host, serial="fd-000002", state=State.FAILED, reason="qemu ended with 1"),
        a_device(host, serial="fd-000003", state=State.GONE),
    ]


def serials(client: Client, query: str) -> list[str]:
    answer = client.get(f"/api/v1/devices?{query}")
    assert answer.status_code == 200, answer.content
    return [device["serial"] for device in answer.json()["devices"]]


@pytest.mark.usefixtures("three")
def test_devices_are_listed_searched_and_filtered(client: Client) -> None:
    assert serials(client, "") == ["fd-000001", "fd-000002"]
    assert serials(client, "state=gone") == ["fd-000003"]
    assert serials(client, "search=qemu") == ["fd-000002"]
    device = client.get("/api/v1/devices").json()["devices"][0]
    assert (device["host"], device["firmware"], device["state"]) == ("here", "0.1.0", "online")


@pytest.mark.usefixtures("three")
def test_the_list_goes_on_by_cursor(client: Client) -> None:
    first = client.get("/api/v1/devices?limit=1").json()
    assert serials(client, f"limit=1&cursor={first['next']}") == ["fd-000002"]
    assert client.get(f"/api/v1/devices?cursor={first['next']}").json()["next"] is None


@pytest.mark.parametrize(
    "query",
    [
        "limit=0", "limit=501", "limit=x", "state=asleep", "slot=c", "older=soon", "search=%00",
        "search=", "tag=", "tag=lab&tag=", "older=",
    ],
)  # fmt: skip
def test_a_list_asked_for_wrongly_is_422(client: Client, query: str) -> None:
    answer = client.get(f"/api/v1/devices?{query}")
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(query.split("=", 1)[0])


def test_a_device_is_shown_with_its_history_and_without_its_secret(
    client: Client, three: list[Device]
) -> None:
    device = three[0]
    Device.objects.filter(id=device.id).update(command_line=["qemu", "-m", "128"], pid=4711)
    Event.objects.create(
        at=device.state_since, device=device, from_state="booting", to_state="online", text="hi"
    )
    bus.heard_from(["fd-000001"], 1_700_000_000.0)
    answer = client.get("/api/v1/devices/fd-000001")
    shown = answer.json()
    assert shown["command_line"] == ["qemu", "-m", "128"]
    assert shown["pid"] == 4711
    assert shown["last_heard_at"] == "2023-11-14T22:13:20Z"
    assert [event["text"] for event in shown["events"]] == ["hi"]
    assert device.secret not in answer.content.decode()


def test_a_device_is_shown_while_redis_is_away(client: Client, three: list[Device]) -> None:
    nowhere = redis.Redis(unix_socket_path="/nonexistent/redis.sock")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bus, "client", lambda: nowhere)
        shown = client.get("/api/v1/devices/fd-000001")
    assert shown.status_code == 200
    assert shown.json()["last_heard_at"] is None


def test_the_console_is_text(client: Client, three: list[Device]) -> None:
    bus.append_console({"fd-000001": b"login: \xff\x1b[1m<b>"})
    answer = client.get("/api/v1/devices/fd-000001/console")
    assert answer["content-type"] == "text/plain; charset=utf-8"
    assert answer.content.decode() == "login: �\x1b[1m<b>"


@pytest.mark.parametrize("path", ["devices/fd-9", "devices/fd-9/console", "nothing", "devices/a/b"])
def test_what_is_not_there_is_404(client: Client, path: str) -> None:
    answer = client.get(f"/api/v1/{path}")
    assert answer.status_code == 404
    assert answer["content-type"] == "application/problem+json"
    assert answer.json()["detail"].endswith(".")


@pytest.mark.usefixtures("three")
def test_the_summary_counts_every_state(client: Client) -> None:
    fleet = client.get("/api/v1/summary").json()
    assert (fleet["online"], fleet["total"]) == (1, 2)
    assert set(fleet["counts"]) == {str(state) for state in State}
    assert fleet["fits"] > 0
    assert fleet["hosts"][0]["sample"]["memory"]["total_bytes"] == 24 << 30
    assert fleet["firmware"]["architecture"] == "arm64"
    assert client.get("/api/v1/hosts").json()["hosts"] == fleet["hosts"]


def test_an_empty_installation_has_a_summary(client: Client) -> None:
    from devices.models import Firmware

    Firmware.objects.all().delete()
    Host.objects.all().delete()
    fleet = client.get("/api/v1/summary").json()
    assert (fleet["hosts"], fleet["firmware"], fleet["fits"]) == ([], None, 0)


def test_a_fault_inside_is_a_sentence_and_no_traceback(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for fault, status in ((OperationalError("locked"), 503), (RuntimeError("x"), 500)):

        def fail(fault: Exception = fault) -> None:
            raise fault

        monkeypatch.setattr(summary, "summary", fail)
        answer = client.get("/api/v1/summary")
        assert answer.status_code == status
        assert answer["content-type"] == "application/problem+json"
        assert "Traceback" not in answer.content.decode()
