from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from devices.models import Host
from devices.services import bus
from tests.lever_report import a_report
from tests.rows import a_host


@pytest.fixture
def host(a_fleet: str) -> Host:
    """A host whose worker has said how its levers are."""
    bus.keep_levers(a_fleet, a_report())
    return Host.objects.get(name=a_fleet)


def put(client: Client, lever: str, body: Any) -> Any:
    return client.put(f"/api/v1/hosts/here/levers/{lever}", body, content_type="application/json")


def lever(answer: Any, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(e for e in answer.json()["levers"] if e["name"] == name)
    return found


def test_levers_are_shown_with_value_effect_and_limits(client: Client, host: Host) -> None:
    answer = client.get("/api/v1/hosts/here/levers")
    assert answer.status_code == 200
    ksm = lever(answer, "ksm")
    assert (ksm["present"]["mode"], ksm["effect"]["profit_bytes"]) == ("auto", -4096)
    assert (ksm["pending"], ksm["asked"], ksm["refused"]) == (False, None, "")
    assert "can guess" in answer.json()["caveat"]
    assert client.put("/api/v1/hosts/caveats/ksm").status_code == 204
    assert client.get("/api/v1/hosts/here/levers").json()["caveat"] == ""


@pytest.mark.parametrize(
    ("name", "body", "wish"),
    [
        ("swappiness", {"value": 80}, {"value": 80}),
        ("ksm", {"mode": "off"}, {"mode": "off"}),
        ("zram", {"size": "1G", "algorithm": "lz4"}, {"size_bytes": 1 << 30, "algorithm": "lz4"}),
    ],
)
def test_a_wish_is_accepted_and_pending_until_the_worker_has_done_it(
    client: Client, host: Host, name: str, body: dict[str, Any], wish: dict[str, Any]
) -> None:
    answer = put(client, name, body)
    assert answer.status_code == 202
    found = lever(answer, name)
    assert (found["pending"], found["asked"]["wish"], found["asked"]["by"]) == (True, wish, "ada")


@pytest.mark.parametrize(
    ("name", "body", "status"),
    [
        ("swappiness", {"value": 201}, 422),
        ("swappiness", {"value": 80, "more": 1}, 422),
        ("ksm", {"mode": "on"}, 422),
        ("ksm", {"mode": "turbo"}, 422),
        ("zram", {"size": "off"}, 409),
    ],
)
def test_a_bad_wish_is_a_problem_with_a_sentence(
    client: Client, host: Host, name: str, body: dict[str, Any], status: int
) -> None:
    answer = put(client, name, body)
    assert (answer.status_code, answer.headers["Content-Type"]) == (
        status, "application/problem+json",
    )  # fmt: skip
    assert answer.json()["detail"].endswith(".")
    host.refresh_from_db()
    assert host.levers == {}


def test_a_host_that_is_out_of_use_is_forgotten_and_another_is_not(
    client: Client, host: Host, settings: Settings
) -> None:
    settings.HOST_NAME = "here"
    a_host("old")
    assert client.delete("/api/v1/hosts/old").status_code == 204
    assert not Host.objects.filter(name="old").exists()
    assert client.delete("/api/v1/hosts/old").status_code == 404
    answer = client.delete("/api/v1/hosts/here")
    assert (answer.status_code, answer.json()["detail"]) == (
        409, "here is not forgotten: what answers you runs on this machine.",
    )  # fmt: skip


def test_an_unknown_host_and_a_stranger_are_told(client: Client, host: Host) -> None:
    assert client.get("/api/v1/hosts/nowhere/levers").status_code == 404
    assert Client().get("/api/v1/hosts/here/levers").status_code == 401
