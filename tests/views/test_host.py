from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from devices.models import Host
from devices.services import bus
from tests.lever_report import a_report
from tests.rows import a_host

pytestmark = pytest.mark.django_db


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What hosts' workers said of their levers."""
    said: dict[str, Any] = {"here": a_report()}
    monkeypatch.setattr(bus, "levers", lambda name: said.get(name))
    return said


def page_of(client: Client, address: str = "/hosts/here/") -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", answer.content.decode())


@pytest.mark.usefixtures("fleet_host", "reports")
def test_the_page_shows_the_machine_its_levers_and_what_they_do(client: Client) -> None:
    page = page_of(client)
    assert "TCG, in software" in page
    assert "Guests run as the user that started fleetdash." in page
    assert "<b>auto</b>" in page
    assert "before fleetdash: stopped" in page
    assert "−4.0 KiB" in page, "a profit keeps its sign"
    assert "none: it has no effect now" in page
    assert 'max="200"' in page
    assert " style=" not in page


@pytest.mark.usefixtures("fleet_host")
def test_what_cannot_be_changed_has_a_reason_and_no_form(
    client: Client, reports: dict[str, Any]
) -> None:
    reports["here"]["levers"]["zram"]["refused"] = "This machine has swap already."
    page = page_of(client)
    assert "<b>Cannot be changed here:</b> This machine has swap already." in page
    assert "Make the swap" not in page
    assert "Set swappiness" in page
    reports.clear()
    page = page_of(client)
    assert page.count("has said nothing for 30 s") == 3
    assert "Set swappiness</button>" not in page


@pytest.mark.usefixtures("reports")
def test_a_wish_is_asked_of_the_worker_and_shown_as_pending(
    client: Client, htmx: Any, fleet_host: Host
) -> None:
    answer = htmx("/hosts/here/levers/swappiness", {"value": "80"})
    assert (answer.status_code, b"Asked here to set swappiness." in answer.content) == (200, True)
    fleet_host.refresh_from_db()
    assert fleet_host.levers["swappiness"]["wish"] == {"value": 80}
    assert fleet_host.levers["swappiness"]["by"] == "anna"
    assert "Being changed, as anna asked" in page_of(client, "/hosts/here/now")
    htmx("/hosts/here/levers/ksm", {"mode": "on", "pages_to_scan": "700", "sleep_ms": "30"})
    htmx("/hosts/here/levers/zram", {"size": "50%", "algorithm": "lz4"})
    fleet_host.refresh_from_db()
    assert fleet_host.levers["ksm"]["wish"] == {"mode": "on", "pages_to_scan": 700, "sleep_ms": 30}
    assert fleet_host.levers["zram"]["wish"] == {"size_bytes": 12 << 30, "algorithm": "lz4"}


@pytest.mark.usefixtures("reports", "fleet_host")
@pytest.mark.parametrize(
    ("lever", "given", "status", "says"),
    [
        ("swappiness", {"value": "many"}, 422, "many is not a whole number."),
        ("swappiness", {"value": "201"}, 422, "from 0 to 200"),
        ("ksm", {"mode": "on", "pages_to_scan": "", "sleep_ms": "1"}, 422, "Nothing is not"),
        ("zram", {"size": "off"}, 409, "no swap in memory"),
        ("turbo", {}, 404, "There is no lever turbo."),
    ],
)
def test_a_bad_wish_is_a_sentence(
    htmx: Any, lever: str, given: dict[str, str], status: int, says: str
) -> None:
    answer = htmx(f"/hosts/here/levers/{lever}", given)
    assert answer.status_code == status
    assert says in answer.content.decode()


@pytest.mark.usefixtures("reports", "fleet_host")
def test_the_caveat_is_shown_until_this_person_puts_it_away(client: Client, htmx: Any) -> None:
    assert "a guest that measures time can guess" in page_of(client)
    assert htmx("/hosts/caveat").status_code == 200
    assert "a guest that measures time can guess" not in page_of(client)


@pytest.mark.usefixtures("reports", "fleet_host")
def test_one_host_is_opened_at_once_and_several_are_listed(client: Client) -> None:
    answer = client.get("/hosts/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/hosts/here/")
    a_host("there")
    page = page_of(client, "/hosts/")
    assert 'href="/hosts/here/"' in page
    assert 'href="/hosts/there/"' in page
    assert client.get("/hosts/nowhere/").status_code == 404


@pytest.mark.usefixtures("reports", "fleet_host")
def test_the_way_to_it_is_on_every_page_and_beside_what_runs_devices(client: Client) -> None:
    page = page_of(client, "/")
    assert 'href="/hosts/"' in page
    assert '<h3><a href="/hosts/here/">here</a>' in page


@pytest.mark.usefixtures("reports", "fleet_host", "redis_server")
def test_a_host_of_which_nothing_is_heard_can_be_forgotten(
    client: Client, htmx: Any, settings: Settings
) -> None:
    settings.HOST_NAME = "here"
    a_host("old")
    assert "Forget this host" not in page_of(client)
    assert "Forget this host" in page_of(client, "/hosts/old/")
    bus.heartbeat("worker", "old")
    assert "Forget this host" not in page_of(client, "/hosts/old/")
    answer = htmx("/hosts/old/forget")
    assert (answer.status_code, b"old is at work." in answer.content) == (409, True)
    bus.client().flushall()
    assert htmx("/hosts/old/forget").headers["HX-Redirect"] == "/hosts/"
    assert client.get("/hosts/old/").status_code == 404


@pytest.mark.parametrize("address", ["/hosts/", "/hosts/here/", "/hosts/here/now"])
def test_a_stranger_is_sent_to_the_log_in(db: None, address: str) -> None:
    assert Client().get(address).headers["Location"].startswith("/login/")


def test_the_report_is_what_a_worker_says(tmp_path: Path) -> None:
    """The stand-in of these tests has the keys of the real thing."""
    from dataclasses import asdict

    from devices.host import levers
    from tests.host.machine import a_machine

    root = a_machine(tmp_path)
    stand_in = a_report()["levers"]
    for name, real in {
        "ksm": levers.read_ksm(root), "zram": levers.read_zram("mine", root),
        "swappiness": levers.read_swappiness(root),
    }.items():
        assert stand_in[name].keys() == asdict(real).keys()
        assert stand_in[name]["limits"].keys() == real.limits.keys()
        assert stand_in[name]["effect"].keys() == real.effect.keys()
        assert real.present is not None
        # the worker adds the mode
        assert stand_in[name]["present"].keys() - {"mode"} == real.present.keys()
