from __future__ import annotations

import re

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from devices.states import State
from devices.views import csp, kept
from tests.rows import a_device
from tests.views.conftest import Outside, the_sample

pytestmark = pytest.mark.django_db
PAGES = ("/", "/devices/", "/tokens/")


@pytest.mark.parametrize("address", [*PAGES, "/devices/fd-000001/"])
def test_a_stranger_is_sent_to_the_log_in(address: str) -> None:
    answer = Client().get(address)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/login/?next=")


def test_logging_in_and_out(anna: object) -> None:
    browser = Client()
    assert b"do not belong together" in browser.post(
        "/login/", {"username": "anna", "password": "wrong"}
    ).content
    answer = browser.post("/login/", {"username": "anna", "password": "a long password"})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/")
    assert browser.post("/logout/").status_code == 302
    assert browser.get("/").status_code == 302


def test_the_log_in_does_not_send_people_elsewhere(anna: object) -> None:
    given = {"username": "anna", "password": "a long password", "next": "http://evil.example/"}
    assert Client().post("/login/", given).headers["Location"] == "/"


@pytest.mark.parametrize("address", PAGES)
def test_every_page_has_the_strict_policy_and_nothing_inline(
    client: Client, fleet_host: object, address: str
) -> None:
    a_device(fleet_host)  # type: ignore[arg-type]
    middleware = csp.content_security_policy(lambda request: client.get(address))
    answer = middleware(client.get(address).wsgi_request)
    assert answer.headers[csp.HEADER] == csp.POLICY
    assert "unsafe" not in csp.POLICY
    page = answer.content.decode()
    for forbidden in ("<style", " style=", "onclick=", "javascript:", "//cdn", "https://"):
        assert forbidden not in page
    assert re.findall(r"<script(?! src=)(?! type=.module. src=)", page) == []


@pytest.mark.parametrize("address", [*PAGES, "/login/", "/devices/count", "/nowhere/"])
def test_nothing_is_kept_for_the_back_button(
    client: Client, fleet_host: object, address: str
) -> None:
    assert "no-store" in client.get(address).headers["Cache-Control"]


def test_a_page_may_say_of_itself_how_it_is_kept() -> None:
    def page(request: HttpRequest) -> HttpResponse:
        return HttpResponse(headers={"Cache-Control": "max-age=60"})

    answer = kept.nothing_is_kept(page)(RequestFactory().get("/"))
    assert answer.headers["Cache-Control"] == "max-age=60"


def test_an_empty_fleet_says_what_to_do(client: Client, db: None) -> None:
    page = client.get("/").content.decode()
    assert 'No devices yet. <span class="press">Press <b>+1</b>.</span>' in page
    assert "No machine has registered yet" in page


def test_the_dashboard_counts_and_says_what_runs_them(client: Client, fleet_host: object) -> None:
    for state in (State.ONLINE, State.ONLINE, State.BOOTING, State.FAILED):
        a_device(fleet_host, state=state)  # type: ignore[arg-type]
    page = client.get("/").content.decode()
    assert 'data-testid="online">2<' in page
    assert 'data-testid="total">4<' in page
    assert 'data-testid="count-booting">1<' in page
    assert "TCG, in software" in page
    assert "The guest is arm64 and this machine is x64." in page
    assert "Guests run as the user that started fleetdash." in page


def test_what_the_machine_does_not_have_is_said_and_not_zero(
    client: Client, fleet_host: object
) -> None:
    page = client.get("/").content.decode()
    assert page.count("not on this machine") == 3  # KSM, zram, pressure


def test_ksm_profit_keeps_its_sign(client: Client, fleet_host: object, outside: Outside) -> None:
    ksm = {
        "run": 1, "pages_sharing": 7, "full_scans": 1, "saved_bytes": 28672,
        "general_profit_bytes": -3_400_000,
    }
    outside.samples["here"] = the_sample() | {"ksm": ksm}
    page = client.get("/").content.decode()
    assert "−3.2 <small>MiB" in page
    assert "1 full scan ·" in page


def test_what_merging_does_and_costs_is_said(
    client: Client, fleet_host: object, outside: Outside
) -> None:
    ksm = {
        "run": 1, "pages_sharing": 7, "full_scans": 1, "saved_bytes": 28672,
        "general_profit_bytes": 3_400_000,
    }
    outside.samples["here"] = the_sample() | {"ksm": ksm}
    outside.merging["here"] = {"sentence": "Merges slowly beside launches.", "core_share": 0.048}
    page = client.get("/").content.decode()
    assert "profit · Merges slowly beside launches. It takes 5 % of a core." in page


def test_an_unknown_address_is_a_sentence(client: Client) -> None:
    answer = client.get("/nowhere/")
    assert answer.status_code == 404
    assert b"There is nothing at this address" in answer.content


def test_an_unknown_device_is_a_sentence(client: Client) -> None:
    answer = client.get("/devices/fd-999999/")
    assert answer.status_code == 404
    assert b"There is no device fd-999999." in answer.content
