"""The page behind a proxy that speaks TLS, and on its own machine without one."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

ORIGIN = "https://fleet.example"


@pytest.fixture
def proxied(settings: Settings) -> None:
    """The settings of a fleet that is opened as https://fleet.example too."""
    settings.ALLOWED_HOSTS = ["127.0.0.1", "fleet.example"]
    settings.CSRF_TRUSTED_ORIGINS = [ORIGIN]
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")


def logged_in(client: Client) -> Client:
    """The client after the log-in form, as a browser sends it."""
    client.get("/login/")
    answer = client.post(
        "/login/",
        {
            "username": "anna",
            "password": "a password of hers",
            "csrfmiddlewaretoken": next(
                cookie.value for name, cookie in client.cookies.items() if "csrf" in name
            ),
        },
    )
    assert answer.status_code == 302, answer.content
    return client


def link_of(client: Client) -> str:
    form = {"name": "hall", "scope": "wall", "days": "0"}
    token = next(cookie.value for name, cookie in client.cookies.items() if "csrf" in name)
    page = client.post("/tokens/", {**form, "csrfmiddlewaretoken": token}).content.decode()
    found = re.search(r"https?://[\w.:]+/wall\?kiosk&amp;key=fdw_[\w-]+", page)
    assert found, page
    return found[0].replace("&amp;", "&")


@pytest.mark.usefixtures("proxied", "fleet_host")
@pytest.mark.parametrize("secure", [True, False])
def test_links_and_cookies_are_those_of_the_way_it_was_opened(secure: bool) -> None:
    User.objects.create_user("anna", password="a password of hers")
    host = "fleet.example" if secure else "127.0.0.1:8000"
    headers = {"host": host}
    if secure:
        headers |= {"x-forwarded-proto": "https", "origin": ORIGIN}
    client = logged_in(Client(enforce_csrf_checks=True, headers=headers))
    link = link_of(client)
    assert link.startswith(f"{'https' if secure else 'http'}://{host}/wall?")
    screen = Client(headers=headers)
    assert screen.get(link[link.index("/wall") :]).status_code == 302
    given = {**client.cookies, **screen.cookies}
    assert {name.split("_")[1] for name in given} == {"csrf", "known", "session", "wall"}
    assert [bool(cookie["secure"]) for cookie in given.values()] == [secure] * 4
