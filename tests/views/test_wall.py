"""The wall: what its link opens, and what it does not."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from devices.live import fragments
from devices.models import Operation, Token
from devices.services import tokens
from tests.rows import a_device

pytestmark = pytest.mark.django_db


@pytest.fixture
def link(htmx: Any, fleet_host: Any) -> str:
    """A link made on the page of tokens."""
    a_device(fleet_host)
    page = htmx("/tokens/", {"name": "lobby", "scope": "wall"}).content.decode()
    found = re.search(r"http://testserver(/wall\?kiosk&amp;key=fdw_[\w-]+)", page)
    assert found
    return found[1].replace("&amp;", "&")


@pytest.fixture
def screen(link: str) -> Client:
    """A browser that came by the link."""
    visitor = Client()
    answer = visitor.get(link + "&theme=light")
    assert answer.status_code == 302
    assert answer.headers["Location"] == "/wall?kiosk&theme=light"
    cookie = answer.cookies[settings.WALL_COOKIE_NAME]
    assert cookie["httponly"] and cookie["samesite"] == "Lax"
    return visitor


def test_a_link_shows_the_wall_and_opens_nothing_else(screen: Client) -> None:
    assert screen.get("/wall?kiosk").status_code == 200
    for address in ("/", "/devices/", "/devices/at/1/serial", "/tokens/", "/devices/fd-000001/"):
        assert screen.get(address).status_code == 302
    assert screen.get("/api/v1/summary").status_code == 401
    key = screen.cookies[settings.WALL_COOKIE_NAME].value
    bearer = {"HTTP_AUTHORIZATION": f"Bearer {key}"}
    assert Client().get("/api/v1/summary", **bearer).status_code == 401  # type: ignore[arg-type]
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = screen.cookies
    assert strict.post("/devices/remove", {"count": "1"}).status_code == 403
    assert screen.post("/devices/remove", {"count": "1"}).status_code == 302  # to the log-in
    assert not Operation.objects.exists()


def test_the_wall_holds_nothing_that_could_change_the_fleet(
    screen: Client, client: Client, fleet_host: Any
) -> None:
    operation = Operation.objects.create(kind="add", count=1, created_at="2026-01-01T00:00Z")
    operation.targets.create(device=a_device(fleet_host))
    for visitor in (screen, client):
        answer = visitor.get("/wall")
        page = answer.content.decode()
        assert "Add 1 device" in page
        for word in ("<form", "csrf", "hx-post", "hx-headers", "/operations/"):
            assert word not in page.lower(), word
        assert settings.CSRF_COOKIE_NAME not in answer.cookies


def test_an_empty_wall_names_no_button_at_first_nor_later(client: Client, db: None) -> None:
    page = client.get("/wall").content.decode()
    later = fragments.render(frozenset({fragments.COUNTS}), {}, 0.0).fragments[0].html
    hint = '<span class="press">Press <b>+1</b>.</span>'
    assert (hint in page, hint in later) == (True, True)
    # one rendering serves both pages, and the wall's sheet leaves the hint out
    sheet = (settings.BASE_DIR / "static/css/wall.css").read_text()
    assert ".wallpage .press { display: none; }" in sheet


def test_a_revoked_link_is_dark_and_says_why(screen: Client, link: str, htmx: Any) -> None:
    htmx(f"/tokens/{Token.objects.get().id}/revoke")
    for address in ("/wall?kiosk", link):
        answer = screen.get(address)
        assert answer.status_code == 403
        assert "revoked" in answer.content.decode()


def test_a_key_to_the_api_is_no_link_and_a_stranger_logs_in(fleet_host: Any) -> None:
    ada = User.objects.create_user("ada")
    _, key = tokens.create(ada, "program")
    assert tokens.wall(key) is None
    assert Client().get(f"/wall?key={key}").status_code == 403
    answer = Client().get("/wall?kiosk")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/login/?next=/wall%3Fkiosk")


def test_a_link_of_somebody_who_left_is_dark(screen: Client) -> None:
    User.objects.update(is_active=False)
    assert screen.get("/wall").status_code == 403
